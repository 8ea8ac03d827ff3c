"""The figures of detectors as a folder that needs nothing else: a page, plots and pictures of the worst mistakes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2

from models.evaluation.cut_outs import DETECTED_RGB, LABELLED_RGB
from models.evaluation.instance_figures import MeasuredPicture, SetFigures
from models.evaluation.instance_plots import plot_confusion, plot_iou_thresholds, plot_precision_recall
from models.evaluation.instance_table import count_values, word_values
from models.evaluation.mistakes import MistakeKind, draw_mistake, worst_mistakes
from models.evaluation.pages import render_template

#: Pictures of each kind of mistake.
MISTAKES: Final = 12

_JPEG_QUALITY: Final = 88

_KINDS: Final[Mapping[MistakeKind, tuple[str, str]]] = {
    "false": (
        "Seen, but not there",
        "The false detections of the highest scores, and what is labelled there.",
    ),
    "loose": ("Found, but badly placed", "The right detections that overlap their labels least."),
    "missed": ("Missed", "The largest things that nothing found."),
}


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A detector that was measured.

    - ``digests``: of its weights, by network. ``measured``: all pictures. ``sets``: figures, the last over all.
    """

    name: str
    digests: Mapping[str, str]
    measured: Sequence[MeasuredPicture]
    sets: Sequence[SetFigures]


def write_page(folder: Path, contenders: Sequence[Contender], *, title: str, score_threshold: float) -> Path:
    """Write ``index.html`` and what it shows into ``folder`` (made when missing); returns the page.

    Raises ``ModelError`` when matplotlib is not installed (extra ``evaluate``), ``OSError`` when the folder
    cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "index.html"
    values = {
        "title": title,
        "score_threshold": score_threshold,
        "rows": _rows(contenders),
        "counts": _counts(contenders),
        "detectors": [
            _detector(folder, index, contender, score_threshold) for index, contender in enumerate(contenders)
        ],
        "colours": {"detected": _css(DETECTED_RGB), "labelled": _css(LABELLED_RGB)},
    }
    page.write_text(render_template("instances.html", values), encoding="utf-8")
    return page


def _rows(contenders: Sequence[Contender]) -> list[dict[str, Any]]:
    """Of every set and word, one row for each detector."""
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(one.name for contender in contenders for one in contender.sets):
        of_set = [
            (word.word, contender.name, word)
            for contender in contenders
            for one in contender.sets
            if one.name == name
            for word in one.words
        ]
        order = [contender.name for contender in contenders]
        of_set.sort(key=lambda row: (row[0], order.index(row[1])))
        for index, (word, detector, figures) in enumerate(of_set):
            values = word_values(figures)
            rows.append(
                {
                    "set": name,
                    "first": index == 0,
                    "word": word,
                    "detector": detector,
                    "labels": figures.labels,
                    "values": values,
                }
            )
    return rows


def _counts(contenders: Sequence[Contender]) -> list[dict[str, Any]]:
    return [
        {"set": one.name, "detector": contender.name, "values": count_values(one.counts)}
        for contender in contenders
        for one in contender.sets
        if one.words
    ]


def _detector(folder: Path, index: int, contender: Contender, score_threshold: float) -> dict[str, Any]:
    whole = contender.sets[-1]
    plots = (
        (f"{index}_precision_recall.png", "precision and recall", plot_precision_recall),
        (f"{index}_iou_thresholds.png", "average precision by IoU", plot_iou_thresholds),
    )
    for file, _, plot in plots:
        plot(whole, folder / file)
    confusion = f"{index}_confusion.png"
    plot_confusion(whole.confusion, folder / confusion)
    worst = worst_mistakes(contender.measured, score_threshold=score_threshold, count=MISTAKES)
    return {
        "name": contender.name,
        "digests": sorted(contender.digests.items()),
        "pictures": whole.pictures,
        "plots": [
            *({"file": file, "text": text} for file, text, _ in plots),
            {"file": confusion, "text": "confusion matrix"},
        ],
        "mistakes": [
            {
                "title": _KINDS[kind][0],
                "text": _KINDS[kind][1],
                "pictures": [
                    {
                        "file": _write_jpeg(folder, f"{index}_{kind}_{place:02d}.jpg", draw_mistake(mistake)),
                        "text": mistake.text,
                        "name": mistake.measured.picture.path.name,
                    }
                    for place, mistake in enumerate(worst[kind], start=1)
                ],
            }
            for kind in _KINDS
        ],
    }


def _write_jpeg(folder: Path, name: str, rgb: Any) -> str:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    (folder / name).write_bytes(encoded.tobytes())
    return name


def _css(rgb: tuple[int, int, int]) -> str:
    return "#" + "".join(f"{value:02x}" for value in rgb)
