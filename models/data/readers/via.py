"""Reads JSON of the VGG Image Annotator, versions 1 and 2: annotations and whole projects."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.outlines import box_around
from models.data.readers.entries import Entry, read_json
from models.data.readers.picture_files import path_inside, picture_hw

KIND: Final = "VIA file"

#: Corners of the polygon that stands for a circle or an ellipse: it covers 99.8 % of it.
CURVE_CORNERS: Final = 64

#: The attribute that names the category where several are there and none was asked for; what we write.
CATEGORY_ATTRIBUTE: Final = "category"

#: Regions of one picture with the same value here are parts of one thing; what we write.
PART_ATTRIBUTE: Final = "part_of"

IGNORED_ATTRIBUTE: Final = "ignored"


@dataclass(frozen=True, slots=True)
class _Region:
    """One region: its outline (a rectangle has none but its box) and its attributes as words."""

    entry: Entry
    corners: NDArray[np.float32]
    is_polygon: bool
    attributes: dict[str, str]


def read_via(
    path: Path,
    *,
    images: Path | None = None,
    attribute: str | None = None,
    category: str | None = None,
) -> list[AnnotatedPicture]:
    """The pictures of a VIA file; their sizes are read from the pictures, beside it or in ``images``.

    - The category of a region is its ``attribute``; by default the only attribute of the file's regions, or
      the one called ``category``. A checkbox that has several ticks names no category. ``category`` is for
      regions that have none.
    - Polygons and polylines keep their corners, circles and ellipses (``theta`` in radians) get 64, a
      rectangle is a box without polygon. Points, and what has no area, are left out.
    - The attribute ``ignored`` (1, true, yes) makes an object ignored. Regions of a picture that share a
      value of ``part_of`` are one object. ``source``, ``group``, ``camera``, ``image_label`` and ``labelled``
      (names with commas between) may stand in the attributes of the file.

    Raises ``DataSetError`` when anything in it is not so.
    """
    document = read_json(path, KIND)
    if "_via_img_metadata" in document:
        document = document.member("_via_img_metadata")
    rows = [row for _, row in document.members()]
    if not rows:
        raise document.problem("holds no pictures")
    regions = [_regions(row) for row in rows]
    chosen = attribute or _category_attribute(document, (region for row in regions for region in row))
    objects = [_objects(row, chosen, category) for row in regions]
    every = frozenset(thing.category for row in objects for thing in row)
    folder = path.parent if images is None else images
    return [
        _picture(row, folder, things, every)
        for row, things in zip(
            tqdm(rows, desc="sizes of pictures", unit="picture", leave=False, disable=None),
            objects,
            strict=True,
        )
    ]


def _picture(
    row: Entry, folder: Path, objects: tuple[AnnotatedObject, ...], every: frozenset[str]
) -> AnnotatedPicture:
    name = row.member("filename")
    origin = name.problem("cannot be used")
    file = path_inside(folder, name.text(), origin=origin)
    words = _attributes(row.member_or("file_attributes", {}))
    image_label = words.get("image_label", "")
    labelled = every if objects or not image_label else frozenset[str]()
    if "labelled" in words:
        labelled = frozenset(word.strip() for word in words["labelled"].split(",") if word.strip())
    return AnnotatedPicture(
        path=file,
        image_hw=picture_hw(file, origin=origin),
        objects=objects,
        labelled=labelled,
        source=words.get("source", ""),
        group=words.get("group", ""),
        camera=words.get("camera", ""),
        image_label=image_label,
    )


def _category_attribute(document: Entry, regions: Iterable[_Region]) -> str | None:
    ours = {IGNORED_ATTRIBUTE, PART_ATTRIBUTE}
    names = {name for region in regions for name, word in region.attributes.items() if word} - ours
    if CATEGORY_ATTRIBUTE in names:
        return CATEGORY_ATTRIBUTE
    if len(names) > 1:
        raise document.problem(f"has regions with the attributes {sorted(names)}: say which is the category")
    return names.pop() if names else None


def _regions(row: Entry) -> list[_Region]:
    regions = row.member_or("regions", [])
    # version 1 numbers them in an object, version 2 lists them
    entries = [entry for _, entry in regions.members()] if _is_object(regions) else regions.rows()
    found = []
    for entry in entries:
        outline = _outline(entry.member("shape_attributes"))
        if outline is not None and box_around([outline[0]]):
            found.append(_Region(entry, *outline, _attributes(entry.member_or("region_attributes", {}))))
    return found


def _is_object(entry: Entry) -> bool:
    return isinstance(entry.value, dict)


def _outline(shape: Entry) -> tuple[NDArray[np.float32], bool] | None:
    """Corners, float32 (P, 2), and whether they are more than those of a box; None for a point."""
    name = shape.member("name")
    match name.value:
        case "point":
            return None
        case "rect":
            x, y, width, height = _numbers(shape, "x", "y", "width", "height")
            return np.array([[x, y], [x + width, y + height]], np.float32), False
        case "circle":
            x, y, radius = _numbers(shape, "cx", "cy", "r")
            return _ellipse(x, y, radius, radius, 0.0), True
        case "ellipse":
            x, y, radius_x, radius_y = _numbers(shape, "cx", "cy", "rx", "ry")
            return _ellipse(x, y, radius_x, radius_y, shape.member_or("theta", 0.0).number()), True
        case "polygon" | "polyline":
            xs, ys = (shape.member(f"all_points_{axis}").numbers() for axis in "xy")
            if len(xs) != len(ys):
                raise shape.problem(f"has {len(xs)} x and {len(ys)} y")
            # two corners have no area, whatever their box
            return (np.stack([xs, ys], axis=1).astype(np.float32), True) if len(xs) >= 3 else None
    raise name.problem(f"should be a shape of VIA, not {name.value!r}")


def _numbers(shape: Entry, *names: str) -> list[float]:
    return [shape.member(name).number() for name in names]


def _ellipse(x: float, y: float, radius_x: float, radius_y: float, theta: float) -> NDArray[np.float32]:
    turn = np.arange(CURVE_CORNERS) * (2 * math.pi / CURVE_CORNERS)
    along, across = radius_x * np.cos(turn), radius_y * np.sin(turn)
    cosine, sine = math.cos(theta), math.sin(theta)
    return np.stack([x + along * cosine - across * sine, y + along * sine + across * cosine], axis=1).astype(
        np.float32
    )


def _attributes(entry: Entry) -> dict[str, str]:
    """Attributes as words. Of a checkbox (or radio button) it is what is ticked, with commas between."""
    words = {}
    for name, member in entry.members():
        value: Any = member.value
        if isinstance(value, dict):
            ticked = [option for option, tick in value.items() if tick in (True, "true", "1", 1)]
            words[name] = ",".join(ticked)
        elif isinstance(value, bool) or value is None:
            words[name] = "" if value is None else str(value).lower()
        else:
            words[name] = member.word().strip()
    return words


def _objects(
    regions: list[_Region], attribute: str | None, category: str | None
) -> tuple[AnnotatedObject, ...]:
    """Objects of one picture, in the order of their first regions."""
    parts: dict[tuple[str, str | int], list[_Region]] = {}
    for region in regions:
        name = _category(region, attribute, category)
        whole = region.attributes.get(PART_ATTRIBUTE) if attribute != PART_ATTRIBUTE else None
        parts.setdefault((name, whole or id(region)), []).append(region)
    return tuple(_object(name, members, attribute) for (name, _), members in parts.items())


def _category(region: _Region, attribute: str | None, category: str | None) -> str:
    word = region.attributes.get(attribute, "") if attribute else ""
    attributes = region.entry.value.get("region_attributes")
    value = attributes.get(attribute) if isinstance(attributes, dict) else None
    if isinstance(value, dict) and "," in word:
        raise region.entry.problem(f"is of several categories at once: {word}")
    if word or category:
        return word or str(category)
    raise region.entry.problem(
        f"has no {attribute!r} that names its category" if attribute else "has no attribute for its category"
    )


def _object(name: str, regions: list[_Region], attribute: str | None) -> AnnotatedObject:
    box = box_around([region.corners for region in regions])
    if box is None:
        raise regions[0].entry.problem("has no area")
    words = regions[0].attributes
    left_out = {attribute, IGNORED_ATTRIBUTE, PART_ATTRIBUTE}
    return AnnotatedObject(
        category=name,
        box_xyxy=box,
        polygons=tuple(region.corners for region in regions if region.is_polygon),
        ignored=words.get(IGNORED_ATTRIBUTE, "").lower() in ("1", "true", "yes"),
        attributes=MappingProxyType(
            {key: word for key, word in words.items() if word and key not in left_out}
        ),
    )
