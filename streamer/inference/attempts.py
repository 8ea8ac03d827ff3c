"""What to do with a batch on which the models fail: retry, find the frame at fault, or give up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.detector import ModelSet, SelectiveDetector
from models.pictures import ArrayPicture
from models.structures import Detections, Picture

#: How the out-of-memory errors of TensorFlow, JAX and numpy call themselves; their classes cannot be imported
#: here.
_OUT_OF_MEMORY_NAMES: Final = ("ResourceExhaustedError", "MemoryError")
_OUT_OF_MEMORY_WORDS: Final = ("resource_exhausted", "out of memory", "unable to allocate")


@dataclass(slots=True)
class Outcome:
    """What became of a batch.

    - ``detections``: one per frame, None for a frame that got none.
    - ``errors``: what the models raised on the way, in order.
    - ``poison``: indices of frames that fail alone although the models are well.
    - ``broken``: the error that shows that the models themselves do not work any more, or None.
    - ``too_large``: the largest count that worked where a larger one did not, or None.
    - ``out_of_memory``: whether that was for want of memory.
    """

    detections: list[Detections | None]
    errors: list[Exception] = field(default_factory=list)
    poison: list[int] = field(default_factory=list)
    broken: Exception | None = None
    too_large: int | None = None
    out_of_memory: bool = False


def blank_picture(input_hw: tuple[int, int]) -> Picture:
    """A grey picture of the network's own size: working models find nothing in it and never fail on it."""
    return ArrayPicture(np.full((*input_hw, 3), 114, np.uint8))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or what caused it, says that memory ran out."""
    seen: BaseException | None = error
    while seen is not None:
        text = str(seen).lower()
        if any(base.__name__ in _OUT_OF_MEMORY_NAMES for base in type(seen).__mro__) or any(
            word in text for word in _OUT_OF_MEMORY_WORDS
        ):
            return True
        seen = seen.__cause__
    return False


def detect_all(
    detector: SelectiveDetector,
    pictures: Sequence[Picture],
    input_hw: tuple[int, int],
    models: Sequence[ModelSet] | None = None,
) -> list[Detections]:
    """One call of ``models``. Raises ``ValueError`` unless the answer holds one result per picture."""
    detections = detector.detect(pictures, input_hw, models)
    if len(detections) != len(pictures):
        raise ValueError(f"the detector returned {len(detections)} results for {len(pictures)} pictures")
    return detections


def detect_with_care(
    detector: SelectiveDetector,
    pictures: Sequence[Picture],
    input_hw: tuple[int, int],
    models: Sequence[ModelSet] | None = None,
) -> Outcome:
    """Detect in ``pictures``, each by its own ``models`` (None: by all); never raises what the detector raises.

    On failure retry once, then see whether the models or a frame are at fault. The models are at fault when they fail
    on a blank picture too. Otherwise the batch is halved until the frames that fail alone are known; when there are
    none, the batch was too large. A batch for which memory ran out is halved at once, without a retry.
    """
    outcome = Outcome(detections=[None] * len(pictures))
    whole = range(len(pictures))

    def attempt(indices: range) -> Exception | None:
        chosen = None if models is None else [models[index] for index in indices]
        try:
            found = detect_all(detector, [pictures[index] for index in indices], input_hw, chosen)
        except Exception as error:  # noqa: BLE001 - a numerical library may raise anything
            outcome.errors.append(error)
            return error
        for index, detections in zip(indices, found, strict=True):
            outcome.detections[index] = detections
        return None

    error = attempt(whole)
    if error is None:
        return outcome
    if not is_out_of_memory(error):
        error = attempt(whole)
        if error is None:
            return outcome
    if len(pictures) == 1 and is_out_of_memory(error):
        outcome.broken = error
        return outcome
    outcome.broken = _probe(detector, input_hw, outcome)
    if outcome.broken is None:
        _isolate(attempt, failed=whole, error=error, outcome=outcome)
    return outcome


def _probe(detector: SelectiveDetector, input_hw: tuple[int, int], outcome: Outcome) -> Exception | None:
    try:
        detect_all(detector, [blank_picture(input_hw)], input_hw)
    except Exception as error:  # noqa: BLE001 - as above
        outcome.errors.append(error)
        return error
    return None


def _isolate(
    attempt: Callable[[range], Exception | None], *, failed: range, error: Exception, outcome: Outcome
) -> None:
    """Halve the ``failed`` indices until each of them has its detections or is known to be poison."""
    if len(failed) == 1 and is_out_of_memory(error):
        outcome.broken = error
        return
    if len(failed) == 1:
        outcome.poison.append(failed[0])
        return
    middle = (len(failed) + 1) // 2
    poison_before = len(outcome.poison)
    for half in (failed[:middle], failed[middle:]):
        half_error = attempt(half)
        if half_error is not None:
            _isolate(attempt, failed=half, error=half_error, outcome=outcome)
    if len(outcome.poison) == poison_before or is_out_of_memory(error):
        outcome.too_large = min(middle, outcome.too_large or middle)
        outcome.out_of_memory = outcome.out_of_memory or is_out_of_memory(error)
