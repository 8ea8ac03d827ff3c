"""When, and on which device, broken models are built anew."""

from typing import Final

from streamer.backoff import doubled_s

#: So many breakdowns in a row, and the next device is tried.
_BREAKDOWNS_PER_DEVICE: Final = 2

#: So long without a breakdown, and the next one starts from the beginning.
_HEALTHY_AFTER_S: Final = 60.0


class Recovery:
    """Exponential backoff between builds, from the wished device to the CPU. Times are monotonic seconds,
    passed in.

    Once on the CPU it stays there: a device that broke twice in a row is not trusted again by the same
    process.
    """

    def __init__(self, *, device: str, backoff_s: float = 1.0, backoff_cap_s: float = 60.0) -> None:
        if not 0 < backoff_s <= backoff_cap_s:
            raise ValueError(f"backoff must be above 0 and at most its cap, got {backoff_s}, {backoff_cap_s}")
        self.wished_device = device
        self.device: str = device
        self._backoff_s = backoff_s
        self._backoff_cap_s = backoff_cap_s
        self._breakdowns = 0
        self._on_device = 0
        self._built_s: float | None = None

    @property
    def fell_back(self) -> bool:
        """Whether the device is another than the wished one."""
        return self.device != self.wished_device

    @property
    def exhausted(self) -> bool:
        """Whether every device was tried in vain; trying goes on."""
        return self.device == "cpu" and self._on_device >= _BREAKDOWNS_PER_DEVICE

    def built(self, now_s: float) -> None:
        """The models were built and warmed up."""
        self._built_s = now_s

    def broke(self, now_s: float) -> float:
        """The models broke, or could not be built. Returns when to build them next, on ``device``."""
        if self._built_s is not None and now_s - self._built_s >= _HEALTHY_AFTER_S:
            self._breakdowns = self._on_device = 0
        self._built_s = None
        self._breakdowns += 1
        self._on_device += 1
        if self.device != "cpu" and self._on_device >= _BREAKDOWNS_PER_DEVICE:
            self.device = "cpu"
            self._on_device = 0
        return now_s + doubled_s(self._backoff_s, self._breakdowns - 1, most_s=self._backoff_cap_s)
