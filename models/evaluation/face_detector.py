"""Measure a RetinaFace on labelled pictures, with a mask or without, and other face detectors beside it.

Data sets are what `ppewatch data` reads, with objects of face_with_mask, face_without_mask, face_mask_incorrect or
face; the pictures of all of them are measured together.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tqdm import tqdm

from models.data.annotated import AnnotatedPicture
from models.data.face_landmarks import read_landmarks
from models.data.readers import read_pictures
from models.errors import DataSetError
from models.evaluation.coco_precision import IOU_THRESHOLDS, RECALLS
from models.evaluation.command import exit_status_of, write_json
from models.evaluation.face_detector_contenders import (
    FaceContender,
    own_contenders,
    peer_contenders,
)
from models.evaluation.face_detector_figures import (
    FaceDetectorFigures,
    SeenFaces,
    detector_tables,
    face_detector_figures,
)
from models.evaluation.face_labels import face_labels
from models.evaluation.labelled import read_labelled
from models.evaluation.landmarks import evaluate_landmarks
from models.evaluation.options import add_peers_option, add_report_options, add_set_options, input_size
from models.evaluation.pages import Section, write_report
from models.evaluation.plots import Line, plot_lines
from models.evaluation.runtimes import add_runtime_option
from models.evaluation.tables import as_text


def look_for_faces(
    contender: FaceContender,
    pictures: Sequence[AnnotatedPicture],
    *,
    input_size_px: int | None,
    least_height_px: float = 0.0,
) -> list[SeenFaces]:
    """Show a detector every picture. Raises ``PictureError`` when one cannot be read, ``DataSetError`` when it is not
    as large as its labels say."""
    seen = []
    title = f"{contender.name}, {input_size_px or 'product'}"
    # None: shown where standard error is a terminal
    for labelled in tqdm(pictures, desc=title, unit="picture", leave=False, disable=None):
        picture = read_labelled(labelled)
        faces, scale = contender.looker.look(picture, input_size_px)
        seen.append(SeenFaces(labelled, face_labels(labelled, least_height_px=least_height_px), faces, scale))
    return seen


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m models.evaluation.face_detector",
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Print the figures; write them and a page where asked to. TensorFlow is loaded inside of ``loading``."""
    options = _parser(prog).parse_args(arguments)
    return exit_status_of(lambda: _evaluate(options, loading))


def _evaluate(options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]) -> None:
    pictures = [picture for path in options.data_sets for picture in read_pictures(path)]
    if not any(len(face_labels(picture).states) for picture in pictures):
        raise DataSetError("no faces are labelled in these files")
    with loading():
        files = [(options.weights.stem, options.weights), *options.beside]
        contenders = own_contenders(files, device=options.device, runtimes=options.runtime)
        if options.peers is not None:
            contenders += peer_contenders(options.peers)
    many = [figures for contender in contenders for figures in _measured(contender, pictures, options)]
    print(as_text(detector_tables(many)), flush=True)
    if options.json:
        content = {"detectors": [figures.to_mapping() for figures in many]}
        write_json(options.json, content)
    if options.out:
        print(f"\n{_write_page(options, many)}")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("weights", type=Path, help="weights of a RetinaFace")
    add_set_options(parser)
    parser.add_argument(
        "--beside",
        type=_named_file,
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="measure these weights of a RetinaFace too",
    )
    parser.add_argument(
        "--landmarks", type=Path, metavar="FILE", help="close-ups with five labelled points each (COCO)"
    )
    parser.add_argument(
        "--landmarks-size",
        type=input_size,
        default=160,
        metavar="PX",
        help="longest side at which these are seen (default: 160)",
    )
    add_peers_option(parser)
    add_report_options(parser)
    add_runtime_option(parser)
    return parser


def _named_file(text: str) -> tuple[str, Path]:
    name, separator, file = text.partition("=")
    if not name or not separator or not file:
        raise argparse.ArgumentTypeError("expected NAME=FILE")
    return name, Path(file)


def _measured(
    contender: FaceContender, pictures: Sequence[AnnotatedPicture], options: argparse.Namespace
) -> list[FaceDetectorFigures]:
    """At every size that the contender knows and is asked for."""
    landmarks = None
    if options.landmarks is not None and contender.finder is not None:
        landmarks = evaluate_landmarks(
            contender.finder, read_landmarks(options.landmarks), longest_side_px=options.landmarks_size
        )
    return [
        face_detector_figures(
            contender.name,
            look_for_faces(contender, pictures, input_size_px=size, least_height_px=options.least_height),
            digest=contender.digest,
            input_size_px=size,
            score_threshold=options.min_score,
            samples=options.bootstrap,
            seed=options.seed,
            landmarks=landmarks,
        )
        for size in ([contender.input_size_px] if contender.input_size_px else options.input_size)
    ]


def _write_page(options: argparse.Namespace, many: Sequence[FaceDetectorFigures]) -> Path:
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{one.name} {one.input_size_px or ''}".strip() for one in many]
    thresholds, recalls = folder / "iou_thresholds.png", folder / "precision_recall.png"
    plot_lines(
        [
            Line(IOU_THRESHOLDS, one.precision.by_threshold, name, colour=index, dots=True)
            for index, (name, one) in enumerate(zip(names, many, strict=True))
        ],
        thresholds,
        title="How well faces are placed",
        x_label="IoU threshold",
        y_label="average precision",
    )
    plot_lines(
        [
            Line(
                RECALLS,
                one.precision.curves.precision[0, 0],
                f"{name}: {one.precision.ap50:.3f}",
                colour=index,
            )
            for index, (name, one) in enumerate(zip(names, many, strict=True))
        ],
        recalls,
        title="Precision and recall at IoU 0.5 (AP50)",
        x_label="recall",
        y_label="precision",
        x_range=(0, 1.02),
    )
    sections = [
        Section(
            "Figures",
            note=", ".join(dict.fromkeys(f"{one.name}: {one.digest}" for one in many)),
            tables=tuple(detector_tables(many)),
            plots=((recalls, "precision and recall"), (thresholds, "average precision by IoU")),
        )
    ]
    sets = ", ".join(str(path) for path in options.data_sets)
    note = f"Measured on the {many[0].pictures} pictures of {sets}."
    return write_report(folder, title="Face detectors", note=note, sections=sections)


if __name__ == "__main__":
    sys.exit(main())
