"""Figures as one HTML page that needs nothing else: plots and pictures are part of it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from models.evaluation.tables import Table

_JPEG_QUALITY: Final = 88


@dataclass(frozen=True, slots=True, eq=False)
class GalleryPicture:
    """``rgb``: uint8 (H, W, 3). ``text``: what it shows. ``name``: of the picture that it is part of."""

    rgb: NDArray[np.uint8]
    text: str
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Pictures of one kind, the first the most telling."""

    title: str
    note: str
    pictures: tuple[GalleryPicture, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A part of a page: tables, then plots (PNG files and what they show), then galleries."""

    title: str
    note: str = ""
    tables: tuple[Table, ...] = ()
    plots: tuple[tuple[Path, str], ...] = ()
    galleries: tuple[Gallery, ...] = ()


def render_template(name: str, values: Mapping[str, Any]) -> str:
    """One of ``templates`` with ``values``, all of which it needs."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(name).render(**values)


def write_report(folder: Path, *, title: str, note: str, sections: Sequence[Section]) -> Path:
    """Write ``index.html`` into ``folder`` (made when missing) and return it. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    values = {"title": title, "note": note, "sections": [_values(section) for section in sections]}
    page.write_text(render_template("report.html", values), encoding="utf-8")
    return page


def _values(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "note": section.note,
        "tables": section.tables,
        "plots": [
            {"source": _data_uri(path.read_bytes(), "png"), "text": text} for path, text in section.plots
        ],
        "galleries": [
            {
                "title": gallery.title,
                "note": gallery.note,
                "pictures": [
                    {"source": _jpeg(picture.rgb), "text": picture.text, "name": picture.name}
                    for picture in gallery.pictures
                ],
            }
            for gallery in section.galleries
        ],
    }


def _jpeg(rgb: NDArray[np.uint8]) -> str:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return _data_uri(encoded.tobytes(), "jpeg")


def _data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
