"""Everything in the collection of ``mask_state_examples`` that ppewatch's own mask-state weights learn from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.data.annotated import AnnotatedPicture
from models.data.near_duplicates import groups_of
from models.data.readers import read_coco
from models.mask_state.calibration import MaskStates
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import CropGeometry
from models.training import mask_state_examples as sources
from models.training import mask_state_negatives as negatives
from models.training.mask_state_augmentation import plain_crops
from models.training.mask_state_cache import build_cache
from models.training.mask_state_drawn_faces import drawn_on
from models.training.mask_state_examples import FaceExample, LocatedFaces
from models.training.mask_state_labels import WITH_MASK
from models.training.mask_state_located import ToLocate
from models.training.mask_state_split import HELD_OUT_SHARE, face_crops_parts, held_out_pictures

# Longest side at which the detector looks, by folder and source: small heads must be told from no heads.
_LONGEST_PX: Final = {
    ("heads", "scutB"): 1280,
    ("hard_hats", "sfchd"): 1920,
    ("hard_hats", "shwd"): 640,
    ("hard_hats", "site"): 640,
    ("hard_hats", "kagglehats"): 640,
    ("hard_hats", "hhw"): 640,
}
_HAT_SOURCES: Final = ("shwd", "site", "kagglehats", "hhw")
_SEED: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class CloseUps:
    """Pictures of one face each: of ``face_crops`` those that are learned from and those kept to measure by, of
    ``mask_kinds`` those of either split. ``held_out``: files of ``kinds`` that choose the best round."""

    crops: Sequence[AnnotatedPicture]
    measured_crops: Sequence[AnnotatedPicture]
    kinds: Sequence[AnnotatedPicture]
    measured_kinds: Sequence[AnnotatedPicture]
    held_out: frozenset[Path]


def read_close_ups(data: Path) -> CloseUps:
    """Read and split them. Pictures of ``mask_kinds`` that look like one of the face crops to measure by are left
    out. Raises ``DataSetError``."""
    crops, measured = face_crops_parts(data)
    kinds = read_coco(data / "mask_kinds" / "train.json")
    groups = groups_of([*measured, *kinds]).tolist()
    taken = set(groups[: len(measured)])
    kinds = [
        picture for picture, group in zip(kinds, groups[len(measured) :], strict=True) if group not in taken
    ]
    chosen = held_out_pictures(kinds, data / "mask_kinds", share=HELD_OUT_SHARE, seed=_SEED)
    return CloseUps(
        crops=crops,
        measured_crops=measured,
        kinds=kinds,
        measured_kinds=read_coco(data / "mask_kinds" / "val.json"),
        held_out=frozenset(
            picture.path for picture, is_chosen in zip(kinds, chosen, strict=True) if is_chosen
        ),
    )


def to_locate(data: Path, close_ups: CloseUps) -> dict[str, ToLocate]:
    """In which pictures the face detector must look. Raises ``DataSetError``."""
    wanted = {
        sources.located_key(data, picture): ToLocate(picture.path)
        for pictures in (
            close_ups.crops,
            close_ups.measured_crops,
            close_ups.kinds,
            close_ups.measured_kinds,
        )
        for picture in pictures
    }
    for folder in dict.fromkeys(folder for folder, _ in _LONGEST_PX):
        for picture in read_coco(data / folder / "train.json"):
            longest_px = _LONGEST_PX.get((folder, picture.source))
            if longest_px is not None:
                wanted[sources.located_key(data, picture)] = ToLocate(picture.path, longest_px)
    return wanted


def collection_examples(
    data: Path,
    close_ups: CloseUps,
    located: LocatedFaces,
    *,
    geometry: CropGeometry,
    earlier: Path | None,
    drawn: tuple[float, float, float],
) -> list[FaceExample]:
    """Everything to learn from, the held-out split included.

    ``earlier``: weights of an earlier classifier, which tells helmeted faces that are unmasked and heads that
    are turned away; without it these are not used. ``drawn``: shares ``worn``, ``wrong`` and ``lookalikes`` of
    ``drawn_on``. Raises ``DataSetError``, ``WeightsError``.
    """
    unmasked, turned = sources.landmark_faces(data), []
    if earlier is not None:
        judge = _Judge(MaskStateClassifier(earlier), lowered=geometry.lowered)
        unmasked += _unmasked_only(sources.helmeted_faces(data, located, sources=_HAT_SOURCES), judge)
        turned = _turned_only(negatives.found_on_heads(data, "heads", located, sources=("scutB",)), judge)
    crops, kinds = (
        sources.image_level_faces(pictures, data / name, located, name=name, geometry=geometry)
        for name, pictures in (("face_crops", close_ups.crops), ("mask_kinds", close_ups.kinds))
    )
    worn, wrong, lookalikes = drawn
    return [
        *sources.labelled_faces(data, "train"),
        *crops,
        *(replace(example, held_out=example.file in close_ups.held_out) for example in kinds),
        *sources.close_ups(data),
        *unmasked,
        *drawn_on(unmasked, seed=_SEED, worn=worn, wrong=wrong, lookalikes=lookalikes),
        *turned,
        *_not_visible(data, located),
    ]


def measured_examples(
    data: Path, close_ups: CloseUps, located: LocatedFaces, *, geometry: CropGeometry
) -> list[FaceExample]:
    """What is looked at and never chosen by: ``val`` of ``faces`` and ``mask_kinds``, a tenth of ``face_crops``."""
    close = (
        ("face_crops", close_ups.measured_crops),
        ("mask_kinds", close_ups.measured_kinds),
    )
    return [
        *sources.labelled_faces(data, "val"),
        *(
            example
            for name, pictures in close
            for example in sources.image_level_faces(
                pictures, data / name, located, name=name, geometry=geometry, measured=True
            )
        ),
    ]


def _not_visible(data: Path, located: LocatedFaces) -> list[FaceExample]:
    """Backs of heads, what detectors take for faces, and background."""
    hats, plant = _HAT_SOURCES, ("sfchd",)
    return [
        *negatives.faceless_heads(data, "heads", located, sources=("scutB",), min_head_px=22),
        *negatives.faceless_heads(data, "hard_hats", located, sources=hats, min_head_px=22),
        *negatives.faceless_heads(data, "hard_hats", located, sources=plant, min_head_px=14),
        *negatives.false_alarms(data, "heads", located, sources=("scutB",), scores=(0.1, 1.0)),
        *negatives.false_alarms(data, "hard_hats", located, sources=plant, scores=(0.1, 1.0)),
        *negatives.false_alarms(data, "hard_hats", located, sources=hats, scores=(0.1, 0.3)),
        *negatives.backgrounds(data, "hard_hats", per_image=2, seed=_SEED, sources=(*plant, *hats)),
        *negatives.backgrounds(
            data, "persons", per_image=4, seed=_SEED, sources=("coco128", "coco_mini", "clinic")
        ),
        *negatives.backgrounds(data, "faces", per_image=1, seed=_SEED, sources=("obiot3", "kaggle853")),
    ]


class _Judge:
    """An earlier classifier on boxes that a later detector draws: its crops reach as far below the faces as those of
    the recipe do (``lowered``), or boxes of another habit would show it other crops than it was trained on."""

    def __init__(self, classifier: MaskStateClassifier, *, lowered: float) -> None:
        self.classifier = classifier
        self.geometry = replace(classifier.geometry, lowered=lowered)


def _unmasked_only(faces: list[FaceExample], judge: _Judge) -> list[FaceExample]:
    """Those of ``faces`` that ``judge`` does not take for masked or for no face."""
    states, order = _judged(faces, judge)
    kept = (states.probs[:, WITH_MASK] < 0.5) & (states.visibility >= 0.5)
    return [faces[i] for i, keep in zip(order, kept, strict=True) if keep]


def _turned_only(pairs: list[tuple[FaceExample, FaceExample]], judge: _Judge) -> list[FaceExample]:
    """The found boxes of ``pairs`` of which ``judge`` says that the whole head is turned away."""
    states, order = _judged([head for head, _ in pairs], judge)
    return [pairs[i][1] for i, visible in zip(order, states.visibility, strict=True) if visible < 0.1]


def _judged(faces: list[FaceExample], judge: _Judge) -> tuple[MaskStates, list[int]]:
    """What ``judge`` says, and of which of ``faces``: a cache is sorted by file."""
    order = sorted(range(len(faces)), key=lambda i: str(faces[i].file))
    cache = build_cache([faces[i] for i in order], title="for the earlier classifier")
    return judge.classifier.judge(plain_crops(cache, judge.geometry, range(len(cache)))), order
