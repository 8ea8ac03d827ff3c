"""What is in labelled pictures: how many of what, how large, of which shape."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from models.data.annotated import AnnotatedObject, AnnotatedPicture

#: Of sizes and aspect ratios, these are told.
PERCENTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class CategoryFigures:
    """One category in one source.

    - ``pictures``: that show it. ``objects``: all; of these, ``with_polygons`` and ``ignored``.
    - ``size_px``, ``size_relative``: percentiles of the square root of the box's area, in pixels and by the
      picture's longest side. ``aspect``: of height by width. Empty when there is no object that counts:
      ignored ones do not.
    """

    source: str
    category: str
    pictures: int
    objects: int
    with_polygons: int
    ignored: int
    size_px: tuple[float, ...]
    size_relative: tuple[float, ...]
    aspect: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One source: its pictures, and of these those without objects, without a file, and by whole label."""

    source: str
    pictures: int
    without_objects: int
    missing_files: int
    image_labels: dict[str, int]


@dataclass(frozen=True, slots=True)
class SetFigures:
    """Figures of labelled pictures, in the order of sources and categories."""

    sources: tuple[SourceFigures, ...]
    categories: tuple[CategoryFigures, ...]

    def to_mapping(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {"percentiles": list(PERCENTILES)} | asdict(self)


def figures_of(pictures: Iterable[AnnotatedPicture]) -> SetFigures:
    """Count and measure ``pictures``; looks whether their files are there, not into them."""
    by_source: dict[str, list[AnnotatedPicture]] = {}
    for picture in pictures:
        by_source.setdefault(picture.source, []).append(picture)
    return SetFigures(
        sources=tuple(_source(source, by_source[source]) for source in sorted(by_source)),
        categories=tuple(
            _category(source, category, by_source[source])
            for source in sorted(by_source)
            for category in sorted({thing.category for row in by_source[source] for thing in row.objects})
        ),
    )


def table_of(figures: SetFigures) -> str:
    """The figures as text for people, two tables with a heading each; no newline at the end."""
    rows: list[Sequence[str]] = [("source", "pictures", "empty", "no file", "labels of whole pictures")]
    for entry in figures.sources:
        labels = ", ".join(f"{name} {count}" for name, count in entry.image_labels.items())
        counts = (entry.pictures, entry.without_objects, entry.missing_files)
        rows.append((entry.source or "-", *map(str, counts), labels))
    tables = [_aligned(rows)]
    if figures.categories:
        percent = "/".join(map(str, PERCENTILES[1:4]))
        head = ("source", "category", "pictures", "objects", "polygons", "ignored")
        sizes = (f"px {percent} %", "of side", "height/width")
        tables.append(_aligned([(*head, *sizes), *map(_row, figures.categories)]))
    return "\n\n".join(tables)


def _row(entry: CategoryFigures) -> tuple[str, ...]:
    middle = slice(1, 4)
    return (
        entry.source or "-",
        entry.category,
        *map(str, (entry.pictures, entry.objects, entry.with_polygons, entry.ignored)),
        " ".join(f"{value:.0f}" for value in entry.size_px[middle]),
        " ".join(f"{value:.3f}" for value in entry.size_relative[middle]),
        " ".join(f"{value:.2f}" for value in entry.aspect[middle]),
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if cell.isdecimal() else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _source(source: str, pictures: Sequence[AnnotatedPicture]) -> SourceFigures:
    labels = sorted(picture.image_label for picture in pictures if picture.image_label)
    return SourceFigures(
        source=source,
        pictures=len(pictures),
        without_objects=sum(not picture.objects for picture in pictures),
        missing_files=sum(not picture.path.is_file() for picture in pictures),
        image_labels={label: labels.count(label) for label in dict.fromkeys(labels)},
    )


def _category(source: str, category: str, pictures: Sequence[AnnotatedPicture]) -> CategoryFigures:
    found = [
        (thing, max(picture.image_hw))
        for picture in pictures
        for thing in picture.objects
        if thing.category == category
    ]
    measured = [(_sides(thing), longest) for thing, longest in found if not thing.ignored]
    return CategoryFigures(
        source=source,
        category=category,
        pictures=sum(any(thing.category == category for thing in row.objects) for row in pictures),
        objects=len(found),
        with_polygons=sum(bool(thing.polygons) for thing, _ in found),
        ignored=sum(thing.ignored for thing, _ in found),
        size_px=_percentiles([(width * height) ** 0.5 for (width, height), _ in measured]),
        size_relative=_percentiles([(width * height) ** 0.5 / side for (width, height), side in measured]),
        aspect=_percentiles([height / width for (width, height), _ in measured]),
    )


def _sides(thing: AnnotatedObject) -> tuple[float, float]:
    x1, y1, x2, y2 = thing.box_xyxy
    return x2 - x1, y2 - y1


def _percentiles(values: Sequence[float]) -> tuple[float, ...]:
    if not values:
        return ()
    return tuple(round(float(value), 4) for value in np.percentile(values, PERCENTILES))
