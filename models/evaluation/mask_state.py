"""How well the mask-state classifier does on labelled boxes: ``python -m models.evaluation.mask_state DATA``.

The crops are cut from labelled boxes of ``faces/val`` as the product cuts them from found ones, so that the
figures are the classifier's alone. Faces are grouped by their height in original pixels.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.evaluation.classification import (
    ClassificationReport,
    classification_report,
    expected_calibration_error,
)
from models.loading import weights_paths
from models.mask_state.calibration import MaskStates
from models.mask_state.classifier import MaskStateClassifier
from models.mask_state.crops import crop_faces, stack_crops
from models.mask_state.sharpness import sharpness_of
from models.pictures import read_picture
from models.structures import FACE_MASK_CLASSES
from models.training.mask_state_examples import FaceExample, labelled_faces

#: Lower ends of the groups of face heights in pixels.
HEIGHTS_PX: Final = (0, 12, 16, 24, 32, 64)


@dataclass(frozen=True, slots=True, eq=False)
class MaskStateFigures:
    """Figures of one group of faces.

    - ``faces``: how many. ``report``: of the likeliest class. ``ece``: expected calibration error.
    - ``told``: share of the faces with ``min(visibility, sharpness)`` of at least a half; ``told_accuracy``:
      accuracy on those alone.
    """

    title: str
    faces: int
    report: ClassificationReport
    ece: float
    told: float
    told_accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class JudgedFaces:
    """N labelled faces and what the classifier says of them; ``heights_px`` and ``quality`` float (N,)."""

    labels: NDArray[np.int64]
    heights_px: NDArray[np.float64]
    states: MaskStates
    quality: NDArray[np.float32]
    seconds_per_face: float


def judge_labelled_faces(classifier: MaskStateClassifier, faces: Sequence[FaceExample]) -> JudgedFaces:
    """Run the classifier on labelled boxes. Raises ``PictureError`` on an image that cannot be read."""
    crops: list[NDArray[np.uint8]] = []
    picture, opened = None, None
    for face in faces:
        if picture is None or face.file != opened:
            opened, picture = face.file, read_picture(face.file)
        crops.extend(crop_faces(picture, np.array([face.box_xyxy], np.float32), classifier.geometry))
    stacked = stack_crops(crops, classifier.geometry)
    classifier.warm_up()
    began = time.perf_counter()
    states = classifier.judge(stacked)
    seconds = time.perf_counter() - began
    return JudgedFaces(
        labels=np.array([face.label for face in faces], np.int64),
        heights_px=np.array([face.box_xyxy[3] - face.box_xyxy[1] for face in faces], np.float64),
        states=states,
        quality=np.minimum(sharpness_of(crops), states.visibility),
        seconds_per_face=seconds / max(1, len(faces)),
    )


def figures_by_height(judged: JudgedFaces) -> list[MaskStateFigures]:
    """Figures of all faces, then of each group of heights that occurs."""
    figures = [_figures("all", judged, np.ones(len(judged.labels), bool))]
    ends = [*HEIGHTS_PX[1:], np.inf]
    for low, high in zip(HEIGHTS_PX, ends, strict=True):
        chosen = (judged.heights_px >= low) & (judged.heights_px < high)
        if chosen.any():
            title = f"{low} px and more" if high == np.inf else f"{low} to {high} px"
            figures.append(_figures(title, judged, chosen))
    return figures


def _figures(title: str, judged: JudgedFaces, chosen: NDArray[np.bool_]) -> MaskStateFigures:
    labels, probs = judged.labels[chosen], judged.states.probs[chosen]
    told = judged.quality[chosen] >= 0.5
    right = probs.argmax(1) == labels
    return MaskStateFigures(
        title=title,
        faces=int(chosen.sum()),
        report=classification_report(labels, probs.argmax(1), len(FACE_MASK_CLASSES)),
        ece=expected_calibration_error(probs, labels),
        told=float(told.mean()),
        told_accuracy=float(right[told].mean()) if told.any() else 0.0,
    )


def as_text(figures: Sequence[MaskStateFigures]) -> str:
    """A Markdown table of the groups, and the confusion of the first."""
    names = [category.label for category in FACE_MASK_CLASSES]
    heads = [
        "faces",
        "number",
        "accuracy",
        *(f"F1 {name}" for name in names),
        "ECE",
        "told",
        "accuracy of told",
    ]
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " --: |" * (len(heads) - 1)]
    for row in figures:
        f1 = " | ".join(
            f"{value:.3f}" if of_class else "-"
            for value, of_class in zip(row.report.f1, row.report.confusion.sum(1), strict=True)
        )
        lines.append(
            f"| {row.title} | {row.faces} | {row.report.accuracy:.3f} | {f1} | {row.ece:.3f} "
            f"| {row.told:.3f} | {row.told_accuracy:.3f} |"
        )
    lines += ["", "| truth, answer | " + " | ".join(names) + " | recall | precision |"]
    lines.append("| --- |" + " --: |" * (len(names) + 2))
    report = figures[0].report
    lines += [
        f"| {name} | {' | '.join(str(count) for count in report.confusion[index])} | "
        f"{report.recall[index]:.3f} | {report.precision[index]:.3f} |"
        for index, name in enumerate(names)
    ]
    return "\n".join(lines)


def _as_json(figures: Sequence[MaskStateFigures], seconds_per_face: float) -> dict[str, Any]:
    return {
        "seconds_per_face": seconds_per_face,
        "groups": [
            {
                "title": row.title,
                "faces": row.faces,
                "accuracy": row.report.accuracy,
                "macro_f1": row.report.macro_f1,
                "f1": row.report.f1.tolist(),
                "confusion": row.report.confusion.tolist(),
                "ece": row.ece,
                "told": row.told,
                "told_accuracy": row.told_accuracy,
            }
            for row in figures
        ],
    }


def main(
    arguments: Sequence[str] | None = None, *, prog: str = "python -m models.evaluation.mask_state"
) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--weights", type=Path, help="weights file; else the shipped one")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args(arguments)
    try:
        weights = options.weights or weights_paths(names=("mask_state",))["mask_state"]
        judged = judge_labelled_faces(
            MaskStateClassifier(weights, device="cpu"), labelled_faces(options.data, "val")
        )
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    figures = figures_by_height(judged)
    print(as_text(figures))
    print(f"\n{1000 * judged.seconds_per_face:.2f} ms per face in batches on this CPU")
    if options.json:
        options.json.write_text(
            json.dumps(_as_json(figures, judged.seconds_per_face), indent=2), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
