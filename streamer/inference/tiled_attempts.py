"""A batch of frames of which some are looked at in several views: detected with care, and put together."""

from collections.abc import Sequence

from models.detector import ModelSet, SelectiveDetector
from models.structures import Detections, Picture
from models.tiles import View, merged_look, pictures_of
from streamer.inference.attempts import Outcome, detect_with_care


def detect_views_with_care(
    detector: SelectiveDetector,
    pictures: Sequence[Picture],
    views: Sequence[Sequence[View]],
    input_hw: tuple[int, int],
    models: Sequence[ModelSet],
    *,
    at_most: int,
) -> Outcome:
    """As ``detect_with_care``, each of ``pictures`` shown in its ``views`` (at least one), at most ``at_most`` at once.

    A picture of which one view failed gets no detections. Once the models are broken, no more is tried.
    """
    shown = [one for picture, own in zip(pictures, views, strict=True) for one in pictures_of(picture, own)]
    owners = [index for index, own in enumerate(views) for _ in own]
    outcome = Outcome(detections=[None] * len(pictures))
    seen: list[Detections | None] = []
    poison: dict[int, None] = {}
    for chunk in _chunks(len(shown), at_most):
        part = detect_with_care(
            detector,
            [shown[index] for index in chunk],
            input_hw,
            [models[owners[index]] for index in chunk],
        )
        seen += part.detections
        poison |= dict.fromkeys(owners[chunk[index]] for index in part.poison)
        outcome.errors += part.errors
        if part.too_large is not None:
            outcome.too_large = min(part.too_large, outcome.too_large or part.too_large)
            outcome.out_of_memory = outcome.out_of_memory or part.out_of_memory
        if part.broken is not None:
            outcome.broken = part.broken
            break
    seen += [None] * (len(shown) - len(seen))
    outcome.poison = list(poison)
    start = 0
    for index, own in enumerate(views):
        found = [one for one in seen[start : start + len(own)] if one is not None]
        if len(found) == len(own):
            outcome.detections[index] = merged_look(own, found)
        start += len(own)
    return outcome


def _chunks(count: int, at_most: int) -> list[range]:
    """``count`` pictures in as few calls as can be, as even as can be."""
    calls = -(-count // max(1, at_most))
    return [range(count * call // calls, count * (call + 1) // calls) for call in range(calls)]
