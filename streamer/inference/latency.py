"""What a batch costs, learned from the batches that ran."""

from typing import Final

#: Weight of the newest measurement in the running mean: old ones fade within some ten batches.
_NEWEST_WEIGHT: Final = 0.2

#: Seconds per million input pixels assumed before anything was measured; soon replaced by measurements.
_FIRST_GUESS_S_PER_MPX: Final = 0.1


class LatencyTable:
    """Running mean of the seconds that a batch of ``count`` pictures of one input size takes.

    Counts that never ran are estimated from above: from a smaller batch in proportion to the count, from a
    larger one as its whole cost. Sizes that never ran are estimated by their number of pixels.
    """

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, int], dict[int, float]] = {}

    def observe(self, input_hw: tuple[int, int], count: int, latency_s: float) -> None:
        """Learn that a batch of ``count`` pictures took ``latency_s``."""
        measured = self._seconds.setdefault(input_hw, {})
        old = measured.get(count)
        measured[count] = latency_s if old is None else old + _NEWEST_WEIGHT * (latency_s - old)

    def forget(self) -> None:
        """Start anew, as after the models moved to another device."""
        self._seconds.clear()

    def expected_s(self, input_hw: tuple[int, int], count: int) -> float:
        """Seconds that a batch of ``count`` pictures is expected to take."""
        measured = self._seconds.get(input_hw)
        if not measured:
            return count * self._guess_s(input_hw)
        if count in measured:
            return measured[count]
        smaller = max((known for known in measured if known < count), default=None)
        larger = min((known for known in measured if known > count), default=None)
        estimates = []
        if smaller is not None:
            estimates.append(measured[smaller] * count / smaller)
        if larger is not None:
            estimates.append(measured[larger])
        return min(estimates)

    def best_cost_s(self, input_hw: tuple[int, int], limit: int) -> float:
        """Least seconds per picture that batches of up to ``limit`` pictures are expected to reach."""
        return min(self.expected_s(input_hw, count) / count for count in range(1, max(1, limit) + 1))

    def _guess_s(self, input_hw: tuple[int, int]) -> float:
        pixels = input_hw[0] * input_hw[1]
        others = [
            counts[min(counts)] / min(counts) * pixels / (hw[0] * hw[1])
            for hw, counts in self._seconds.items()
        ]
        return max(others) if others else _FIRST_GUESS_S_PER_MPX * pixels / 1e6
