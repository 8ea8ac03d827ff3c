"""Measure a Mask R-CNN on labelled pictures, and published detectors beside it on the same pictures.

Each source of each data file is reported apart, then each file, then all together. Data files are what `ppewatch data`
reads: COCO, VIA, Pascal VOC, YOLO.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from models.data.annotated import AnnotatedPicture
from models.data.label_answers import LabelAnswers, read_label_answers
from models.data.readers import read_pictures
from models.detector import Detector
from models.errors import DataSetError, ModelError
from models.evaluation.command import exit_status_of, write_json
from models.evaluation.confusion import confusions
from models.evaluation.instance_figures import MeasuredPicture, SetFigures, set_figures, sets_of
from models.evaluation.instance_page import Contender, write_page
from models.evaluation.instance_table import terminal_table
from models.evaluation.instances import match_words, words_with_polygons
from models.evaluation.labelled import read_labelled
from models.evaluation.options import input_size, share
from models.evaluation.peers.yolox import KINDS, YoloxDetector
from models.evaluation.runtimes import add_runtime_option
from models.letterbox import FILL_RGB, default_input_size
from models.pictures import ArrayPicture
from models.structures import Category, Detections

#: Average precision needs detections of low scores too.
LEAST_SCORE: Final = 0.02

_BATCH_SIZE: Final = 4

#: Sides of the squares in which pictures of any size are shown: multiples of this.
_SQUARE_STEP_PX: Final = 128


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A detector to be measured, and the categories that it can find."""

    name: str
    detector: Detector
    known: frozenset[Category]


def measure(
    candidate: Candidate,
    files: Mapping[str, Sequence[AnnotatedPicture]],
    answers: LabelAnswers,
    *,
    input_side_px: int | None,
    score_threshold: float,
) -> list[MeasuredPicture]:
    """Run a detector over the pictures of each file and match what it saw with what is labelled.

    ``input_side_px``: of the square in which the detector sees each picture; None: what the product does,
    ``default_input_size`` of the picture, in a square with a margin so that few shapes are compiled.
    ``score_threshold`` is that of the confusions. Raises ``DataSetError`` when a picture is not as large as its labels
    say, ``PictureError`` when it cannot be read.
    """
    measured: list[MeasuredPicture] = []
    for data_file, pictures in files.items():
        by_source: dict[str, list[AnnotatedPicture]] = {}
        for picture in pictures:
            by_source.setdefault(picture.source, []).append(picture)
        pixels_of = {source: words_with_polygons(many) for source, many in by_source.items()}
        # None: shown where standard error is a terminal
        progress = tqdm(
            total=len(pictures),
            desc=f"{candidate.name}, {data_file}",
            unit="picture",
            leave=False,
            disable=None,
        )
        with progress:
            for start in range(0, len(pictures), _BATCH_SIZE):
                batch = pictures[start : start + _BATCH_SIZE]
                for picture, detections in zip(batch, _detect(candidate, batch, input_side_px), strict=True):
                    words = match_words(
                        picture,
                        detections,
                        answers,
                        known=candidate.known,
                        words_with_pixels=pixels_of[picture.source],
                    )
                    confused = confusions(
                        picture, detections, answers, known=candidate.known, score_threshold=score_threshold
                    )
                    measured.append(MeasuredPicture(data_file, picture, detections, tuple(words), confused))
                progress.update(len(batch))
    return measured


