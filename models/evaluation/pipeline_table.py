"""Figures of face pipelines as tables."""

from collections.abc import Sequence

from models.evaluation.coco_precision import IOU_THRESHOLDS
from models.evaluation.pipeline_counts import Identified
from models.evaluation.pipeline_figures import HeightGroup, PipelineFigures
from models.evaluation.pipeline_precision import finite
from models.evaluation.tables import NOTHING, Table, number
from models.structures import FACE_MASK_CLASSES

_SHORT: dict[str, str] = {
    "face_with_mask": "with",
    "face_without_mask": "without",
    "face_mask_incorrect": "incorrect",
}


def pipeline_tables(many: Sequence[PipelineFigures]) -> list[Table]:
    """Everything, pipelines and input sizes below each other."""
    return [
        _headline(many),
        _precision(many),
        _identified(many),
        _false_faces(many),
        _curve(many),
        *(
            _by_height(figures, title, groups)
            for figures in many
            for title, groups in (
                ("height in the picture", figures.heights),
                ("height at the network's input", figures.input_heights),
            )
        ),
    ]


def label_of(figures: PipelineFigures) -> tuple[str, str]:
    """Name and input size, the first two columns of every table."""
    return figures.name, str(figures.input_size_px or "product's")


def _headline(many: Sequence[PipelineFigures]) -> Table:
    names = ("TNR", "FNR", "accuracy", "found", "ROC AUC", "ROC AUC found")
    return Table(
        title=f"Rates (score {many[0].score_threshold} and more{_least(many[0])}; 95 % intervals over pictures)",
        head=("pipeline", "input", *names, "TNR found", "FNR found", "incorrect alarms"),
        rows=tuple(
            (
                *label_of(one),
                *(_with_interval(one, name) for name in names),
                number(one.rates.tnr_found),
                number(one.rates.fnr_found),
                number(one.rates.incorrect_alarms),
            )
            for one in many
        ),
        names=2,
        note="TNR: share of the labelled unmasked faces that is found and called unmasked. FNR: share of the labelled "
        "masked faces that is found and called unmasked. Missed faces count among the labelled ones of both; 'found' "
        "leaves them out. ROC AUC: missed faces counted as masked. Accuracy: all three states found and told right.",
    )


def _precision(many: Sequence[PipelineFigures]) -> Table:
    states = [category.label for category in FACE_MASK_CLASSES]
    names = ("mAP50", *(f"AP50 {state}" for state in states), "mAP", *(f"AP {state}" for state in states))
    return Table(
        title=f"Average precision at IoU 0.5, and mean over 0.5 to 0.95{_least(many[0])}",
        head=(
            "pipeline",
            "input",
            *(name.replace("face_", "").replace("_mask", "").replace("mask_", "") for name in names),
            "AP50 face",
            "AP face",
        ),
        rows=tuple(
            (
                *label_of(one),
                *(_with_interval(one, name) for name in names),
                number(one.faces.ap50),
                number(one.faces.ap),
            )
            for one in many
        ),
        names=2,
        note="As COCO counts it. Every found face is a detection of each state, with its score times that state's "
        "probability.",
    )


def _identified(many: Sequence[PipelineFigures]) -> Table:
    rows = []
    for one in many:
        kinds: list[tuple[str, Identified]] = [
            ("masked", one.by_mask[0]),
            ("unmasked", one.by_mask[1]),
            *((category.label, row) for category, row in zip(FACE_MASK_CLASSES, one.by_state, strict=True)),
        ]
        for kind, counts in kinds:
            called = (
                tuple(f"{count:.0f}" for count in one.confusion[_state(kind)][:3])
                if kind in _SHORT
                else (NOTHING,) * 3
            )
            rows.append(
                (
                    *label_of(one),
                    kind,
                    *(
                        str(value)
                        for value in (
                            counts.labelled,
                            counts.right,
                            counts.wrong,
                            counts.missed,
                            counts.loose,
                        )
                    ),
                    *called,
                )
            )
    return Table(
        title=f"Labelled faces (score {many[0].score_threshold} and more{_least(many[0])})",
        head=(
            "pipeline",
            "input",
            "labelled as",
            "labelled",
            "right",
            "wrong",
            "missed",
            "of these loose",
            *(f"called {name}" for name in _SHORT.values()),
        ),
        rows=tuple(rows),
        names=3,
        note="Right: identified and classified rightly, IoU 0.5. Masked and unmasked: called unmasked when the "
        "probability of a mask worn as required is below a half; the three states: the likeliest one. Loose: missed, "
        "but overlapped by 0.3 or more.",
    )


def _state(label: str) -> int:
    return [category.label for category in FACE_MASK_CLASSES].index(label)


def _false_faces(many: Sequence[PipelineFigures]) -> Table:
    return Table(
        title=f"Found faces that are labelled nowhere (score {many[0].score_threshold} and more)",
        head=("pipeline", "input", "false", *(f"called {name}" for name in _SHORT.values()), "below IoU 0.3"),
        rows=tuple(
            (*label_of(one), str(one.false_faces), *(str(n) for n in one.false_by_state), str(one.away_faces))
            for one in many
        ),
        names=2,
    )


def _curve(many: Sequence[PipelineFigures]) -> Table:
    return Table(
        title="Average precision over the IoU that a detection must reach",
        head=("pipeline", "input", "of", *(f"{value:.2f}" for value in IOU_THRESHOLDS)),
        rows=tuple(
            (*label_of(one), name, *(number(finite(value)) for value in values))
            for one in many
            for name, values in (
                *(
                    (category.label, state.by_threshold)
                    for category, state in zip(FACE_MASK_CLASSES, one.states, strict=True)
                ),
                ("face", one.faces.by_threshold),
            )
        ),
        names=3,
    )


def _by_height(figures: PipelineFigures, title: str, groups: Sequence[HeightGroup]) -> Table:
    return Table(
        title=f"{' '.join(label_of(figures))}: by {title}",
        head=(
            "faces",
            "labelled",
            "found",
            "accuracy",
            "TNR",
            "FNR",
            *(f"{name} right/wrong/missed" for name in _SHORT.values()),
        ),
        rows=tuple(
            (
                group.title,
                str(group.labelled),
                number(group.rates.found),
                number(group.rates.accuracy),
                number(group.rates.tnr),
                number(group.rates.fnr),
                *(f"{one.right}/{one.wrong}/{one.missed}" for one in group.by_state),
            )
            for group in groups
        ),
    )


def _with_interval(figures: PipelineFigures, name: str) -> str:
    value, interval = figures.headline[name], figures.intervals.get(name)
    if value is None or interval is None:
        return number(value)
    return f"{value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _least(figures: PipelineFigures) -> str:
    return f"; faces of {figures.least_height_px:g} px and more" if figures.least_height_px else ""
