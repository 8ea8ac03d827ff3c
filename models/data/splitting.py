"""Splits labelled pictures so that each part has its share of everything, and no group is in two parts.

Shapes: N pictures, G groups, L labels.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError

#: The stratification breaks ties by chance, and knows nothing of how many objects a picture shows: of this many
#: attempts the one is taken whose parts come nearest to their shares.
_ATTEMPTS: Final = 20

_MOST_MOVES: Final = 500
_LEAST_GAIN: Final = 1e-6


def split_pictures(
    pictures: Sequence[AnnotatedPicture],
    groups: NDArray[np.int64],
    shares: Mapping[str, float],
    *,
    seed: int,
) -> dict[str, list[AnnotatedPicture]]:
    """Parts of ``pictures`` by name, each in their order, of about ``shares`` (above 0, sum 1).

    Iterative stratification (Sechidis et al. 2011) over sources, categories, labels of whole pictures and
    the sizes of the ``groups`` (N,); then single groups are moved to even out what is left. The same
    arguments give the same parts.
    Raises ``DataSetError`` when there are fewer groups than parts, or the shares are none.
    """
    if len(shares) < 2 or min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise DataSetError("shares: needs at least two parts, above 0, that together are 1")
    _, numbers = np.unique(groups, return_inverse=True)
    count = int(numbers.max(initial=-1)) + 1
    if count < len(shares):
        raise DataSetError(
            f"{len(pictures)} pictures in {count} groups cannot be split into {len(shares)} parts"
        )
    amounts = _amounts(pictures)
    per_group = np.zeros((count, amounts.shape[1]))
    np.add.at(per_group, numbers, amounts)
    labels = np.concatenate([per_group > 0, _size_classes(np.bincount(numbers))], axis=1)
    # the largest part last: it takes what the others leave
    names = sorted(shares, key=lambda name: shares[name])
    best: NDArray[np.int64] | None = None
    least = np.inf
    for random_state in np.random.SeedSequence(seed).generate_state(_ATTEMPTS):
        part_of = _stratified(labels, [shares[name] for name in names], int(random_state))
        distance = _distance(per_group, part_of, [shares[name] for name in names])
        if distance < least:
            best, least = part_of, distance
    if best is None:  # pragma: no cover - every distance is finite
        raise DataSetError("cannot be split")
    best = _evened(per_group, best, [shares[name] for name in names])
    return {
        name: [
            picture
            for picture, group in zip(pictures, numbers, strict=True)
            if names[int(best[group])] == name
        ]
        for name in shares
    }


def _amounts(pictures: Sequence[AnnotatedPicture]) -> NDArray[np.float64]:
    """What is shared out, (N, L): pictures, those of each source and whole label, objects of each category."""
    words = sorted(
        {("source", picture.source) for picture in pictures}
        | {("image", picture.image_label) for picture in pictures}
        | {("category", thing.category) for picture in pictures for thing in picture.objects}
    )
    columns = {word: index for index, word in enumerate(words, start=1)}
    amounts = np.zeros((len(pictures), 1 + len(words)))
    amounts[:, 0] = 1
    for row, picture in zip(amounts, pictures, strict=True):
        row[columns["source", picture.source]] = row[columns["image", picture.image_label]] = 1
        for thing in picture.objects:
            row[columns["category", thing.category]] += 1
    return amounts


def _size_classes(sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """One column for 1, 2 to 3, 4 to 7 ... pictures: large groups are shared out too."""
    classes = np.log2(sizes).astype(np.int64)
    return np.asarray(classes[:, None] == np.unique(classes))


def _stratified(labels: NDArray[np.bool_], shares: Sequence[float], random_state: int) -> NDArray[np.int64]:
    """The part of each group (G,): one part after the other is taken from what is left."""
    try:
        from iterstrat.ml_stratifiers import (  # noqa: PLC0415 - scikit-learn takes its time
            MultilabelStratifiedShuffleSplit,
        )
    except ImportError as error:
        raise DataSetError(
            f"splitting needs {error.name}, which is installed with ppewatch[train]"
        ) from error
    part_of = np.full(len(labels), len(shares) - 1, np.int64)
    left = np.arange(len(labels))
    for part, share in enumerate(shares[:-1]):
        wanted = round(share / sum(shares[part:]) * len(left))
        taken = min(max(wanted, 1), len(left) - (len(shares) - 1 - part))
        splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=taken, random_state=random_state)
        rest, chosen = next(splitter.split(left, labels[left]))
        part_of[left[chosen]] = part
        left = left[rest]
    return part_of


def _distance(per_group: NDArray[np.float64], part_of: NDArray[np.int64], shares: Sequence[float]) -> float:
    """How far the parts are from their shares: of pictures, and on average of everything else."""
    amounts = per_group / per_group.sum(axis=0)
    got = np.stack([amounts[part_of == part].sum(axis=0) for part in range(len(shares))])
    return float((np.abs(got - np.array(shares)[:, None]) @ _weights(per_group)).sum())


def _evened(
    per_group: NDArray[np.float64], part_of: NDArray[np.int64], shares: Sequence[float]
) -> NDArray[np.int64]:
    """``part_of`` after moving single groups, the most useful first, as long as that lowers the distance.

    The stratification counts groups; where a few are large, parts come out too large or too small.
    """
    part_of = part_of.copy()
    amounts = per_group / per_group.sum(axis=0)
    weights = _weights(per_group)
    wanted = np.array(shares)[:, None]
    for _ in range(_MOST_MOVES):
        over = np.stack([amounts[part_of == part].sum(axis=0) for part in range(len(shares))]) - wanted
        left = (np.abs(over[part_of] - amounts) - np.abs(over[part_of])) @ weights
        joined = (np.abs(over + amounts[:, None]) - np.abs(over)) @ weights
        change = left[:, None] + joined
        change[np.arange(len(part_of)), part_of] = 0
        # the last group of a part stays
        change[np.bincount(part_of, minlength=len(shares))[part_of] == 1] = 0
        group, part = np.unravel_index(change.argmin(), change.shape)
        if change[group, part] > -_LEAST_GAIN:
            break
        part_of[group] = part
    return part_of


def _weights(per_group: NDArray[np.float64]) -> NDArray[np.float64]:
    """As many pictures as wished matter as much as all the rest."""
    others = per_group.shape[1] - 1
    return np.array([1.0, *[1 / others] * others])
