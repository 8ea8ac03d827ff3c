"""Measure the face pipeline on labelled pictures: RetinaFace finds faces, the classifier judges their masks.

Data sets are what `ppewatch data` reads, with objects of face_with_mask, face_without_mask and face_mask_incorrect; the
pictures of all of them are measured together. False faces and average precision mean something where every face is
labelled.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tqdm import tqdm

from models.data.annotated import AnnotatedPicture
from models.data.readers import read_pictures
from models.detector import Detector
from models.errors import DataSetError
from models.evaluation.command import exit_status_of, write_json
from models.evaluation.labelled import read_labelled
from models.evaluation.options import add_peers_option, add_report_options, add_set_options
from models.evaluation.pages import Section, write_report
from models.evaluation.peers.aizoo import FILE_NAME as AIZOO_FILE
from models.evaluation.peers.aizoo import AizooDetector
from models.evaluation.pipeline_faces import SeenPicture, seen_picture
from models.evaluation.pipeline_figures import PipelineFigures, pipeline_figures
from models.evaluation.pipeline_mistakes import mistake_galleries
from models.evaluation.pipeline_plots import (
    plot_rocs,
    plot_state_precision,
    plot_state_thresholds,
    plot_states,
)
from models.evaluation.pipeline_table import label_of, pipeline_tables
from models.evaluation.runtimes import add_runtime_option
from models.evaluation.tables import as_text
from models.letterbox import default_input_size, input_hw_for
from models.loading import weights_paths
from models.structures import FACE_MASK_CLASSES

#: Average precision needs faces of low scores too.
LEAST_SCORE: Final = 0.02

_STATES: Final = frozenset(category.label for category in FACE_MASK_CLASSES)


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """Something that finds and judges faces: its detections have ``face_mask_probs``.

    ``input_size_px``: the one size that it knows; None: any.
    """

    name: str
    detector: Detector
    input_size_px: int | None = None


def look(
    pipeline: Pipeline,
    pictures: Sequence[AnnotatedPicture],
    *,
    input_size_px: int | None,
    least_height_px: float = 0.0,
) -> list[SeenPicture]:
    """Show the pipeline every picture, its longest side ``input_size_px`` long (None: as the product does).

    Raises ``DataSetError`` when a picture is not as large as its labels say, ``PictureError`` when it cannot be read.
    """
    seen = []
    title = f"{pipeline.name}, {input_size_px or 'product'}"
    # None: shown where standard error is a terminal
    for labelled in tqdm(pictures, desc=title, unit="picture", leave=False, disable=None):
        picture = read_labelled(labelled)
        side = input_size_px or default_input_size(picture.image_hw)
        detections = pipeline.detector.detect([picture], input_hw_for(picture.image_hw, side))[0]
        seen.append(seen_picture(labelled, detections, least_height_px=least_height_px))
    return seen


def read_face_pictures(paths: Sequence[Path]) -> list[AnnotatedPicture]:
    """The pictures of all files. Raises ``DataSetError`` when no face with a state is labelled on any."""
    pictures = [picture for path in paths for picture in read_pictures(path)]
    if not any(thing.category in _STATES for picture in pictures for thing in picture.objects):
        raise DataSetError(f"nothing is labelled {', '.join(sorted(_STATES))} in these files")
    return pictures


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m models.evaluation.pipeline",
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Print the figures; write them and a page where asked to. TensorFlow is loaded inside of ``loading``."""
    options = _parser(prog).parse_args(arguments)
    return exit_status_of(lambda: _evaluate(options, loading))


def _evaluate(options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]) -> None:
    pictures = read_face_pictures(options.data_sets)
    measured = [
        measure(pipeline, pictures, size, options)
        for pipeline in _pipelines(options, loading)
        for size in ([pipeline.input_size_px] if pipeline.input_size_px else options.input_size)
    ]
    print(as_text(pipeline_tables([figures for figures, _ in measured])), flush=True)
    if options.json:
        content = {"pipelines": [figures.to_mapping() for figures, _ in measured]}
        write_json(options.json, content)
    if options.out:
        print(f"\n{_write_page(options, measured)}")


def measure(
    pipeline: Pipeline, pictures: Sequence[AnnotatedPicture], size: int | None, options: argparse.Namespace
) -> tuple[PipelineFigures, list[SeenPicture]]:
    """Look and count, as ``options`` say."""
    seen = look(pipeline, pictures, input_size_px=size, least_height_px=options.least_height)
    figures = pipeline_figures(
        pipeline.name,
        seen,
        digests=dict(pipeline.detector.digests),
        input_size_px=size,
        score_threshold=options.min_score,
        samples=options.bootstrap,
        seed=options.seed,
    )
    return figures, seen


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    add_set_options(parser)
    parser.add_argument(
        "--detector", type=Path, metavar="FILE", help="RetinaFace weights; else the shipped ones"
    )
    parser.add_argument(
        "--classifier", type=Path, metavar="FILE", help="classifier weights; else the shipped ones"
    )
    add_peers_option(parser)
    add_report_options(parser)
    add_runtime_option(parser)
    return parser


def _pipelines(
    options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]
) -> list[Pipeline]:
    chosen = {"retinaface": options.detector, "mask_state": options.classifier}
    paths = weights_paths({name: path for name, path in chosen.items() if path is not None})
    with loading():
        from models.face_mask_detector import FaceMaskDetector  # noqa: PLC0415 - loads TensorFlow
        from models.mask_state.classifier import MaskStateClassifier  # noqa: PLC0415
        from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415

        pipelines = []
        for runs_in in options.runtime:
            how = {"device": options.device, "runtime": runs_in.runtime, "options": runs_in.options}
            own = FaceMaskDetector(
                RetinaFaceDetector(paths["retinaface"], score_threshold=LEAST_SCORE, **how),
                MaskStateClassifier(paths["mask_state"], **how),
            )
            pipelines.append(Pipeline(runs_in.named("ppewatch"), own))
        if options.peers is not None:
            peer = AizooDetector(options.peers / AIZOO_FILE, score_threshold=LEAST_SCORE)
            pipelines.append(Pipeline("aizoo", peer, peer.input_size_px))
    return pipelines


def _write_page(
    options: argparse.Namespace, measured: Sequence[tuple[PipelineFigures, list[SeenPicture]]]
) -> Path:
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    many = [figures for figures, _ in measured]
    plot_rocs(many, folder / "roc.png")
    sections = [
        Section(
            "Figures",
            tables=tuple(pipeline_tables(many)),
            plots=((folder / "roc.png", "receiver operating characteristic"),),
        )
    ]
    for index, (figures, seen) in enumerate(measured):
        plots = []
        for name, text, plot in (
            ("precision_recall", "precision and recall", plot_state_precision),
            ("iou_thresholds", "average precision by IoU", plot_state_thresholds),
            ("confusion", "confusion matrix", plot_states),
        ):
            path = folder / f"{index}_{name}.png"
            plot(figures, path)
            plots.append((path, text))
        digests = ", ".join(f"{name} {digest}" for name, digest in sorted(figures.digests.items()))
        sections.append(
            Section(
                " ".join(label_of(figures)),
                note=f"{figures.pictures} pictures. {digests}",
                plots=tuple(plots),
                galleries=mistake_galleries(seen, score_threshold=options.min_score),
            )
        )
    names = ", ".join(str(path) for path in options.data_sets)
    return write_report(folder, title="The face pipeline", note=f"Measured on {names}.", sections=sections)


if __name__ == "__main__":
    sys.exit(main())
