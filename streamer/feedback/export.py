"""Frames that people have judged as a COCO data set: the models' boxes as suggestions, and what the verdicts say.

===================  ========================================================================================
verdict              the boxes of the one whom the alert was about
===================  ========================================================================================
``true_alarm``       stay as they are
``wrong_zone``       stay as they are
``not_a_person``     are left out: there is nothing
``face_mask_worn``   a bare or half covered face becomes ``face_with_mask``, ``corrected_from`` names the state before
``hard_hat_worn``    a bare head is ignored, and ``suggested`` says ``hard_hat``: the box of a hat is another one
any other            are ignored: nobody knows what they are
===================  ========================================================================================

Boxes below ``SURE``, and those of which a good part is blurred or black, are ignored too. A picture is labelled
completely (``labelled``) only where that is asked for.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.annotated import AnnotatedObject, AnnotatedPicture
from models.data.writers.coco import write_coco
from models.data.writers.placement import place_pictures
from models.errors import DataSetError
from models.structures import FACE_CATEGORIES, Category
from rules.geometry import Box, area, covered
from rules.proportions import head_from_body
from streamer.alerts.privacy import black_out
from streamer.feedback.reader import StoredExample
from streamer.feedback.words import AlertNote, Verdict

FILE: Final = "annotations.json"
#: A suggestion that is less sure is no label.
SURE: Final = 0.5
#: A box of which more than this is hidden shows too little.
_HIDDEN: Final = 0.2
_FACES: Final = frozenset(category.label for category in FACE_CATEGORIES)
_HEADS: Final = _FACES | {
    Category.BARE_HEAD.label,
    Category.HARD_HAT.label,
    Category.HAT.label,
    Category.FACE_MASK.label,
}
#: By model, what it looks for.
_LOOKS_FOR: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "retinaface": _FACES,
        "maskrcnn": frozenset(category.label for category in Category) - _FACES,
    }
)


def write_examples(
    examples: Sequence[StoredExample], folder: Path, *, site: str, complete: bool = False
) -> Path:
    """Write the set into ``folder`` and return its COCO file.

    ``complete``: take the models' boxes for all that there is, but for what the verdicts say, so that the rest of each
    picture teaches what is nothing. Examples whose picture is gone are left out.
    Raises ``DataSetError`` when there is a set already, ``OSError`` when it cannot be written.
    """
    file = folder / FILE
    if file.exists():
        raise DataSetError(f"{file}: exists already; choose another folder")
    there = [example for example in examples if example.picture.exists()]
    names = [f"images/{example.alert_id}.jpg" for example in there]
    facts = [json.loads(example.facts) for example in there]
    pictures = [
        _picture(example, told, site=site, complete=complete)
        for example, told in zip(there, facts, strict=True)
    ]
    place_pictures(pictures, names, folder, "copy")
    write_coco(pictures, names, file)
    _add_verdicts(file, there, facts)
    return file


def objects_of(facts: Mapping[str, Any], note: AlertNote) -> list[AnnotatedObject]:
    """The boxes of one frame, as its verdict leaves them."""
    hidden = _hidden_pixels(facts)
    head = _box(facts["head"]) if facts["head"] else head_from_body(_box(facts["box"]))
    found = []
    for row in facts["detections"]:
        box, category = _box(row["box"]), str(row["category"])
        if area(box) <= 0:
            continue
        attributes = {"score": f"{row['score']:.4f}"}
        ignored = row["score"] < SURE or _share_hidden(hidden, box) > _HIDDEN
        if _is_of_subject(category, box, head, _box(facts["box"])):
            if note.what == "not_a_person":
                continue
            attributes["subject"] = "true"
            category, unsure = _judged(category, note, attributes)
            ignored = ignored or unsure
        found.append(
            AnnotatedObject(
                category=category,
                box_xyxy=box,
                polygons=tuple(
                    np.asarray(polygon, np.float32).reshape(-1, 2) for polygon in row.get("polygons", ())
                ),
                ignored=ignored,
                attributes=MappingProxyType(attributes),
            )
        )
    return found


def _judged(category: str, note: AlertNote, attributes: dict[str, str]) -> tuple[str, bool]:
    """The category that the verdict leaves to a box of the alert's person, and whether it is to be ignored."""
    if note.verdict is Verdict.TRUE_ALARM or note.what == "wrong_zone":
        return category, False
    worn = Category.FACE_WITH_MASK.label
    if note.what == "face_mask_worn" and category in _FACES:
        if category != worn:
            attributes["corrected_from"] = category
        return worn, False
    if note.what == "hard_hat_worn":
        if category in {Category.BARE_HEAD.label, Category.HAT.label}:
            attributes["suggested"] = Category.HARD_HAT.label
            return category, True
        # what the verdict does not speak of
        return category, False
    if note.what == "face_mask_worn":
        return category, False
    return category, True


def _is_of_subject(category: str, box: Box, head: Box, body: Box) -> bool:
    """Whether a box is of the person whom the alert was about."""
    if category in _HEADS:
        width, height = head[2] - head[0], head[3] - head[1]
        around = (head[0] - width / 2, head[1] - height / 2, head[2] + width / 2, head[3] + height / 2)
        return covered(box, around) >= 0.5
    return covered(box, body) >= 0.6 and covered(body, box) >= 0.6


def _picture(
    example: StoredExample, facts: Mapping[str, Any], *, site: str, complete: bool
) -> AnnotatedPicture:
    width, height = facts["frame_size"]
    objects = tuple(objects_of(facts, example.note))
    labelled: frozenset[str] = frozenset()
    if complete:
        labelled = frozenset().union(*(_LOOKS_FOR.get(model, frozenset()) for model in facts["models"]))
    return AnnotatedPicture(
        path=example.picture,
        image_hw=(height, width),
        objects=objects,
        labelled=labelled,
        source=f"feedback-{site}",
        # pictures of one camera share their background
        group=f"{site}-{example.camera}",
        camera=example.camera,
    )


def _add_verdicts(file: Path, examples: Sequence[StoredExample], facts: Sequence[Mapping[str, Any]]) -> None:
    """Write beside each picture what was said of it; readers of COCO files take the words as attributes."""
    document = json.loads(file.read_text(encoding="utf-8"))
    for image, example, told in zip(document["images"], examples, facts, strict=True):
        image["alert_id"] = example.alert_id
        image["verdict"] = str(example.note.verdict)
        if example.note.what:
            image["what"] = example.note.what
        if example.note.note:
            image["note"] = example.note.note
        image["rule"] = told["rule"]
        image["date_captured"] = datetime.fromtimestamp(example.frame_time, UTC).isoformat(
            timespec="milliseconds"
        )
        # lists are for people: what the alert said was missing, and where
        image["missing"] = told["missing"]
        image["alert_box"] = told["box"]
    file.write_text(json.dumps(document), encoding="utf-8")


def _hidden_pixels(facts: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which pixels of the frame are black or blurred, (H, W)."""
    width, height = facts["frame_size"]
    seen = np.ones((height, width, 1), np.uint8)
    black_out(seen, facts["polygons"])
    for x1, y1, x2, y2 in facts["hidden"]:
        seen[max(0, int(y1)) : max(0, int(y2) + 1), max(0, int(x1)) : max(0, int(x2) + 1)] = 0
    return np.asarray(seen[:, :, 0] == 0, np.bool_)


def _share_hidden(hidden: NDArray[np.bool_], box: Box) -> float:
    x1, y1, x2, y2 = (max(0, int(value)) for value in box)
    part = hidden[y1 : y2 + 1, x1 : x2 + 1]
    return float(part.mean()) if part.size else 0.0


def _box(values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2
