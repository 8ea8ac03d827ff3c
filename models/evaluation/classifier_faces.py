"""Labelled faces for measuring the classifier: boxes of a data set, or pictures of one face each.

Shapes: N faces.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture, Box
from models.errors import DataSetError
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import crop_faces, stack_crops, whole_picture_box
from models.mask_state.network import NOT_VISIBLE
from models.pictures import read_picture
from models.structures import Picture
from models.training.mask_state_labels import Meaning, meaning_of, meaning_of_object

#: Finds the faces of a picture: boxes (N, 4), best first.
FindFaces = Callable[[Picture], NDArray[np.float32]]

#: Crops that wait for the network at a time.
_CHUNK: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class FaceToJudge:
    """``picture``: which of the set's. ``label``: index into ``FACE_MASK_CLASSES``; ``kind``: of ``network.KINDS``, or
    -1. ``box_xyxy``: None: the picture shows this one face."""

    picture: int
    label: int
    kind: int
    box_xyxy: Box | None


@dataclass(frozen=True, slots=True, eq=False)
class JudgedSet:
    """Labelled faces and what the classifier says of them.

    - ``picture_of``, ``labels``, ``kinds``: int64 (N,), see ``FaceToJudge``. ``heights_px``: float64 (N,).
    - ``probs``: float64 (N, 3). ``kind_probs``: float64 (N, kinds), or None from weights that do not tell them.
    - ``located``: bool (N,), False where a face was looked for and not found: the whole picture was judged.
    """

    pictures: int
    picture_of: NDArray[np.int64]
    labels: NDArray[np.int64]
    kinds: NDArray[np.int64]
    heights_px: NDArray[np.float64]
    probs: NDArray[np.float64]
    kind_probs: NDArray[np.float64] | None
    located: NDArray[np.bool_]


def faces_to_judge(
    pictures: Sequence[AnnotatedPicture], classes: Mapping[str, str | None], *, origin: object
) -> list[FaceToJudge]:
    """The faces of labelled boxes and, where there are none, of the pictures' own labels.

    ``classes``: what other words mean; see ``models.training.mask_state_labels``. Raises ``DataSetError`` on words
    that mean nothing, and when nothing is left.
    """
    faces = []
    for index, picture in enumerate(pictures):
        meanings: list[tuple[Meaning | None, Box | None]] = [
            (meaning_of_object(thing, classes, origin=origin), thing.box_xyxy)
            for thing in picture.objects
            if not thing.ignored
        ]
        if not meanings and picture.image_label:
            meanings = [(meaning_of(picture.image_label, classes, origin=origin), None)]
        for meaning, box in meanings:
            if meaning is not None and meaning.label < NOT_VISIBLE:
                faces.append(FaceToJudge(index, meaning.label, meaning.kind, box))
    if not faces:
        raise DataSetError(f"{origin}: no faces with a state are labelled")
    return faces


def judge_faces(
    classifier: MaskStateClassifier,
    pictures: Sequence[AnnotatedPicture],
    faces: Sequence[FaceToJudge],
    *,
    find: FindFaces | None = None,
) -> JudgedSet:
    """Judge ``faces`` in the order of their pictures.

    - ``find``: looks for the face of pictures that show one; of several the largest is taken. Without it, or where it
      finds none, the picture is taken for the square that the classifier sees around a face.

    Raises ``PictureError`` when a picture cannot be read.
    """
    crops: list[NDArray[np.uint8]] = []
    probs: list[NDArray[Any]] = []
    kinds: list[NDArray[Any] | None] = []
    heights, located = [], []

    def judge() -> None:
        if crops:
            states = classifier.judge(stack_crops(crops, classifier.geometry))
            probs.append(states.probs)
            kinds.append(states.kinds)
            crops.clear()

    opened, shown = -1, None
    for face in faces:
        if face.picture != opened or shown is None:
            opened, shown = face.picture, read_picture(pictures[face.picture].path)
        box, found = _box_of(face, shown, classifier, find)
        crops.extend(crop_faces(shown, box[None], classifier.geometry))
        heights.append(float(box[3] - box[1]))
        located.append(found)
        if len(crops) >= _CHUNK:
            judge()
    judge()
    told = [one for one in kinds if one is not None]
    return JudgedSet(
        pictures=len(pictures),
        picture_of=np.array([face.picture for face in faces], np.int64),
        labels=np.array([face.label for face in faces], np.int64),
        kinds=np.array([face.kind for face in faces], np.int64),
        heights_px=np.array(heights, np.float64),
        probs=np.concatenate(probs).astype(np.float64),
        kind_probs=np.concatenate(told).astype(np.float64) if len(told) == len(kinds) else None,
        located=np.array(located, np.bool_),
    )


def _box_of(
    face: FaceToJudge, shown: Picture, classifier: MaskStateClassifier, find: FindFaces | None
) -> tuple[NDArray[np.float32], bool]:
    """The box to judge, and whether it is that of a face."""
    if face.box_xyxy is not None:
        return np.array(face.box_xyxy, np.float32), True
    found = find(shown) if find is not None else np.zeros((0, 4), np.float32)
    if len(found):
        areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
        return found[areas.argmax()], True
    return np.array(whole_picture_box(shown.image_hw, classifier.geometry), np.float32), find is None
