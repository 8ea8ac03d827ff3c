"""Folds of a data set for cross-validation: each has its share of everything, and near duplicates stay together.

Shapes: N pictures.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.data.near_duplicates import groups_of
from models.data.splitting import split_pictures
from models.data.writers import write_coco
from models.errors import DataSetError
from models.evaluation.tables import Table

_LINK: Final = Path("pictures")


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """``train`` and ``val``: its pictures, every one with a ``group`` that it shares with its near duplicates."""

    number: int
    train: tuple[AnnotatedPicture, ...]
    val: tuple[AnnotatedPicture, ...]


def make_folds(
    pictures: Sequence[AnnotatedPicture], count: int, *, seed: int, look: bool = True
) -> list[Fold]:
    """``count`` folds, numbered from 1; each picture is validated on in exactly one.

    Iterative stratification over sources, categories and sizes of groups, see ``models.data.splitting``. ``look``:
    compare pictures whose source names no group, see ``groups_of``. The same arguments give the same folds.
    Raises ``DataSetError`` when there are fewer groups than folds.
    """
    if count < 2:
        raise DataSetError("cross-validation needs at least two folds")
    groups = groups_of(pictures, look=look)
    named = [
        replace(picture, group=f"group{group}")
        for picture, group in zip(pictures, groups.tolist(), strict=True)
    ]
    numbers = np.arange(1, count + 1).tolist()
    parts = split_pictures(named, groups, {str(number): 1 / count for number in numbers}, seed=seed)
    return [
        Fold(
            number,
            tuple(picture for other in numbers if other != number for picture in parts[str(other)]),
            tuple(parts[str(number)]),
        )
        for number in numbers
    ]


def write_fold(fold: Fold, folder: Path) -> tuple[Path, Path]:
    """``train.json`` and ``val.json`` in ``folder`` (made when missing), and a link to the folder of the pictures: sets
    hold their pictures. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = [os.path.abspath(picture.path) for picture in (*fold.train, *fold.val)]
    shared = os.path.commonpath([os.path.dirname(path) for path in everything])
    link = folder / _LINK
    link.unlink(missing_ok=True)
    link.symlink_to(shared, target_is_directory=True)
    files = folder / "train.json", folder / "val.json"
    for file, pictures in zip(files, (fold.train, fold.val), strict=True):
        paths = [Path(os.path.relpath(os.path.abspath(picture.path), shared)) for picture in pictures]
        write_coco(pictures, [(_LINK / path).as_posix() for path in paths], file)
    return files


def folds_table(folds: Sequence[Fold]) -> Table:
    """What each fold validates on: pictures, groups, objects of each category, pictures of each source."""
    counts = [_counts(fold.val) for fold in folds]
    words = sorted({word for one in counts for word in one})
    rows = [
        *(
            (
                f"fold {fold.number}",
                str(len(fold.val)),
                str(len({picture.group for picture in fold.val})),
                *(str(one[word]) for word in words),
            )
            for fold, one in zip(folds, counts, strict=True)
        ),
        (
            "all",
            str(sum(len(fold.val) for fold in folds)),
            str(len({picture.group for fold in folds for picture in fold.val})),
            *(str(sum(one[word] for one in counts)) for word in words),
        ),
        ("largest / mean", *(_spread(values) for values in _columns(folds, counts, words))),
    ]
    return Table(
        title="Folds: what each is validated on",
        head=("fold", "pictures", "groups", *(f"{kind} {name}".strip() for kind, name in words)),
        rows=tuple(rows),
    )


def _counts(pictures: Sequence[AnnotatedPicture]) -> Counter[tuple[str, str]]:
    counts = Counter(("", thing.category) for picture in pictures for thing in picture.objects)
    counts.update(("from", picture.source) for picture in pictures if picture.source)
    return counts


def _columns(
    folds: Sequence[Fold], counts: Sequence[Counter[tuple[str, str]]], words: Sequence[tuple[str, str]]
) -> list[NDArray[np.float64]]:
    return [
        np.array([len(fold.val) for fold in folds], np.float64),
        np.array([len({picture.group for picture in fold.val}) for fold in folds], np.float64),
        *(np.array([one[word] for one in counts], np.float64) for word in words),
    ]


def _spread(values: NDArray[np.float64]) -> str:
    return f"{values.max() / max(values.mean(), 1e-9):.2f}"
