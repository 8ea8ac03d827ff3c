"""How many small far heads are found, and at what cost: input sizes, tiles, and a closer look at known heads.

The pictures are those of a data folder's ``faces/val`` and ``hard_hats/val``. Theirs are mostly 400 to 1000 pixels with
large heads, so they are shrunk and laid out as far scenes (``far_scenes``): heads of 8 to 40 pixels, and more of them
than any site shows, in a picture as large as a camera's. A shrunk picture is sharper than what a lens and a codec leave
of a head that far away, and ends abruptly at its neighbours: recall is better, and false boxes are more, than at a
site. Compare rows with each other.

Each row: the share of labelled heads that is found, by their height in the scene; boxes that are found where nothing is
labelled, or that lie badly; pictures that the networks see with one look; processor time of a look, all threads
together, as the median over the scenes after one to warm up. A head is found when a box of score 0.5 overlaps it by 0.4
or more (intersection over union): at ten pixels, one pixel too many on each side leaves 0.7.

The rows "known heads" look at the whole scene small and again at cells around heads, as ``tiles: {follow: true}`` does:
around all that are labelled, as a tracker that lost nobody would, and around those that the small look found by itself
with score 0.2, as a tracker knows at least. A view holds 15 heads at an input of 640 x 384.
"""

import itertools
import statistics
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.data.readers import read_pictures
from models.detector import Detector
from models.evaluation.matching import match
from models.evaluation.overlaps import box_overlaps
from models.letterbox import input_hw_for
from models.loading import installed_models
from models.structures import FACE_CATEGORIES, Category, Detections
from models.tiles import View, detect_views, whole_view
from rules.proportions import head_from_face
from streamer.bench.far_scenes import FarScene, far_scenes
from streamer.detector_loading import LEAST_SCORE, load_detector
from streamer.errors import StreamerError
from streamer.followed import FollowedHeads
from streamer.inference.tiling import TilePolicy, Tiling

#: Scenes are made until they show so many: a share of them is then told to two per cent or so.
ENOUGH_HEADS: Final = 500

#: What counts as found, see above.
_MIN_SCORE: Final = 0.5
_MIN_IOU: Final = 0.4
#: A box of which so much lies in one that is neither right nor wrong is neither.
_EXCUSED: Final = 0.5

#: Heights of heads in the scene between which recall is told.
_HEIGHTS_PX: Final = (8, 12, 16, 24, 64)

#: By model: the data set, what is labelled there, what is found, and whether it is a face alone.
_SETS: Final = {
    "retinaface": ("faces", frozenset(category.label for category in FACE_CATEGORIES), FACE_CATEGORIES),
    "maskrcnn": (
        "hard_hats",
        frozenset({"hard_hat", "bare_head", "unclear_head"}),
        (Category.HARD_HAT, Category.BARE_HEAD, Category.HAT),
    ),
}


@dataclass(frozen=True, slots=True)
class _Variant:
    """One way to look: ``longest_px`` of the input, and what is looked at beside the whole scene."""

    name: str
    longest_px: int
    policy: TilePolicy = field(default_factory=TilePolicy)
    #: of the heads that are followed: all that are labelled, else those that a look at the whole finds
    knows_all: bool = True


@dataclass(slots=True)
class _Count:
    """What one variant found in all scenes."""

    found: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_HEIGHTS_PX[:-1], 0))
    labelled: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_HEIGHTS_PX[:-1], 0))
    false: int = 0
    pictures: list[int] = field(default_factory=list)
    cost_ms: list[float] = field(default_factory=list)


def measure_tiles(
    data: Path,
    *,
    scene_hw: tuple[int, int] = (1080, 1920),
    models: Collection[str] | None = None,
    most_scenes: int = 24,
    seed: int = 0,
) -> dict[str, Any]:
    """Recall, false boxes and cost of each variant, by model, in far scenes: as many as show ``ENOUGH_HEADS``, at most
    ``most_scenes``.

    ``models``: None takes all that are installed. Raises ``StreamerError`` where ``data`` has no such set,
    ``DataSetError`` or ``PictureError`` where it cannot be read.
    """
    figures: dict[str, Any] = {"scenes": f"{scene_hw[1]}x{scene_hw[0]} made of small pictures, seed {seed}"}
    for name in sorted(installed_models() if models is None else models):
        folder, categories, kinds = _SETS[name]
        labels = data / folder / "val.json"
        if not labels.is_file():
            raise StreamerError(f"{labels}: no such file; --data names a folder with {folder}/val.json")
        scenes, heads = [], 0
        for scene in far_scenes(_readable(labels), categories=categories, scene_hw=scene_hw, seed=seed):
            scenes.append(scene)
            heads = sum(int((~one.ignored).sum()) for one in scenes)
            if heads >= ENOUGH_HEADS or len(scenes) == most_scenes:
                break
        figures[name] = f"{heads} heads of {folder}/val in {len(scenes)} scenes"
        detector = load_detector(models=[name], score_threshold=LEAST_SCORE)
        for variant in _variants(scene_hw):
            figures[f"{name}, {variant.name}"] = _measured(variant, scenes, detector, kinds)
    return figures


