"""Cross-validate a RetinaFace: train it anew for each fold of a data set and measure it on what it has not seen.

Folds have their shares of every source and category, and near duplicates are never in two. Initial weights, a teacher
and the classifier are those of the options: they may have seen the pictures.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from models.data.readers import read_pictures
from models.errors import TrainingError
from models.evaluation.command import exit_status_of, write_json
from models.evaluation.crossval_folds import folds_table, make_folds
from models.evaluation.options import input_size, share
from models.evaluation.pages import Section, write_report
from models.evaluation.plots import Line, plot_lines
from models.evaluation.tables import Table, as_text
from models.loading import weights_paths

if TYPE_CHECKING:
    from models.evaluation.crossval_runs import FoldFigures
    from models.training.retinaface_recipe import RetinaFaceRecipe


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m models.evaluation.crossval",
    loading: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Train, measure, print and write the summary. TensorFlow is loaded inside of ``loading``."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    if not options.dry_run and (options.recipe is None or options.out is None):
        parser.error("--recipe and --out are needed, unless with --dry-run")
    return exit_status_of(lambda: _cross_validate(options, loading))


def _cross_validate(options: argparse.Namespace, loading: Callable[[], AbstractContextManager[None]]) -> None:
    folds = make_folds(
        read_pictures(options.data_set), options.folds, seed=options.seed, look=not options.no_look
    )
    made_up = folds_table(folds)
    print(as_text([made_up]), flush=True)
    if options.dry_run:
        return
    chosen = {"mask_state": options.classifier} if options.classifier else {}
    classifier = weights_paths(chosen, names=("mask_state",))["mask_state"]
    with loading():
        from models.evaluation import crossval_runs  # noqa: PLC0415 - loads TensorFlow

        recipe = _recipe(options)
    measuring = crossval_runs.Measuring(
        classifier,
        input_size_px=options.input_size,
        score_threshold=options.min_score,
        least_height_px=options.least_height,
        device=options.device,
    )
    done = [
        crossval_runs.run_fold(
            fold,
            recipe,
            options.data_set,
            options.out,
            measuring,
            report=lambda line: print(line, flush=True),
        )
        for fold in folds
    ]
    crossval_runs.write_curves(done, options.out / "curves")
    summary = crossval_runs.summary_table(done)
    print(f"\n{as_text([summary])}", flush=True)
    content = crossval_runs.summary_of(done)
    write_json(options.out / "summary.json", content)
    (options.out / "summary.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    print(f"\n{_write_page(options.out, made_up, summary, done)}")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("data_set", type=Path, metavar="DATA_SET", help="labelled faces")
    parser.add_argument("--folds", type=int, default=5, help="how many (default: 5)")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="of a RetinaFace")
    parser.add_argument("--data", type=Path, default=Path(), help="folder that the recipe's paths start at")
    parser.add_argument("--init", type=Path, metavar="FILE", help="weights to start from; random if none")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="weights that complete the labels")
    parser.add_argument(
        "--set",
        dest="values",
        type=_value,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value for a key of the recipe, as YAML: rounds=2",
    )
    parser.add_argument(
        "--classifier", type=Path, metavar="FILE", help="judges found faces; else the shipped one"
    )
    parser.add_argument(
        "--input-size", type=input_size, metavar="PX", help="longest side at which folds are measured"
    )
    parser.add_argument(
        "--least-height", type=float, default=0.0, metavar="PX", help="smaller faces do not count"
    )
    parser.add_argument("--min-score", type=share, default=0.5, metavar="SCORE", help="least score of a face")
    parser.add_argument("--seed", type=int, default=1, help="of the folds")
    parser.add_argument(
        "--no-look", action="store_true", help="do not compare pictures of no group with each other"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what the folds are made of, and stop")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="of the runs; an existing one continues")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    return parser


def _value(text: str) -> tuple[str, object]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError("expected KEY=VALUE")
    try:
        loaded = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is no YAML") from error
    return key, tuple(loaded) if isinstance(loaded, list) else loaded


def _recipe(options: argparse.Namespace) -> "RetinaFaceRecipe":
    from models.training.retinaface_recipe import RetinaFaceRecipe, read_recipe  # noqa: PLC0415

    recipe = read_recipe(options.recipe, data=options.data, init=options.init, teacher=options.teacher)
    values = dict(options.values)
    simple = {field.name for field in fields(RetinaFaceRecipe)} - {
        "sets",
        "loss",
        "matching",
        "init",
        "teacher",
    }
    if unknown := sorted(set(values) - simple):
        raise TrainingError(f"--set {unknown[0]}: a recipe has {', '.join(sorted(simple))}")
    try:
        return replace(recipe, **values)
    except TypeError as error:
        raise TrainingError(f"--set: {error}") from error


def _write_page(folder: Path, folds: Table, summary: Table, done: "Sequence[FoldFigures]") -> Path:
    plot = folder / "folds.png"
    names = [name for name in ("mAP50", "mAP", "face AP50", "face AP", "recall") if name in done[0].figures]
    numbers = [one.number for one in done]
    plot_lines(
        [
            Line(numbers, [one.figures.get(name) or 0.0 for one in done], name, colour=index, dots=True)
            for index, name in enumerate(names)
        ],
        plot,
        title="Figures by fold",
        x_label="fold",
        y_label="figure",
    )
    sections = [
        Section("Summary", tables=(summary,), plots=((plot, "figures by fold"),)),
        Section("Folds", tables=(folds,)),
    ]
    note = "RetinaFace trained anew for each fold; curves of the losses: tensorboard --logdir."
    return write_report(folder, title="Cross-validation", note=note, sections=sections)


if __name__ == "__main__":
    sys.exit(main())
