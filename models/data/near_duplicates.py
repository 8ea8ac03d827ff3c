"""Which pictures belong together: the same group, the same camera, or nearly the same picture.

Shapes: N pictures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError, PictureError
from models.pictures import read_picture

#: Pictures whose hashes differ in at most this many of 64 bits are one. Of 124 pairs known as duplicates this finds
#: 111; of a million others, two.
SAME_UP_TO_BITS: Final = 8

_HASH_SIDE: Final = 8
_SHRUNK_HW: Final = (128, 128)


def groups_of(pictures: Sequence[AnnotatedPicture], *, look: bool = True) -> NDArray[np.int64]:
    """The group of each picture, numbered from 0: (N,).

    Pictures are together that share a ``group`` (of one folder) or a ``camera`` (of one source), however far
    the chain is. Those that have neither are together when they look the same, upright or mirrored, unless
    ``look`` is False.

    Raises ``DataSetError`` when a picture cannot be read.
    """
    links: list[tuple[int, int]] = []
    first: dict[tuple[str, object, str], int] = {}
    for index, picture in enumerate(pictures):
        keys: list[tuple[str, object, str]] = []
        if picture.group:
            keys.append(("group", picture.path.parent, picture.group))
        if picture.camera:
            keys.append(("camera", picture.source, picture.camera))
        links += [(first.setdefault(key, index), index) for key in keys]
    unknown = [index for index, row in enumerate(pictures) if not (row.group or row.camera)]
    if look and len(unknown) > 1:
        pairs = near_duplicates([pictures[index].path for index in unknown])
        links += [(unknown[one], unknown[other]) for one, other in pairs]
    rows, columns = np.array(links, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(pictures), len(pictures)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def near_duplicates(paths: Sequence[Path]) -> list[tuple[int, int]]:
    """Pairs of pictures that look the same, upright or mirrored, by their perceptual hashes.

    The hash is that of the low frequencies (``phash`` of ImageHash). Raises ``DataSetError`` when a picture
    cannot be read, or ImageHash is not installed.
    """
    hashes = np.array(
        [
            _hashes(path)
            for path in tqdm(paths, desc="near duplicates", unit="picture", leave=False, disable=None)
        ],
        np.uint64,
    ).reshape(-1, 2)
    pairs = []
    for index in range(1, len(hashes)):
        # upright with upright or mirrored: mirrored with mirrored is the same again
        bits = np.bitwise_count(hashes[:index] ^ hashes[index, 0]).min(axis=1)
        pairs += [(int(other), index) for other in np.flatnonzero(bits <= SAME_UP_TO_BITS)]
    return pairs


def _hashes(path: Path) -> tuple[int, int]:
    """Hash of the picture and of its mirror image."""
    try:
        import imagehash  # noqa: PLC0415 - only who trains needs it
        from PIL import Image  # noqa: PLC0415
    except ImportError as error:
        raise DataSetError(
            f"near duplicates need {error.name}, which is installed with ppewatch[train]"
        ) from error
    try:
        pixels = read_picture(path).rgb(_SHRUNK_HW)
    except PictureError as error:
        raise DataSetError(str(error)) from error
    upright, mirrored = (
        int(str(imagehash.phash(Image.fromarray(np.ascontiguousarray(view)), hash_size=_HASH_SIDE)), 16)
        for view in (pixels, pixels[:, ::-1])
    )
    return upright, mirrored
