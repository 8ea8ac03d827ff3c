"""How far each network input size is prepared: which batch sizes are warm, and which ones memory forbids."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

#: A limit that was cut for want of memory is doubled again after this long: others may have held the memory.
_CAP_RETRY_S: Final = 300.0


@dataclass(slots=True)
class _Size:
    to_warm: list[int]
    warm: int = 0
    cap: int | None = None
    cap_until_s: float = 0.0


class Readiness:
    """Per input size (H, W): the batch sizes still to warm up, smallest first, and the limit that holds now.

    Batch sizes are warmed in powers of two up to ``max_batch``, and ``max_batch`` itself. Times are monotonic
    seconds, passed in.
    """

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch
        self._sizes: dict[tuple[int, int], _Size] = {}

    def begin(self, sizes: Iterable[tuple[int, int]], *, max_batch: int | None = None) -> None:
        """Start anew with these sizes and those known before: nothing is warm, nothing forbidden. ``max_batch``: most
        pictures from now on; None: as before."""
        self._max_batch = max_batch or self._max_batch
        self._sizes = {
            hw: _Size(_powers_of_two(self._max_batch)) for hw in dict.fromkeys((*sizes, *self._sizes))
        }

    def add(self, input_hw: tuple[int, int]) -> None:
        """Take up a size unless it is known."""
        self._sizes.setdefault(input_hw, _Size(_powers_of_two(self._max_batch)))

    def forget(self, input_hw: tuple[int, int]) -> None:
        """A size is not used any more."""
        self._sizes.pop(input_hw, None)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """All known sizes."""
        return tuple(self._sizes)

    @property
    def caps(self) -> tuple[tuple[tuple[int, int], int], ...]:
        """Sizes whose batches are smaller than configured for want of memory, with the limit."""
        return tuple((hw, size.cap) for hw, size in sorted(self._sizes.items()) if size.cap is not None)

    def limit(self, input_hw: tuple[int, int]) -> int:
        """Most pictures that a batch of this size may hold now; 0: none, it is not warm yet, or not known."""
        size = self._sizes.get(input_hw)
        if size is None:
            return 0
        return size.warm if size.cap is None else min(size.warm, size.cap)

    def next_to_warm(self) -> tuple[tuple[int, int], int] | None:
        """The size and batch size to warm up next, the least prepared size first; None: all are warm."""
        waiting = [(self.limit(hw), hw) for hw, size in self._sizes.items() if size.to_warm]
        if not waiting:
            return None
        _, input_hw = min(waiting)
        return input_hw, self._sizes[input_hw].to_warm[0]

    def first_to_warm(self) -> tuple[tuple[int, int], int] | None:
        """As ``next_to_warm``, of the sizes that nothing is warm of; None: every size can be looked at."""
        waiting = self.next_to_warm()
        return None if waiting is None or self.limit(waiting[0]) > 0 else waiting

    def warmed(self, input_hw: tuple[int, int], count: int) -> None:
        """A batch size is warm."""
        size = self._sizes[input_hw]
        size.to_warm = [other for other in size.to_warm if other > count]
        size.warm = max(size.warm, count)

    def cap(self, input_hw: tuple[int, int], limit: int, now_s: float) -> None:
        """Larger batches than ``limit`` do not work at this size; try again in some minutes."""
        size = self._sizes[input_hw]
        size.cap, size.cap_until_s = max(1, limit), now_s + _CAP_RETRY_S
        size.to_warm = [count for count in size.to_warm if count <= limit]

    def lift_caps(self, now_s: float) -> list[tuple[int, int]]:
        """Double the caps whose time is up; returns their sizes."""
        lifted = [
            hw for hw, size in self._sizes.items() if size.cap is not None and now_s >= size.cap_until_s
        ]
        for input_hw in lifted:
            size = self._sizes[input_hw]
            doubled = 2 * (size.cap or 1)
            size.cap = doubled if doubled < self._max_batch else None
            size.cap_until_s = now_s + _CAP_RETRY_S
            reach = size.cap or self._max_batch
            size.to_warm = [count for count in _powers_of_two(self._max_batch) if size.warm < count <= reach]
        return lifted


def _powers_of_two(max_batch: int) -> list[int]:
    counts = [1]
    while counts[-1] * 2 < max_batch:
        counts.append(counts[-1] * 2)
    return counts if max_batch == 1 else [*counts, max_batch]
