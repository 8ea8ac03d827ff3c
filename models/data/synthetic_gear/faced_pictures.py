"""Pictures of bare faces and heads: where a labels file, or a face detector, says that they are.

Shapes: F faces.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.data.annotated import AnnotatedPicture, Box
from models.data.readers import detect_format
from models.data.readers.entries import read_json
from models.data.readers.picture_files import path_inside, picture_hw, pictures_below
from models.pictures import read_picture
from models.structures import Picture

#: Landmarks (F, 5, 2) of the faces in a picture.
FaceFinder = Callable[[Picture], NDArray[np.floating[Any]]]

#: What of a labels file is no bare head.
GEAR_CATEGORIES: Final = frozenset(
    {"face_mask", "face_with_mask", "face_mask_incorrect", "hard_hat", "hat", "mask", "helmet"}
)
_KIND: Final = "COCO file"


@dataclass(frozen=True, slots=True, eq=False)
class FacedPicture:
    """A picture, the landmarks (F, 5, 2) of its bare faces, and boxes of heads of which no face is seen."""

    picture: AnnotatedPicture
    landmarks_xy: NDArray[np.float64]
    heads_xyxy: tuple[Box, ...] = ()


def labelled_landmarks(file: Path, *, images: Path | None = None) -> dict[Path, list[NDArray[np.float64]]]:
    """Of each picture of a COCO file, the faces (5, 2) of which five keypoints are labelled.

    Raises ``DataSetError`` when the file is damaged.
    """
    document = read_json(file, _KIND)
    folder = images or file.parent
    paths: dict[int | str, Path] = {}
    for row in document.member("images").rows():
        name = row.member("file_name")
        paths[row.member("id").key()] = path_inside(
            folder, name.text(), origin=name.problem("cannot be used")
        )
    faces: dict[Path, list[NDArray[np.float64]]] = {}
    for row in document.member_or("annotations", []).rows():
        points = row.member_or("keypoints", []).numbers()
        reference = row.member("image_id")
        if reference.key() not in paths:
            raise reference.problem("is no image of this file")
        if points.shape == (15,) and (points.reshape(5, 3)[:, 2] > 0).all():
            faces.setdefault(paths[reference.key()], []).append(
                _viewers_left_first(points.reshape(5, 3)[:, :2])
            )
    return faces


def plain_pictures(folder: Path) -> list[AnnotatedPicture]:
    """The picture files below a folder, nothing labelled. Raises ``DataSetError`` for one that cannot be read."""
    return [AnnotatedPicture(file, picture_hw(file, origin=folder), ()) for file in pictures_below(folder)]


def with_faces(
    pictures: Iterable[AnnotatedPicture],
    labelled: dict[Path, list[NDArray[np.float64]]],
    *,
    find: FaceFinder | None = None,
    head_categories: Collection[str] = (),
) -> list[FacedPicture]:
    """The faces of each picture: those that are ``labelled``, else those that ``find`` finds, without what wears
    gear already. Boxes of ``head_categories`` in which no face is seen are heads from behind.

    Raises ``PictureError`` when a picture cannot be read.
    """
    faced = []
    for picture in tqdm(list(pictures), desc="faces", unit="picture", leave=False, disable=None):
        faces: Sequence[NDArray[Any]] = labelled.get(picture.path, [])
        if not faces and find is not None:
            faces = list(find(read_picture(picture.path)))
        worn = [thing.box_xyxy for thing in picture.objects if thing.category in GEAR_CATEGORIES]
        bare = [np.asarray(face, np.float64) for face in faces if not _lies_in(face, worn)]
        heads = [thing.box_xyxy for thing in picture.objects if thing.category in head_categories]
        turned = [head for head in heads if not any(_lies_in(face, [head]) for face in faces)]
        landmarks = np.array(bare, np.float64).reshape(-1, 5, 2)
        faced.append(FacedPicture(picture, landmarks, tuple(turned)))
    return faced


def read_bare_faces(
    files: Iterable[Path],
    pictures: Sequence[AnnotatedPicture],
    *,
    images: Path | None = None,
    heads: Collection[str] = (),
    weights: Path | None = None,
) -> list[FacedPicture]:
    """The bare faces of ``pictures``, which were read from ``files``: those with five keypoints, where the COCO files
    among them have any, else those that RetinaFace finds, with ``weights`` or the shipped ones. See ``with_faces``.

    Raises ``DataSetError``, ``PictureError``, ``WeightsError``; the last only where a face has to be found.
    """
    labelled: dict[Path, list[NDArray[np.float64]]] = {}
    for file in files:
        if file.suffix.lower() == ".json" and detect_format(file) == "coco":
            labelled |= labelled_landmarks(file, images=images)
    find: FaceFinder | None = None
    if any(picture.path not in labelled for picture in pictures):
        from models.data.synthetic_gear.found_faces import face_finder  # noqa: PLC0415 - loads TensorFlow

        find = face_finder(weights)
    return with_faces(pictures, labelled, find=find, head_categories=heads)


def _lies_in(face: NDArray[Any], boxes: Sequence[Box]) -> bool:
    """Whether a face's middle, or the crown of its head, is in one of ``boxes``."""
    middle = face.mean(axis=0)
    crown = face[:2].mean(axis=0) * 2 - middle
    return any(
        x1 <= x <= x2 and y1 <= y <= y2
        for x1, y1, x2, y2 in boxes
        for x, y in (middle.tolist(), crown.tolist())
    )


def _viewers_left_first(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some files name a person's own left eye first, which the viewer sees on the right."""
    return points if points[0, 0] <= points[1, 0] else points[[1, 0, 2, 4, 3]]
