"""Judged frames as a training set: which boxes a verdict leaves, and that the readers of data sets read it."""

import json

import cv2
import pytest
from alert_factory import CONFIRMED_AT
from alerts.feedback_site import FeedbackSite, example

from models.data.readers import read_pictures
from models.errors import DataSetError
from models.evaluation.coco_faces import read_faces
from streamer.feedback.example import Example
from streamer.feedback.export import objects_of, write_examples
from streamer.feedback.reader import judged_examples
from streamer.feedback.words import AlertNote, Verdict

FACE_FACTS = {
    "missing": ["face_mask"],
    "models": {"retinaface": "sha256:ab"},
    "detections": [
        {"category": "face_without_mask", "box": [83.0, 22.0, 89.0, 30.0], "score": 0.93},
        {"category": "face_with_mask", "box": [10.0, 20.0, 20.0, 28.0], "score": 0.88},
    ],
}


def said(verdict: str = "false_alarm", what: str = "") -> AlertNote:
    return AlertNote("A1", 5.0, verdict=Verdict(verdict), what=what)


def boxes(note: AlertNote, **facts) -> dict[str, bool]:
    """Category of each box, in their order, and whether it is ignored."""
    return {thing.category: thing.ignored for thing in objects_of(example(**facts).facts, note)}


def test_a_right_alarm_leaves_every_box_of_which_the_model_is_sure():
    things = objects_of(example().facts, said("true_alarm"))
    assert [(thing.category, thing.ignored) for thing in things] == [
        ("bare_head", False),
        ("person", False),
        ("hard_hat", False),
        # 0.31
        ("person", True),
    ]
    assert [thing.attributes.get("subject") for thing in things] == ["true", "true", None, None]


def test_of_a_thing_nothing_is_left_and_others_stay():
    assert [thing.category for thing in objects_of(example().facts, said(what="not_a_person"))] == [
        "hard_hat",
        "person",
    ]


def test_a_hat_that_was_worn_leaves_no_bare_head_to_learn_from():
    things = objects_of(example().facts, said(what="hard_hat_worn"))
    head, person, *_ = things
    assert (head.category, head.ignored, head.attributes["suggested"]) == ("bare_head", True, "hard_hat")
    assert (person.category, person.ignored) == ("person", False)


def test_a_mask_that_was_worn_corrects_the_face():
    face, other = objects_of(example(**FACE_FACTS).facts, said(what="face_mask_worn"))
    assert (face.category, face.ignored) == ("face_with_mask", False)
    assert face.attributes["corrected_from"] == "face_without_mask"
    assert "corrected_from" not in other.attributes


@pytest.mark.parametrize(("what", "ignored"), [("", True), ("a_mirror", True), ("wrong_zone", False)])
def test_what_nobody_can_tell_is_ignored(what, ignored):
    assert boxes(said(what=what), **FACE_FACTS)["face_without_mask"] is ignored


def test_what_is_hidden_is_no_label():
    hidden = boxes(said("true_alarm"), **FACE_FACTS, hidden=[[9.0, 19.0, 21.0, 29.0]])
    assert hidden == {"face_without_mask": False, "face_with_mask": True}
    black = [[[0.0, 0.0], [0.2, 0.0], [0.2, 1.0], [0.0, 1.0]]]
    assert boxes(said("true_alarm"), **FACE_FACTS, polygons=black)["face_with_mask"] is True


def test_the_readers_of_data_sets_read_it_and_the_verdicts_stand_beside(tmp_path):
    site = FeedbackSite(tmp_path / "state")
    site.alert("A1", frame=True)
    site.alert("A2", at=CONFIRMED_AT + 86_400)
    site.desk.keep("A2", Example("gate", CONFIRMED_AT + 86_400, example(3).jpeg, example(**FACE_FACTS).facts))
    site.alert("A3", frame=True)
    site.desk.judge("A1", b"true_alarm")
    site.desk.judge("A2", b'{"verdict": "false_alarm", "what": "face_mask_worn", "note": "a scarf"}')
    # beside the daemon that owns the outbox; without a verdict nothing is written
    examples = judged_examples(site.state_dir)
    assert [one.alert_id for one in examples] == ["A1", "A2"]
    file = write_examples(examples, tmp_path / "set", site="yard")
    site.outbox.close()
    first, second = read_pictures(file)
    assert cv2.imread(str(first.path)).shape == (90, 160, 3)
    assert first.path.read_bytes() == example().jpeg
    assert (first.source, first.camera, first.group) == ("feedback-yard", "gate", "yard-gate")
    assert first.labelled == frozenset()
    assert [thing.category for thing in second.objects] == ["face_with_mask"] * 2
    assert second.objects[0].attributes["verdict"] == "false_alarm"
    assert second.objects[0].attributes["what"] == "face_mask_worn"
    # as training reads faces
    assert [len(picture.boxes_xyxy) for picture in read_faces(file)] == [3, 2]
    told = json.loads(file.read_text())["images"][1]
    assert (told["alert_id"], told["verdict"], told["note"]) == ("A2", "false_alarm", "a scarf")
    assert told["missing"] == ["face_mask"]
    with pytest.raises(DataSetError, match="exists already"):
        write_examples(examples, tmp_path / "set", site="yard")


def test_complete_sets_and_those_since_a_time(tmp_path):
    site = FeedbackSite(tmp_path / "state")
    for number in range(2):
        site.alert(f"A{number}", at=CONFIRMED_AT + 3600 * number, frame=True)
        site.desk.judge(f"A{number}", b"true_alarm")
    site.outbox.close()
    (late,) = judged_examples(site.state_dir, since=CONFIRMED_AT + 1)
    (picture,) = read_pictures(write_examples([late], tmp_path / "set", site="yard", complete=True))
    assert picture.labelled == {"hard_hat", "bare_head", "person", "face_mask", "hat"}