def _variants(scene_hw: tuple[int, int]) -> list[_Variant]:
    full = max(scene_hw)
    return [
        *(_Variant(f"input {px}", px) for px in (640, 960, 1280)),
        _Variant(f"input {full} (full)", full),
        *(_Variant(f"input {px}, 2x2 tiles", px, TilePolicy(columns=2, rows=2)) for px in (640, 960)),
        *(
            _Variant(
                f"input {px}, known heads{title}", px, TilePolicy(follow=True, most_heads=200), knows_all
            )
            for px in (640, 960)
            for title, knows_all in ((", all", True), (", found small", False))
        ),
    ]


def _readable(labels: Path) -> list[Any]:
    """The labelled pictures, near duplicates once."""
    seen: set[str] = set()
    chosen = []
    for picture in read_pictures(labels):
        if picture.group and picture.group in seen:
            continue
        seen.add(picture.group)
        chosen.append(picture)
    return chosen


def _measured(
    variant: _Variant, scenes: Sequence[FarScene], detector: Detector, kinds: Collection[Category]
) -> dict[str, Any]:
    count = _Count()
    input_hw = input_hw_for(scenes[0].picture.image_hw, variant.longest_px)
    detector.warm_up(input_hw, (1,))
    detector.detect([scenes[0].picture], input_hw)
    for scene in scenes:
        views = _views(variant, scene, detector, input_hw, kinds)
        started_s = time.process_time()
        (seen,) = detect_views(detector, [scene.picture], [views], input_hw, at_most=1)
        count.cost_ms.append((time.process_time() - started_s) * 1000)
        count.pictures.append(len(views))
        _tell(count, scene, seen.select(np.isin(seen.class_ids, [int(kind) for kind in kinds])))
    found, labelled = sum(count.found.values()), sum(count.labelled.values())
    return {
        "recall": round(found / max(1, labelled), 3),
        **{
            f"{low}-{high}px": round(count.found[low] / max(1, count.labelled[low]), 3)
            for low, high in itertools.pairwise(_HEIGHTS_PX)
        },
        "false": count.false,
        "pictures": round(statistics.mean(count.pictures), 1),
        "cpu_ms": round(statistics.median(count.cost_ms)),
    }


def _views(
    variant: _Variant,
    scene: FarScene,
    detector: Detector,
    input_hw: tuple[int, int],
    kinds: Collection[Category],
) -> tuple[View, ...]:
    if not variant.policy.follow:
        return Tiling(variant.policy).views(scene.picture.image_hw, input_hw)
    boxes = scene.boxes_xyxy
    if not variant.knows_all:
        whole = (whole_view(scene.picture.image_hw),)
        (seen,) = detect_views(detector, [scene.picture], [whole], input_hw)
        boxes = seen.boxes_xyxy.astype(np.float64)[np.isin(seen.class_ids, [int(kind) for kind in kinds])]
    heads = FollowedHeads()
    is_face = Category.FACE_WITH_MASK in kinds
    rows = [(float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in boxes]
    heads.boxes = {row: head_from_face(box) if is_face else box for row, box in enumerate(rows)}
    return Tiling(variant.policy, heads).views(scene.picture.image_hw, input_hw)


def _tell(count: _Count, scene: FarScene, seen: Detections) -> None:
    """Add what was ``seen`` in a scene to the count."""
    sure = seen.select(seen.scores >= _MIN_SCORE)
    boxes = sure.boxes_xyxy.astype(np.float64)
    wanted = scene.boxes_xyxy[~scene.ignored]
    matches = match(boxes, sure.scores, wanted, iou_threshold=_MIN_IOU)
    found = np.zeros(len(wanted), bool)
    found[matches.label_of[matches.label_of >= 0]] = True
    groups = np.digitize(wanted[:, 3] - wanted[:, 1], _HEIGHTS_PX[1:-1])
    for index, low in enumerate(_HEIGHTS_PX[:-1]):
        count.labelled[low] += int((groups == index).sum())
        count.found[low] += int(found[groups == index].sum())
    order = np.argsort(-sure.scores, kind="stable")
    unmatched = boxes[order][matches.label_of < 0]
    # what lies on a head that is too small or too blurred to count, or is a second box of one that was found
    excuses = scene.boxes_xyxy[scene.ignored]
    on_excuse = box_overlaps(unmatched, excuses, np.ones(len(excuses), np.bool_)).max(axis=1, initial=0.0)
    small = unmatched[:, 3] - unmatched[:, 1] < _HEIGHTS_PX[0]
    count.false += int(((on_excuse < _EXCUSED) & ~small).sum())
