"""Figures of a face detector on a set of pictures, whatever the faces wear.

Shapes: P pictures, L labelled faces of all pictures.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedPicture
from models.evaluation.bootstrap import Interval, bootstrap_intervals
from models.evaluation.coco_precision import IOU_THRESHOLDS
from models.evaluation.face_labels import (
    AWAY_BELOW_IOU,
    UNKNOWN_STATE,
    FaceLabels,
    match_faces,
)
from models.evaluation.heights import HEIGHT_GROUPS, height_groups
from models.evaluation.instances import clipped
from models.evaluation.landmarks import LandmarkFigures
from models.evaluation.pipeline_precision import (
    StatePrecision,
    finite,
    match_for_precision,
    precision_of,
)
from models.evaluation.tables import Table, number
from models.retinaface.faces import Faces
from models.structures import FACE_MASK_CLASSES


@dataclass(frozen=True, slots=True, eq=False)
class SeenFaces:
    """A picture, its labels, the faces of all scores that were found there, and how large the network saw it."""

    picture: AnnotatedPicture
    labels: FaceLabels
    faces: Faces
    input_scale: float


@dataclass(frozen=True, slots=True, eq=False)
class FaceDetectorFigures:
    """How good a detector is at one input size.

    - ``input_size_px``: None: by the picture's size, as the product does.
    - ``recall``: share of labelled faces found at IoU 0.5 with at least ``score_threshold``; ``recall_any``: at any
      score. ``false_faces``, ``away_faces``: per picture, see ``pipeline_faces``.
    - ``precision``: average precision. ``recall_by``: by wear and by height in the picture and at the input.
    - ``intervals``: of ``AP50``, ``AP``, ``recall``. ``landmarks``: None where not measured.
    """

    name: str
    digest: str
    pictures: int
    labelled: int
    input_size_px: int | None
    score_threshold: float
    least_height_px: float
    recall: float | None
    recall_any: float | None
    false_faces: float
    away_faces: float
    precision: StatePrecision
    recall_by: dict[str, float]
    intervals: dict[str, Interval]
    landmarks: LandmarkFigures | None = None

    def to_mapping(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            "name": self.name,
            "digest": self.digest,
            "pictures": self.pictures,
            "labelled": self.labelled,
            "input_size_px": self.input_size_px,
            "score_threshold": self.score_threshold,
            "least_height_px": self.least_height_px,
            "figures": {
                "AP50": self.precision.ap50,
                "AP": self.precision.ap,
                "recall": self.recall,
                "recall at any score": self.recall_any,
                "false per picture": self.false_faces,
                "away per picture": self.away_faces,
            },
            "intervals": {name: asdict(interval) for name, interval in self.intervals.items()},
            "iou_thresholds": IOU_THRESHOLDS.tolist(),
            "average_precision": [finite(value) for value in self.precision.by_threshold],
            "recall_by": self.recall_by,
            "landmarks": asdict(self.landmarks) if self.landmarks else None,
        }


def face_detector_figures(
    name: str,
    pictures: Sequence[SeenFaces],
    *,
    digest: str,
    input_size_px: int | None,
    score_threshold: float,
    samples: int,
    seed: int,
    landmarks: LandmarkFigures | None = None,
) -> FaceDetectorFigures:
    """The figures over ``pictures``, at least one; intervals from ``samples`` of the bootstrap."""
    found: list[NDArray[np.bool_]] = []
    kinds: list[list[str]] = []
    false = away = 0
    for seen in pictures:
        certain = seen.faces.select(seen.faces.scores >= score_threshold)
        boxes = clipped(certain.boxes_xyxy, seen.picture.image_hw)
        matches = match_faces(boxes, certain.scores, seen.labels)
        wrong = (matches.label_of < 0) & ~matches.excused
        false += int(wrong.sum())
        away += int((wrong & (matches.best_iou < AWAY_BELOW_IOU)).sum())
        found.append(matches.found_by[~seen.labels.ignored] >= 0)
        kinds += _kinds(seen)
    everything = np.concatenate(found)
    picture_of = np.repeat(np.arange(len(pictures)), [len(one) for one in found])
    precision = precision_of(
        [
            match_for_precision(
                clipped(seen.faces.boxes_xyxy, seen.picture.image_hw), seen.faces.scores, seen.labels
            )
            for seen in pictures
        ]
    )

    def sample(weights: NDArray[np.float64]) -> dict[str, float | None]:
        by_threshold = precision.samples.by_threshold(weights)
        counts = weights[picture_of]
        return {
            "AP50": finite(by_threshold[0]),
            "AP": finite(by_threshold.mean()),
            "recall": float(counts[everything].sum() / counts.sum()) if counts.sum() else None,
        }

    return FaceDetectorFigures(
        name=name,
        digest=digest,
        pictures=len(pictures),
        labelled=len(everything),
        input_size_px=input_size_px,
        score_threshold=score_threshold,
        least_height_px=pictures[0].labels.least_height_px,
        recall=float(everything.mean()) if len(everything) else None,
        recall_any=finite(precision.curves.recall[0, 0]),
        false_faces=false / len(pictures),
        away_faces=away / len(pictures),
        precision=precision,
        recall_by=_shares(kinds, everything),
        intervals=bootstrap_intervals(sample, len(pictures), samples=samples, seed=seed),
        landmarks=landmarks,
    )


def detector_tables(many: Sequence[FaceDetectorFigures]) -> list[Table]:
    """Everything, detectors and input sizes below each other."""
    least = many[0].least_height_px
    title = (
        f"Faces found (score {many[0].score_threshold} and more{f'; {least:g} px and more' if least else ''})"
    )
    figures = Table(
        title=title,
        head=(
            "detector",
            "input",
            "labelled",
            "AP50",
            "AP",
            "recall",
            "at any score",
            "false/picture",
            "below IoU 0.3",
            "landmark error",
            "median",
            "faces seen",
        ),
        rows=tuple(
            (
                *_label_of(one),
                str(one.labelled),
                _with_interval(one.precision.ap50, one.intervals.get("AP50")),
                _with_interval(one.precision.ap, one.intervals.get("AP")),
                _with_interval(one.recall, one.intervals.get("recall")),
                number(one.recall_any),
                f"{one.false_faces:.2f}",
                f"{one.away_faces:.2f}",
                *_landmarks(one.landmarks),
            )
            for one in many
        ),
        names=2,
        note="AP as COCO counts it, at IoU 0.5 and the mean over 0.5 to 0.95; recall at IoU 0.5. Landmark error: mean "
        "distance of five points over the distance between the eyes. In brackets: 95 % intervals over pictures.",
    )
    curve = Table(
        title="Average precision over the IoU that a detection must reach",
        head=("detector", "input", *(f"{value:.2f}" for value in IOU_THRESHOLDS)),
        rows=tuple(
            (*_label_of(one), *(number(finite(value)) for value in one.precision.by_threshold))
            for one in many
        ),
        names=2,
    )
    groups = list(dict.fromkeys(group for one in many for group in one.recall_by))
    recalls = Table(
        title="Recall by wear and by height",
        head=("faces", *(" ".join(_label_of(one)) for one in many)),
        rows=tuple((group, *(number(one.recall_by.get(group)) for one in many)) for group in groups),
    )
    return [figures, curve, recalls]


def _label_of(figures: FaceDetectorFigures) -> tuple[str, str]:
    return figures.name, str(figures.input_size_px or "product's")


def _landmarks(figures: LandmarkFigures | None) -> tuple[str, str, str]:
    if figures is None:
        return number(None), number(None), number(None)
    return number(figures.mean_error), number(figures.median_error), number(figures.found)


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None or interval is None:
        return number(value)
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _kinds(seen: SeenFaces) -> list[list[str]]:
    """The groups to which each labelled face that counts belongs."""
    wanted = ~seen.labels.ignored
    heights = seen.labels.heights_px[wanted]
    return [
        [
            "face" if state == UNKNOWN_STATE else FACE_MASK_CLASSES[state].label,
            f"{in_picture} in the picture",
            f"{at_input} at the input",
        ]
        for state, in_picture, at_input in zip(
            seen.labels.states[wanted].tolist(),
            height_groups(heights),
            height_groups(heights * seen.input_scale),
            strict=True,
        )
    ]


def _shares(kinds: Sequence[Sequence[str]], found: NDArray[np.bool_]) -> dict[str, float]:
    hits: dict[str, list[bool]] = {}
    for row, hit in zip(kinds, found.tolist(), strict=True):
        for name in row:
            hits.setdefault(name, []).append(hit)
    groups = [f"{group} {where}" for where in ("in the picture", "at the input") for group in HEIGHT_GROUPS]
    wear = [name for name in sorted(hits) if name not in groups]
    return {name: float(np.mean(hits[name])) for name in (*wear, *groups) if name in hits}
