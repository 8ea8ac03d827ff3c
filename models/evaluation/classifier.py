"""Measure the mask-state classifier alone, on labelled boxes of faces or on pictures of one face each.

Data sets are what `ppewatch data` reads: COCO files and the like with boxes, or with one label a picture; folders of
pictures, a folder a class. Each set is reported apart, then all together.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.data.readers import read_pictures
from models.evaluation.command import exit_status_of, write_json
from models.evaluation.options import add_report_options, input_size
from models.evaluation.pages import Section, write_report
from models.evaluation.plots import Line, plot_counts, plot_lines
from models.evaluation.tables import as_text
from models.letterbox import input_hw_for, letterbox_batch
from models.loading import weights_paths
from models.structures import Picture

if TYPE_CHECKING:
    from models.evaluation.classifier_faces import FindFaces, JudgedSet
    from models.evaluation.classifier_figures import ClassifierFigures


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m models.evaluation.classifier",
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Print the figures; write them and a page where asked to. TensorFlow is loaded inside of ``loading``."""
    options = _parser(prog).parse_args(arguments)
    return exit_status_of(lambda: _evaluate(options, loading))


def _evaluate(options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]) -> None:
    pictures = {str(path): read_pictures(path) for path in options.data_sets}
    chosen = {"mask_state": options.weights} if options.weights else {}
    paths = weights_paths(chosen, names=("mask_state",))
    with loading():
        from models.evaluation.classifier_faces import (  # noqa: PLC0415 - loads TensorFlow
            faces_to_judge,
            judge_faces,
        )
        from models.evaluation.classifier_figures import (  # noqa: PLC0415
            classifier_figures,
            classifier_tables,
        )
        from models.mask_state.classifier import MaskStateClassifier  # noqa: PLC0415

        classifier = MaskStateClassifier(paths["mask_state"], device=options.device)
        find = _finder(options)
    judged = {
        name: judge_faces(
            classifier,
            many,
            faces_to_judge(many, dict(options.classes), origin=name),
            find=find,
        )
        for name, many in pictures.items()
    }
    if len(judged) > 1:
        judged["total"] = _joined(list(judged.values()))
    figures = [
        classifier_figures(name, one, samples=options.bootstrap, seed=options.seed)
        for name, one in judged.items()
    ]
    print(as_text(classifier_tables(figures)), flush=True)
    if options.json:
        content = {"digest": classifier.digest, "sets": [one.to_mapping() for one in figures]}
        write_json(options.json, content)
    if options.out:
        print(f"\n{_write_page(options.out, figures, classifier.digest)}")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("data_sets", type=Path, nargs="+", metavar="DATA_SET", help="labelled faces")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights; else the shipped ones")
    parser.add_argument(
        "--class",
        dest="classes",
        type=_renamed,
        action="append",
        default=[],
        metavar="WORD=MEANING",
        help="what a word of the data sets stands for; nothing behind = leaves it out",
    )
    parser.add_argument(
        "--whole-pictures",
        action="store_true",
        help="take pictures of one face for what the classifier sees around a face, instead of finding the face",
    )
    parser.add_argument(
        "--detector", type=Path, metavar="FILE", help="finds these faces; else the shipped one"
    )
    parser.add_argument(
        "--detector-size",
        type=input_size,
        default=320,
        metavar="PX",
        help="longest side at which it looks (default: 320)",
    )
    add_report_options(parser)
    return parser


def _renamed(text: str) -> tuple[str, str | None]:
    word, separator, meaning = text.partition("=")
    if not word or not separator:
        raise argparse.ArgumentTypeError("expected WORD=MEANING")
    return word, meaning or None


def _finder(options: argparse.Namespace) -> "FindFaces | None":
    if options.whole_pictures:
        return None
    chosen = {"retinaface": options.detector} if options.detector else {}
    path = weights_paths(chosen, names=("retinaface",))["retinaface"]
    from models.retinaface.detector import RetinaFaceDetector  # noqa: PLC0415 - loads TensorFlow

    detector = RetinaFaceDetector(path, score_threshold=0.3, device=options.device)

    def find(picture: Picture) -> "np.typing.NDArray[np.float32]":
        batch = letterbox_batch([picture], input_hw_for(picture.image_hw, options.detector_size))
        return detector.detect(batch)[0].boxes_xyxy

    return find


def _joined(many: "Sequence[JudgedSet]") -> "JudgedSet":
    """All sets as one."""
    starts = np.cumsum([0, *(one.pictures for one in many)])
    kinds = [one.kind_probs for one in many if one.kind_probs is not None]
    return replace(
        many[0],
        pictures=int(starts[-1]),
        picture_of=np.concatenate(
            [one.picture_of + start for one, start in zip(many, starts[:-1], strict=True)]
        ),
        labels=np.concatenate([one.labels for one in many]),
        kinds=np.concatenate([one.kinds for one in many]),
        heights_px=np.concatenate([one.heights_px for one in many]),
        probs=np.concatenate([one.probs for one in many]),
        kind_probs=np.concatenate(kinds) if len(kinds) == len(many) else None,
        located=np.concatenate([one.located for one in many]),
    )


def _write_page(folder: Path, many: "Sequence[ClassifierFigures]", digest: str) -> Path:
    from models.evaluation.classifier_figures import classifier_tables  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    roc = folder / "roc.png"
    plot_lines(
        [
            Line(
                one.roc.false_positive_rate,
                one.roc.true_positive_rate,
                f"{one.name}: {one.roc.area:.4f}",
                colour=index,
            )
            for index, one in enumerate(many)
            if one.roc is not None
        ],
        roc,
        title="Unmasked against masked faces (area)",
        x_label="masked faces called unmasked",
        y_label="unmasked faces called so",
        x_range=(-0.02, 1.02),
    )
    plots = [(roc, "receiver operating characteristic")]
    for index, one in enumerate(many):
        path = folder / f"{index}_confusion.png"
        plot_counts(
            one.report.confusion,
            path,
            rows=one.classes,
            columns=one.classes,
            title=f"What is taken for what: {Path(one.name).name}",
            x_label="answered",
            y_label="labelled",
        )
        plots.append((path, f"confusion matrix of {one.name}"))
    section = Section("Figures", tables=tuple(classifier_tables(many)), plots=tuple(plots))
    return write_report(folder, title="The mask-state classifier", note=digest, sections=[section])


if __name__ == "__main__":
    sys.exit(main())
