"""Service times of batches, drawn from those that were measured."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.detector import ModelSet
from streamer.capacity.figures import BatchCost, MachineFigures


@dataclass(frozen=True, slots=True)
class BatchTime:
    """One batch: seconds by the clock while nothing else runs, and processor seconds in how many threads at once."""

    wall_s: float
    processor_s: float
    threads: float


class BatchTimes:
    """Draws the time of batches on one kind of machine. Counts between measured ones are interpolated, larger ones
    take as many batches of the largest as they need; pictures that different models see are batches of their own.
    """

    def __init__(self, figures: MachineFigures, rng: random.Random) -> None:
        self._figures = figures
        self._rng = rng
        self._known: dict[tuple[tuple[int, int], frozenset[str]], dict[int, BatchCost]] = {}
        self._means: dict[tuple[tuple[int, int], frozenset[str], int], tuple[BatchCost, float]] = {}

    def mean_s(self, input_hw: tuple[int, int], models: frozenset[str], count: int) -> float:
        """Mean seconds by the clock of ``count`` pictures that the same models see, while nothing else runs."""
        cost, scale = self._nearest(input_hw, models, count)
        return scale * self._figures.alone_ms(cost) / 1000

    def draw(self, input_hw: tuple[int, int], models: Sequence[ModelSet]) -> BatchTime:
        """The time of a batch of which each picture is seen by its own ``models``."""
        wall_s = processor_s = undisturbed_s = 0.0
        for same, count in Counter(models).items():
            cost, scale = self._nearest(input_hw, same or frozenset(), count)
            number = self._rng.randrange(len(cost.processor_ms))
            part_s = scale * cost.processor_ms[number] / 1000
            processor_s += part_s
            undisturbed_s += part_s / cost.threads
            wall_s += scale * cost.wall_ms[number % len(cost.wall_ms)] / 1000
        return BatchTime(wall_s, processor_s, max(1.0, processor_s / undisturbed_s) if processor_s else 1.0)

    def _nearest(
        self, input_hw: tuple[int, int], models: frozenset[str], count: int
    ) -> tuple[BatchCost, float]:
        """A measured batch and by how much longer one of ``count`` takes."""
        found = self._means.get((input_hw, models, count))
        if found is None:
            found = self._means[input_hw, models, count] = self._scaled(input_hw, models, count)
        return found

    def _scaled(
        self, input_hw: tuple[int, int], models: frozenset[str], count: int
    ) -> tuple[BatchCost, float]:
        known = self._measured(input_hw, models)
        if count in known:
            return known[count], 1.0
        smaller = max((one for one in known if one < count), default=None)
        larger = min((one for one in known if one > count), default=None)
        if smaller is None or larger is None:
            nearest = smaller or larger or 1
            # nothing larger was measured: in proportion; nothing smaller: it costs no more than the larger
            return known[nearest], max(1.0, count / nearest)
        low, high = known[smaller].wall_mean_ms, known[larger].wall_mean_ms
        mean_ms = low + (high - low) * (count - smaller) / (larger - smaller)
        return known[smaller], mean_ms / low

    def _measured(self, input_hw: tuple[int, int], models: frozenset[str]) -> Mapping[int, BatchCost]:
        key = input_hw, models
        if key not in self._known:
            self._known[key] = self._figures.batches_of(models, input_hw)
        return self._known[key]
