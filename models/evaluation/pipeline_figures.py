"""All figures of a face pipeline on a set of pictures.

Shapes: P pictures.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.bootstrap import Interval, bootstrap_intervals
from models.evaluation.coco_precision import IOU_THRESHOLDS
from models.evaluation.heights import HEIGHT_GROUPS, height_groups
from models.evaluation.pipeline_counts import (
    Identified,
    PipelineRates,
    identified_by_mask,
    identified_by_state,
    pipeline_rates,
    pipeline_roc,
)
from models.evaluation.pipeline_faces import PipelineFaces, SeenPicture, pipeline_faces
from models.evaluation.pipeline_precision import (
    StatePrecision,
    face_precision,
    mean_precision,
    precision_sample,
    state_precision,
)
from models.evaluation.roc import RocCurve
from models.structures import FACE_MASK_CLASSES


@dataclass(frozen=True, slots=True)
class HeightGroup:
    """Faces of one range of heights.

    - ``title``: the range. ``by_state``, ``rates``: see ``pipeline_counts``.
    """

    title: str
    labelled: int
    by_state: tuple[Identified, ...]
    rates: PipelineRates


@dataclass(frozen=True, slots=True, eq=False)
class PipelineFigures:
    """How well a pipeline does at one input size.

    - ``input_size_px``: longest side of the network's input; None: by the picture's size, as the product does.
    - ``score_threshold``: of everything but average precision. ``least_height_px``: smaller faces do not count.
    - ``by_state``, ``by_mask``: faces identified, in three states and in two. ``confusion``: float64 (3, 4).
    - ``false_faces``: found, but labelled nowhere; ``false_by_state``: what they were called; ``away_faces``: how
      many of them overlap no label by 0.3.
    - ``roc``, ``classifier_roc``: missed faces counted as masked, or left out.
    - ``states``: precision by state, ``faces``: of any. ``map50``, ``map``: means over the states.
    - ``heights``, ``input_heights``: by original pixels, and by the network's.
    - ``intervals``: by the names of ``headline``.
    """

    name: str
    digests: dict[str, str]
    pictures: int
    input_size_px: int | None
    score_threshold: float
    least_height_px: float
    by_state: tuple[Identified, ...]
    by_mask: tuple[Identified, ...]
    rates: PipelineRates
    confusion: NDArray[np.float64]
    false_faces: int
    false_by_state: tuple[int, ...]
    away_faces: int
    roc: RocCurve | None
    classifier_roc: RocCurve | None
    states: tuple[StatePrecision, ...]
    faces: StatePrecision
    map50: float | None
    map: float | None
    heights: tuple[HeightGroup, ...]
    input_heights: tuple[HeightGroup, ...]
    intervals: dict[str, Interval]

    @property
    def headline(self) -> dict[str, float | None]:
        """The main figures by name."""
        return {
            "TNR": self.rates.tnr,
            "FNR": self.rates.fnr,
            "accuracy": self.rates.accuracy,
            "found": self.rates.found,
            "ROC AUC": self.roc.area if self.roc else None,
            "ROC AUC found": self.classifier_roc.area if self.classifier_roc else None,
            "mAP50": self.map50,
            "mAP": self.map,
            **{
                f"AP50 {category.label}": one.ap50
                for category, one in zip(FACE_MASK_CLASSES, self.states, strict=True)
            },
            **{
                f"AP {category.label}": one.ap
                for category, one in zip(FACE_MASK_CLASSES, self.states, strict=True)
            },
        }

    def to_mapping(self) -> dict[str, Any]:
        """The figures as JSON values."""
        names = [category.label for category in FACE_MASK_CLASSES]
        return {
            "name": self.name,
            "digests": self.digests,
            "pictures": self.pictures,
            "input_size_px": self.input_size_px,
            "score_threshold": self.score_threshold,
            "least_height_px": self.least_height_px,
            "figures": self.headline,
            "intervals": {name: asdict(interval) for name, interval in self.intervals.items()},
            "rates": asdict(self.rates),
            "identified": dict(zip(names, (asdict(one) for one in self.by_state), strict=True)),
            "identified_by_mask": dict(
                zip(("masked", "unmasked"), (asdict(one) for one in self.by_mask), strict=True)
            ),
            "confusion": {
                "labelled": names,
                "answered": [*names, "missed"],
                "counts": self.confusion.tolist(),
            },
            "false_faces": self.false_faces,
            "false_by_state": dict(zip(names, self.false_by_state, strict=True)),
            "away_faces": self.away_faces,
            "iou_thresholds": IOU_THRESHOLDS.tolist(),
            "average_precision": {
                name: [None if np.isnan(value) else float(value) for value in one.by_threshold]
                for name, one in zip((*names, "face"), (*self.states, self.faces), strict=True)
            },
            "by_height_px": [asdict(group) for group in self.heights],
            "by_input_height_px": [asdict(group) for group in self.input_heights],
        }


def pipeline_figures(
    name: str,
    pictures: Sequence[SeenPicture],
    *,
    digests: dict[str, str],
    input_size_px: int | None,
    score_threshold: float,
    samples: int,
    seed: int,
) -> PipelineFigures:
    """The figures over ``pictures``, at least one; intervals from ``samples`` of the bootstrap."""
    faces = pipeline_faces(pictures, score_threshold=score_threshold)
    states = tuple(state_precision(pictures, state) for state in range(len(FACE_MASK_CLASSES)))
    map50, mean = mean_precision(states)

    def sample(weights: NDArray[np.float64]) -> dict[str, float | None]:
        rates = pipeline_rates(faces, weights)
        roc = pipeline_roc(faces, found_only=False, weights=weights)
        found = pipeline_roc(faces, found_only=True, weights=weights)
        return {
            "TNR": rates.tnr,
            "FNR": rates.fnr,
            "accuracy": rates.accuracy,
            "found": rates.found,
            "ROC AUC": roc.area if roc else None,
            "ROC AUC found": found.area if found else None,
            **precision_sample(states, weights),
        }

    return PipelineFigures(
        name=name,
        digests=digests,
        pictures=len(pictures),
        input_size_px=input_size_px,
        score_threshold=score_threshold,
        least_height_px=pictures[0].labels.least_height_px,
        by_state=identified_by_state(faces),
        by_mask=identified_by_mask(faces),
        rates=pipeline_rates(faces),
        confusion=faces.confusion(),
        false_faces=int(faces.false.sum()),
        false_by_state=tuple(
            int((faces.answers[faces.false] == state).sum()) for state in range(len(FACE_MASK_CLASSES))
        ),
        away_faces=int(faces.away.sum()),
        roc=pipeline_roc(faces, found_only=False),
        classifier_roc=pipeline_roc(faces, found_only=True),
        states=states,
        faces=face_precision(pictures),
        map50=map50,
        map=mean,
        heights=_groups(faces, faces.heights_px),
        input_heights=_groups(faces, faces.input_heights_px),
        intervals=bootstrap_intervals(sample, len(pictures), samples=samples, seed=seed),
    )


def _groups(faces: PipelineFaces, heights_px: NDArray[np.float64]) -> tuple[HeightGroup, ...]:
    group_of = np.array(height_groups(heights_px), dtype=object)
    groups = []
    for title in HEIGHT_GROUPS:
        rows = group_of == title
        if rows.any():
            chosen = faces.chosen(rows)
            groups.append(
                HeightGroup(title, int(rows.sum()), identified_by_state(chosen), pipeline_rates(chosen))
            )
    return tuple(groups)
