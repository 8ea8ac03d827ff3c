"""What the labels of each source mean to Mask R-CNN: a table in YAML, and the pictures put into its terms.

Shapes: G things, I ignored regions, K categories, F faces,
P corners of a polygon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from models.data.annotated import AnnotatedObject, AnnotatedPicture, Box
from models.errors import TrainingError


@dataclass(frozen=True, slots=True)
class LabelRule:
    """What a label of a source becomes: a thing, an ignored region or nothing.

    - ``is_``: the categories that the thing may be. Written ``is`` in the table.
    - ``ignored``: neither thing nor background. ``dropped``: no word of it.
    - ``least_height_by_width``: a box lower than this many times its width is that of the hat alone, and
      grows downward to the head's; 0 leaves it. Polygons stay as they are.
    """

    is_: tuple[str, ...] = ()
    ignored: bool = False
    dropped: bool = False
    least_height_by_width: float = 0.0

    def __post_init__(self) -> None:
        if bool(self.is_) + self.ignored + self.dropped != 1:
            raise ValueError("a label needs one of: is, ignored, dropped")


@dataclass(frozen=True, slots=True)
class SourceRules:
    """How one source labels.

    - ``labels``: by the source's own names.
    - ``labelled``: categories of which every instance has a label. ``labelled_where``: more of them, for
      pictures on which a label of that name occurs. ``labelled_when_empty``: for pictures without a label.
      The former does not count for the files of ``not_exhaustive``.
    - ``corrections``: by file name, the place of an object in the source's order and the rule that replaces
      its label's.
    """

    labels: Mapping[str, LabelRule]
    labelled: tuple[str, ...] = ()
    labelled_where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labelled_when_empty: tuple[str, ...] = ()
    not_exhaustive: frozenset[str] = frozenset()
    corrections: Mapping[str, Mapping[int, LabelRule]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A picture in the network's terms, in pixels of the picture as read.

    - ``boxes_xyxy`` float32 (G, 4), ``admissible`` bool (G, K), ``polygons`` (G,): each float32 (P, 2), none
      where only the box is known. ``ignored_xyxy`` float32 (I, 4). ``labelled`` bool (K,). See ``Canvas``.
    - ``bare_faces_xy`` float32 (F, 5, 2): landmarks of faces without a face mask, as far as they are known.
    """

    path: Path
    image_hw: tuple[int, int]
    boxes_xyxy: NDArray[np.float32]
    admissible: NDArray[np.bool_]
    polygons: tuple[tuple[NDArray[np.float32], ...], ...]
    ignored_xyxy: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    source: str = ""
    group: str = ""
    bare_faces_xy: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 5, 2), np.float32))


class LabelTable:
    """The rules of all sources, by their names."""

    def __init__(self, sources: Mapping[str, SourceRules]) -> None:
        self.sources = dict(sources)

    def example(self, picture: AnnotatedPicture, categories: Sequence[str]) -> Example:
        """The picture in terms of ``categories``; what is none of them is ignored.

        Raises ``TrainingError`` for a source or a label that the table does not name.
        """
        if picture.source not in self.sources:
            raise TrainingError(f"{picture.path}: the table of labels does not name {picture.source!r}")
        rules = self.sources[picture.source]
        corrections = rules.corrections.get(picture.path.name, {})
        things: list[tuple[Box, list[bool], tuple[NDArray[np.float32], ...]]] = []
        ignored: list[Box] = []
        for index, labelled_object in enumerate(picture.objects):
            rule = corrections.get(index) or rules.labels.get(labelled_object.category)
            if rule is None:
                raise TrainingError(
                    f"{picture.path}: the table of labels does not name {labelled_object.category!r} "
                    f"of {picture.source}"
                )
            if rule.dropped:
                continue
            box = _box(labelled_object, rule, picture.image_hw)
            admissible = [category in rule.is_ for category in categories]
            # a category that is not asked for is no background either: nobody says that it is none of the others
            if rule.ignored or labelled_object.ignored or not any(admissible):
                ignored.append(box)
            else:
                things.append((box, admissible, labelled_object.polygons))
        return Example(
            path=picture.path,
            image_hw=picture.image_hw,
            boxes_xyxy=np.array([box for box, _, _ in things], np.float32).reshape(-1, 4),
            admissible=np.array([may_be for _, may_be, _ in things], np.bool_).reshape(-1, len(categories)),
            polygons=tuple(polygons for _, _, polygons in things),
            ignored_xyxy=np.array(ignored, np.float32).reshape(-1, 4),
            labelled=np.isin(categories, list(_exhaustive(picture, rules))),
            source=picture.source,
            group=picture.group or picture.camera,
        )


def read_label_table(path: Path) -> LabelTable:
    """Read a table: ``sources``, a mapping of names to the keys of ``SourceRules`` and ``LabelRule``.

    Raises ``TrainingError`` when the file is missing, no YAML, or has a wrong key or value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise TrainingError(f"{path}: is no YAML: {error}") from error
    try:
        return LabelTable({str(name): _source(rules) for name, rules in content["sources"].items()})
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise TrainingError(f"{path}: is no table of labels: {error}") from error


def _source(values: Mapping[str, Any]) -> SourceRules:
    unknown = set(values) - {known.name for known in fields(SourceRules)}
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
    return SourceRules(
        labels={str(name): _rule(rule) for name, rule in values["labels"].items()},
        labelled=tuple(values.get("labelled", ())),
        labelled_when_empty=tuple(values.get("labelled_when_empty", ())),
        labelled_where={str(name): tuple(found) for name, found in values.get("labelled_where", {}).items()},
        not_exhaustive=frozenset(values.get("not_exhaustive", ())),
        corrections=_corrections(values.get("corrections", ())),
    )


def _corrections(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, LabelRule]]:
    corrections: dict[str, dict[int, LabelRule]] = {}
    for row in rows:
        rule = _rule(row["becomes"])
        for file_name, indices in row["objects"].items():
            corrections.setdefault(str(file_name), {}).update({int(index): rule for index in indices})
    return corrections


def _rule(values: Mapping[str, Any]) -> LabelRule:
    given = {("is_" if name == "is" else name): value for name, value in values.items()}
    if "is_" in given:
        given["is_"] = tuple(given["is_"])
    return LabelRule(**given)


def _box(labelled_object: AnnotatedObject, rule: LabelRule, image_hw: tuple[int, int]) -> Box:
    x1, y1, x2, y2 = labelled_object.box_xyxy
    if rule.least_height_by_width and y2 < image_hw[0]:
        # what the picture's lower border cuts stays cut
        y2 = max(y2, min(float(image_hw[0]), y1 + rule.least_height_by_width * (x2 - x1)))
    return x1, y1, x2, y2


def _exhaustive(picture: AnnotatedPicture, rules: SourceRules) -> set[str]:
    exhaustive = set(rules.labelled)
    if not picture.objects:
        return exhaustive | set(rules.labelled_when_empty)
    if picture.path.name in rules.not_exhaustive:
        return exhaustive
    names = {labelled_object.category for labelled_object in picture.objects}
    return exhaustive.union(*(rules.labelled_where.get(name, ()) for name in names))