def figures_of(
    measured: Sequence[MeasuredPicture],
    answers: LabelAnswers,
    *,
    known: frozenset[Category],
    score_threshold: float,
) -> list[SetFigures]:
    """The figures of each source, each file and, last, of everything; without words where none is measured."""
    figures: list[SetFigures] = []
    for name, of_set in sets_of(measured).items():
        answered: dict[str, set[str]] = {}
        for one in of_set:
            for found in one.words:
                categories = answers.categories(one.picture.source, found.word) or frozenset()
                answered.setdefault(found.word, set()).update(
                    category.label for category in categories & known
                )
        answered_by = {word: tuple(sorted(labels)) for word, labels in answered.items()}
        figures.append(set_figures(name, of_set, answered_by, score_threshold=score_threshold))
    return figures


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m models.evaluation.mask_rcnn",
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Print the figures; write them and a page where asked to. TensorFlow is loaded inside of ``loading``."""
    options = _parser(prog).parse_args(arguments)
    return exit_status_of(lambda: _evaluate(options, loading))


def _evaluate(options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]) -> None:
    answers = read_label_answers(options.answers) if options.answers else read_label_answers()
    files = _read_files(options.data_files)
    candidates = _candidates(options, loading)
    contenders = [_contender(candidate, files, answers, options) for candidate in candidates]
    print(terminal_table([(one.name, one.sets) for one in contenders]), flush=True)
    if options.json:
        write_json(options.json, _as_json(contenders, options))
    if options.out:
        title = "Detectors on " + ", ".join(files)
        page = write_page(options.out, contenders, title=title, score_threshold=options.min_score)
        print(f"\n{page}")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("data_files", type=Path, nargs="+", metavar="DATA_FILE", help="labelled pictures")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights file; else the shipped one")
    parser.add_argument(
        "--input-size",
        type=input_size,
        metavar="PX",
        help="side of the square that Mask R-CNN sees pictures in (a multiple of 32); else by the picture's size, "
        "as the daemon looks",
    )
    parser.add_argument(
        "--min-score",
        type=share,
        default=0.5,
        metavar="SCORE",
        help="least score that counts for recall, precision, confusions and mistakes (default: 0.5)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a page with plots and pictures there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--peer",
        type=_peer,
        action="append",
        default=[],
        metavar="KIND=FILE",
        help=f"measure a YOLOX file (ONNX) too; kinds: {', '.join(KINDS)}",
    )
    parser.add_argument("--only-peers", action="store_true", help="leave Mask R-CNN out")
    parser.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help="what answers a label, by source (YAML); else the known sources",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    add_runtime_option(parser)
    return parser


def _peer(text: str) -> tuple[str, Path]:
    kind, separator, file = text.partition("=")
    if kind not in KINDS or not separator or not file:
        raise argparse.ArgumentTypeError(f"expected KIND=FILE, where KIND is one of {', '.join(KINDS)}")
    return kind, Path(file)


def _candidates(
    options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]
) -> list[Candidate]:
    candidates: list[Candidate] = []
    if not options.only_peers:
        with loading():
            from models.mask_rcnn.detector import load_mask_rcnn  # noqa: PLC0415 - loads TensorFlow

            for runs_in in options.runtime:
                detector = load_mask_rcnn(
                    options.weights,
                    score_threshold=LEAST_SCORE,
                    device=options.device,
                    runtime=runs_in.runtime,
                    options=runs_in.options,
                )
                candidates.append(Candidate(runs_in.named("maskrcnn"), detector, detector.categories))
    for kind, file in options.peer:
        peer = YoloxDetector(file, KINDS[kind], score_threshold=LEAST_SCORE)
        candidates.append(Candidate(f"yolox {kind}", peer, frozenset(KINDS[kind].values())))
    if not candidates:
        raise ModelError("there is nothing to measure: --only-peers needs at least one --peer")
    names = [candidate.name for candidate in candidates]
    if len(set(names)) < len(names):
        raise ModelError("each kind of peer, and each runtime, can be given once")
    return candidates


def _contender(
    candidate: Candidate,
    files: Mapping[str, Sequence[AnnotatedPicture]],
    answers: LabelAnswers,
    options: argparse.Namespace,
) -> Contender:
    measured = measure(
        candidate, files, answers, input_side_px=options.input_size, score_threshold=options.min_score
    )
    sets = figures_of(measured, answers, known=candidate.known, score_threshold=options.min_score)
    if not sets[-1].words:
        raise DataSetError(f"{candidate.name} can find nothing of what is labelled in these files")
    return Contender(candidate.name, candidate.detector.digests, measured, sets)


def _read_files(paths: Sequence[Path]) -> dict[str, list[AnnotatedPicture]]:
    """The pictures by the name of their file, with so many of its folders that no two are alike."""
    names = ["/".join(path.absolute().parts[-2:]) for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    files = {name: read_pictures(path) for name, path in zip(names, paths, strict=True)}
    if not any(files.values()):
        raise DataSetError("there are no pictures in these files")
    return files


def _detect(
    candidate: Candidate, batch: Sequence[AnnotatedPicture], input_side_px: int | None
) -> list[Detections]:
    pictures = [read_labelled(picture) for picture in batch]
    if input_side_px is not None:
        return candidate.detector.detect(pictures, (input_side_px, input_side_px))
    return [_look(candidate, picture) for picture in pictures]


def _look(candidate: Candidate, picture: ArrayPicture) -> Detections:
    """What the detector sees at the size at which the product would look."""
    longest = default_input_size(picture.image_hw)
    scale = longest / max(picture.image_hw)
    content_hw = (round(picture.image_hw[0] * scale), round(picture.image_hw[1] * scale))
    # the product's inputs have each picture's shape; here a margin makes them few
    side = -(-longest // _SQUARE_STEP_PX) * _SQUARE_STEP_PX
    shown = np.full((side, side, 3), FILL_RGB, np.uint8)
    shown[: content_hw[0], : content_hw[1]] = picture.rgb(content_hw)
    found = candidate.detector.detect([ArrayPicture(shown)], (side, side))[0]
    return replace(
        found,
        image_hw=picture.image_hw,
        boxes_xyxy=found.boxes_xyxy / np.float32(scale),
        input_scale=scale,
        landmarks_xy=None,
    )


def _as_json(contenders: Sequence[Contender], options: argparse.Namespace) -> dict[str, object]:
    return {
        "input_size_px": options.input_size,
        "min_score": options.min_score,
        "detectors": [
            {
                "name": one.name,
                "digests": dict(one.digests),
                "sets": [figures.to_mapping() for figures in one.sets],
            }
            for one in contenders
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
