"""Labelled pictures for training and measuring, whatever file they were read from.

Shapes: P corners of a polygon. Pixels are those of the picture as read (EXIF orientation applied), continuous
coordinates in which the first pixel covers 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedObject:
    """One labelled thing.

    - ``category``: the name as the source writes it.
    - ``box_xyxy``: (x1, y1, x2, y2), x1 < x2, y1 < y2; may reach beyond the picture.
    - ``polygons``: each float32 (P, 2), P >= 3; together the thing's pixels. Empty: only the box is labelled.
    - ``ignored``: neither the thing nor background: crowds, and what is too blurred to tell.
    - ``attributes``: other words of the source about it, for example ``wear``.
    """

    category: str
    box_xyxy: Box
    polygons: tuple[NDArray[np.float32], ...] = ()
    ignored: bool = False
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedPicture:
    """One picture and everything that is labelled on it.

    - ``labelled``: the categories of which every instance is labelled here. What belongs to another category
      may be there unlabelled, and is no background. Empty: the source says nothing of it.
    - ``source``: the collection. ``group``: near duplicates share one. ``camera``: as the source names it.
      Each is empty where it is not known.
    - ``image_label``: what the whole picture shows, for sets that are sorted into classes; else empty.
    """

    path: Path
    image_hw: tuple[int, int]
    objects: tuple[AnnotatedObject, ...]
    labelled: frozenset[str] = frozenset()
    source: str = ""
    group: str = ""
    camera: str = ""
    image_label: str = ""
