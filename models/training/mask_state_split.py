"""Which pictures a classifier never learns from: whole groups of near duplicates, about a share of each label.

Nothing here depends on the versions of libraries but the perceptual hash, so that a figure measured on a part
can be measured again.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.data.near_duplicates import groups_of
from models.data.readers import read_coco

#: Of the faces that choose the best round, and of those kept to measure by.
HELD_OUT_SHARE: Final = 0.1

_FACE_CROPS_SEED: Final = 1


def held_out(
    names: Sequence[str],
    labels: Sequence[str],
    groups: NDArray[np.integer[Any]],
    *,
    share: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Which of N pictures are held out: (N,).

    Groups go whole, in an order that hashes of their ``names`` and ``seed`` give, until ``share`` of each label's
    pictures is reached; a group has the label of its first name. Of a label with more than one group, one at
    least is held out and one is not.
    """
    members: dict[int, list[int]] = {}
    for index in sorted(range(len(names)), key=lambda i: names[i]):
        members.setdefault(int(groups[index]), []).append(index)
    of_label: dict[str, list[list[int]]] = {}
    for group in members.values():
        of_label.setdefault(labels[group[0]], []).append(group)
    chosen = np.zeros(len(names), np.bool_)
    for of_one in of_label.values():
        wanted, taken = share * sum(map(len, of_one)), 0
        for group in sorted(of_one, key=lambda group: _hash(f"{seed}:{names[group[0]]}"))[:-1]:
            if share > 0 and (taken == 0 or taken + len(group) / 2 <= wanted):
                chosen[group] = True
                taken += len(group)
    return chosen


def held_out_pictures(
    pictures: Sequence[AnnotatedPicture], folder: Path, *, share: float, seed: int
) -> NDArray[np.bool_]:
    """``held_out`` of pictures below ``folder`` by their paths, ``image_label`` and near duplicates."""
    names = [picture.path.relative_to(folder).as_posix() for picture in pictures]
    labels = [picture.image_label for picture in pictures]
    return held_out(names, labels, groups_of(pictures), share=share, seed=seed)


def face_crops_parts(data: Path) -> tuple[list[AnnotatedPicture], list[AnnotatedPicture]]:
    """``face_crops`` of the collection in ``data``: what is learned from, and the tenth to measure by.

    Raises ``DataSetError`` when it is missing, or a picture cannot be read.
    """
    pictures = read_coco(data / "face_crops" / "train.json")
    kept = held_out_pictures(
        pictures, data / "face_crops", share=HELD_OUT_SHARE, seed=_FACE_CROPS_SEED
    ).tolist()
    return (
        [picture for picture, is_kept in zip(pictures, kept, strict=True) if not is_kept],
        [picture for picture, is_kept in zip(pictures, kept, strict=True) if is_kept],
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
