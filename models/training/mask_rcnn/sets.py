"""Which sets a Mask R-CNN learns from, and the endless stream of batches of canvases made from them."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from models.data.readers.coco import read_coco
from models.errors import DataSetError
from models.training.mask_rcnn.canvas import Canvas
from models.training.mask_rcnn.canvases import Subject, draw_canvas
from models.training.mask_rcnn.faces_seen import SeenFace, read_faces, with_faces
from models.training.mask_rcnn.gear import Gear, cut_out_hats
from models.training.mask_rcnn.labels import Example, LabelTable
from models.training.mask_rcnn.pseudo_labels import PseudoLabelRule, completed, read_pseudo_labels
from models.training.picture_cache import PictureCache

_AHEAD: Final = 6

#: Of the groups of near duplicates, this share is held out.
HELD_OUT_ONE_IN: Final = 12


@dataclass(frozen=True, slots=True)
class CanvasSet:
    """Pictures that are drawn together.

    - ``coco_file``: relative to the data folder. ``share``: how often it is drawn, relative to the others.
    - ``sources``: of the file, only these; empty: all.
    - ``repeat_below``: pictures with a category that fewer than this part of the set's pictures show are drawn
      more often, by the root of the ratio (repeat factor sampling: Gupta et al. 2019, arXiv:1908.03195,
      appendix B), rounded; 0: all alike.
    - ``held_out``: keep one group of pictures in twelve (of one camera, or near duplicates) for choosing the
      best round.
    """

    coco_file: str
    share: float
    sources: tuple[str, ...] = ()
    repeat_below: float = 0.0
    held_out: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.repeat_below <= 1:
            raise ValueError(f"repeat_below: a part of 1, not {self.repeat_below}")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedSet:
    """The examples of a set, those held out apart."""

    share: float
    examples: tuple[Example, ...]
    held_out: tuple[Example, ...] = ()


def load_sets(
    sets: Sequence[CanvasSet],
    data: Path,
    categories: Sequence[str],
    table: LabelTable,
    *,
    pseudo_labels: Sequence[PseudoLabelRule] = (),
    faces_seen: Sequence[str] = (),
    pseudo_folder: Path = Path(),
) -> list[LoadedSet]:
    """Read the labels (not the pictures) of the COCO files in the folder ``data``.

    ``pseudo_labels`` complete what is learned from, never what is held out. ``faces_seen``: files of that
    module, which tell where face masks are, and on which faces one can be drawn. These files are relative to
    ``pseudo_folder``. Raises ``DataSetError`` when a file cannot be read or a set is empty, ``TrainingError``
    for labels that ``table`` does not know.
    """
    seen = {rule.file: read_pseudo_labels(pseudo_folder / rule.file) for rule in pseudo_labels}
    faces: dict[str, list[SeenFace]] = {}
    for file in faces_seen:
        faces |= read_faces(pseudo_folder / file)
    loaded: list[LoadedSet] = []
    for one in sets:
        kept: list[Example] = []
        held_out: list[Example] = []
        for picture in read_coco(data / one.coco_file):
            if one.sources and picture.source not in one.sources:
                continue
            example = table.example(picture, categories)
            if one.held_out and is_held_out(example):
                held_out.append(example)
                continue
            name = picture.path.relative_to(data).as_posix()
            for rule in pseudo_labels:
                example = completed(example, seen[rule.file].get(name, ()), rule, categories)
            kept.append(with_faces(example, faces.get(name, ()), categories))
        if not kept:
            raise DataSetError(f"{data / one.coco_file}: holds nothing to learn from")
        loaded.append(LoadedSet(one.share, _repeated(kept, one.repeat_below), tuple(held_out)))
    return loaded


def _repeated(examples: Sequence[Example], repeat_below: float) -> tuple[Example, ...]:
    """The examples, those of rare categories several times."""
    # what may be one of several categories counts for none
    shows = np.array(
        [(one.admissible & (one.admissible.sum(1, keepdims=True) == 1)).any(axis=0) for one in examples]
    )
    rarity = np.sqrt(repeat_below / np.maximum(shows.mean(axis=0), 1e-9))
    times = np.maximum(1, np.round((shows * rarity).max(axis=1))).astype(int)
    return tuple(one for one, count in zip(examples, times, strict=True) for _ in range(count))


def is_held_out(example: Example) -> bool:
    """Whether its group (or, where none is known, the picture itself) is of those held out."""
    key = f"{example.source}/{example.group or example.path.name}"
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


def gear_of(
    sets: Sequence[LoadedSet], categories: Sequence[str], cache: PictureCache, *, hat_chance: float
) -> Gear:
    """The hats of the sets, to be put on bare heads (``Gear.hat_chance``). Raises ``PictureError``."""
    # repeated ones give their hats once
    examples = list({id(example): example for one in sets for example in one.examples}.values())
    cutouts = cut_out_hats(examples, categories, lambda one: cache.read(one.path))
    return Gear(tuple(categories), cutouts, hat_chance)


def batches(
    sets: Sequence[LoadedSet],
    *,
    categories: Sequence[str],
    batch_size: int,
    side_px: int,
    seed: int,
    first_step: int = 0,
    workers: int = 2,
    cache: PictureCache | None = None,
    gear: Gear | None = None,
) -> Iterator[list[Canvas]]:
    """Endless lists of ``batch_size`` canvases of ``side_px`` pixels, from step ``first_step`` on.

    A batch depends on ``seed`` and its step alone: a resumed run sees what an unbroken one would have seen.
    ``workers`` threads make batches ahead, a bounded number of them. ``gear``: see ``gear_of``.
    """
    chances = np.array([one.share for one in sets], np.float64)
    chances /= chances.sum()
    pictures = cache or PictureCache()
    alike: dict[bytes, list[tuple[float, list[Example]]]] = {}
    for one in sets:
        members: dict[bytes, list[Example]] = {}
        for example in one.examples:
            members.setdefault(example.labelled.tobytes(), []).append(example)
        for key, found in members.items():
            alike.setdefault(key, []).append((one.share * len(found) / len(one.examples), found))

    def make(step: int) -> list[Canvas]:
        rng = np.random.default_rng((seed, step))

        def draw_subject(like: Example | None) -> Subject:
            if like is None:
                drawn: Sequence[Example] = sets[int(rng.choice(len(sets), p=chances))].examples
            else:
                groups = alike[like.labelled.tobytes()]
                weights = np.array([weight for weight, _ in groups])
                drawn = groups[int(rng.choice(len(groups), p=weights / weights.sum()))][1]
            example = drawn[int(rng.integers(len(drawn)))]
            return Subject(example, pictures.read(example.path))

        return [
            draw_canvas(draw_subject, rng, side_px, categories=categories, gear=gear)
            for _ in range(batch_size)
        ]

    with ThreadPoolExecutor(workers, thread_name_prefix="canvas") as pool:
        waiting: list[Future[list[Canvas]]] = [
            pool.submit(make, first_step + ahead) for ahead in range(_AHEAD)
        ]
        step = first_step
        try:
            while True:
                ready = waiting.pop(0)
                waiting.append(pool.submit(make, step + _AHEAD))
                step += 1
                yield ready.result()
        finally:
            for future in waiting:
                future.cancel()
