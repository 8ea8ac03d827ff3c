"""What a batch costs, learned from the batches that ran."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from models.detector import ModelSet

#: Weight of the newest measurement in the running mean: old ones fade within some ten batches.
_NEWEST_WEIGHT: Final = 0.2

#: Seconds per million input pixels assumed before anything was measured; soon replaced by measurements.
_FIRST_GUESS_S_PER_MPX: Final = 0.1

#: How many pictures of a batch each set of models looks at.
_Mix = frozenset[tuple[ModelSet, int]]


class LatencyTable:
    """Running mean of the seconds that a batch takes: ``count`` pictures of one input size, seen by the same models.

    Counts that never ran are estimated from above: from a smaller batch in proportion to the count, from a
    larger one as its whole cost. Models that never ran at a size are taken for as slow as more models there; sizes
    that never ran are estimated by their number of pixels. Batches in which different models look at different
    pictures are learned as they are; one that never ran costs at most its parts, each for itself.
    """

    def __init__(self) -> None:
        self._seconds: dict[tuple[tuple[int, int], ModelSet], dict[int, float]] = {}
        self._mixed: dict[tuple[tuple[int, int], _Mix], float] = {}

    def observe(
        self, input_hw: tuple[int, int], count: int, latency_s: float, models: ModelSet = None
    ) -> None:
        """Learn that a batch of ``count`` pictures, seen by ``models``, took ``latency_s``."""
        measured = self._seconds.setdefault((input_hw, models), {})
        measured[count] = _mean(measured.get(count), latency_s)

    def observe_batch(self, input_hw: tuple[int, int], models: Iterable[ModelSet], latency_s: float) -> None:
        """Learn what a batch took of which each picture was seen by its own ``models``."""
        counts = Counter(models)
        if len(counts) == 1:
            ((same, count),) = counts.items()
            self.observe(input_hw, count, latency_s, same)
        else:
            mix = frozenset(counts.items())
            self._mixed[input_hw, mix] = _mean(self._mixed.get((input_hw, mix)), latency_s)

    def forget(self) -> None:
        """Start anew, as after the models moved to another device."""
        self._seconds.clear()
        self._mixed.clear()

    def expected_s(self, input_hw: tuple[int, int], count: int, models: ModelSet = None) -> float:
        """Seconds that a batch of ``count`` pictures, seen by ``models``, is expected to take."""
        measured = self._measured(input_hw, models)
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

    def expected_batch_s(self, input_hw: tuple[int, int], models: Iterable[ModelSet]) -> float:
        """Seconds that a batch is expected to take of which each picture is seen by its own ``models``."""
        counts = Counter(models)
        known = self._mixed.get((input_hw, frozenset(counts.items())))
        if known is not None:
            return known
        return sum(self.expected_s(input_hw, count, same) for same, count in counts.items())

    def best_cost_s(self, input_hw: tuple[int, int], limit: int, models: ModelSet = None) -> float:
        """Least seconds per picture that batches of up to ``limit`` pictures are expected to reach."""
        return min(self.expected_s(input_hw, count, models) / count for count in range(1, max(1, limit) + 1))

    def _measured(self, input_hw: tuple[int, int], models: ModelSet) -> dict[int, float]:
        """The batches of ``models`` at this size, or of the fewest models that hold them all."""
        own = self._seconds.get((input_hw, models))
        if own:
            return own
        more = [
            (len(others), counts)
            for (hw, others), counts in self._seconds.items()
            if hw == input_hw and others is not None and models is not None and others >= models
        ]
        if more:
            return min(more, key=lambda pair: pair[0])[1]
        return self._seconds.get((input_hw, None), {})

    def _guess_s(self, input_hw: tuple[int, int]) -> float:
        pixels = input_hw[0] * input_hw[1]
        others = [
            counts[min(counts)] / min(counts) * pixels / (hw[0] * hw[1])
            for (hw, _), counts in self._seconds.items()
        ]
        return max(others) if others else _FIRST_GUESS_S_PER_MPX * pixels / 1e6


def _mean(old: float | None, newest: float) -> float:
    return newest if old is None else old + _NEWEST_WEIGHT * (newest - old)
