"""A hard-hat rule from detections to messages: evidence, pictures, counts, and nobody else's head in the picture."""

import json

import cv2
import numpy as np
import pytest
from site_of_one import IMAGE_HW, START

from models.pictures import ArrayPicture
from models.structures import Category, Detections, Gear
from rules import CameraEngine, Rule
from streamer.alerts.privacy import Blur, heads_to_blur
from streamer.frame import Frame
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.compliance_payload import compliance_states
from streamer.judging.shown import bodies_shown, heads_shown, shapes_shown
from streamer.judging.view import CameraView, SnapshotStyle

C = Category
WORKER, COLLEAGUE = 200.0, 420.0
ON_HEAD = np.zeros((28, 28), np.float32)
ON_HEAD[:14] = 1.0
WHOLE = np.ones((28, 28), np.float32)


def seen(*rows):
    """Detections of rows (category, box, score, pixels)."""
    return Detections(
        image_hw=IMAGE_HW,
        boxes_xyxy=np.array([box for _, box, _, _ in rows], np.float32).reshape(-1, 4),
        scores=np.array([score for _, _, score, _ in rows], np.float32),
        class_ids=np.array([int(kind) for kind, _, _, _ in rows], np.int32),
        input_scale=2.0,
        seg_masks=np.array([pixels for _, _, _, pixels in rows], np.float32).reshape(-1, 28, 28),
    )


def head(kind, x, score=0.95, pixels=WHOLE):
    return kind, (x - 16, 60, x + 16, 100), score, pixels


def body(x):
    return C.PERSON, (x - 45, 60, x + 45, 340), 0.95, WHOLE


def carried(x):
    return C.HARD_HAT, (x + 20, 180, x + 52, 202), 0.9, WHOLE


def frame(at_s):
    y, x = np.mgrid[: IMAGE_HW[0], : IMAGE_HW[1]]
    checks = (((x // 2 + y // 2) % 2) * 200 + 30).astype(np.uint8)
    return Frame(
        "gate", round(at_s * 5), at_s, START + at_s, 0.0, ArrayPicture(np.repeat(checks[..., None], 3, 2))
    )


@pytest.fixture
def judge():
    engine = CameraEngine(
        "gate",
        zones=[],
        rules=[Rule("hats", (Gear.HARD_HAT,), dwell_s=1.0, clear_s=1.0, cooldown_s=0.0)],
        timezone="UTC",
    )
    style = SnapshotStyle(max_bytes=10_000_000, quality=100)
    view = CameraView(
        camera_id="gate",
        site="yard",
        topic_prefix="ppewatch/yard",
        config_revision="sha256:abc",
        snapshots=style,
    )
    made = CameraJudge(engine, view, new_alert_id=lambda violation: violation.violation_id.replace("/", "-"))
    made.model_digests = {"retinaface": "sha256:1", "maskrcnn": "sha256:2"}
    return made


def visit(judge, *rows, until_s=4.0):
    alerts = []
    for n in range(round(until_s * 5)):
        alerts += judge.look(frame(n / 5), seen(*rows))
    return alerts


def contrast(jpeg, box):
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    x1, y1, x2, y2 = box
    return float(np.abs(np.diff(picture[y1:y2, x1:x2].astype(int), axis=1)).mean())


def test_somebody_seen_from_behind_is_alerted_and_the_colleague_is_blurred(judge):
    worker = (head(C.BARE_HEAD, WORKER), body(WORKER), carried(WORKER))
    colleague = (head(C.HARD_HAT, COLLEAGUE, pixels=ON_HEAD), body(COLLEAGUE))
    (opened,) = visit(judge, *worker, *colleague)
    told = opened.alert
    assert (told.type, told.missing) == ("new", ("hard_hat",))
    assert told.evidence["hard_hat"].state == "missing"
    assert told.evidence["hard_hat"].reason == "bare head 0.95, no hard hat on it, one is carried"
    assert dict(told.models) == {"retinaface": "sha256:1", "maskrcnn": "sha256:2"}
    assert (told.box_xyxy[0] + told.box_xyxy[2]) / 2 == pytest.approx(WORKER, abs=2)
    # faces of neither were seen; the head below the hat is blurred all the same
    assert contrast(opened.jpeg, (190, 75, 210, 98)) > 40
    assert contrast(opened.jpeg, (410, 85, 430, 98)) < 12


def test_a_body_without_a_head_and_without_a_track_is_blurred_too(judge):
    bystander = (C.PERSON, (375, 60, 465, 340), 0.3, WHOLE)
    (opened,) = visit(judge, head(C.BARE_HEAD, WORKER), body(WORKER), bystander)
    assert contrast(opened.jpeg, (190, 75, 210, 98)) > 40
    assert contrast(opened.jpeg, (410, 75, 430, 98)) < 12


def test_the_pixels_of_hats_are_drawn(judge):
    worker = (head(C.BARE_HEAD, WORKER), body(WORKER))
    (with_hat,) = visit(judge, *worker, carried(WORKER))
    picture = cv2.imdecode(np.frombuffer(with_hat.jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)
    hat, shirt = picture[185:198, 223:239], picture[185:198, 160:176]
    assert (hat[..., 0] - hat[..., 2]).mean() > 30, "tinted blue"
    assert abs((shirt[..., 0] - shirt[..., 2]).mean()) < 10


def test_nobody_who_wears_a_hat_is_alerted_and_both_are_counted(judge):
    worker = (head(C.BARE_HEAD, WORKER), body(WORKER))
    colleague = (
        head(C.HARD_HAT, COLLEAGUE, pixels=ON_HEAD),
        head(C.BARE_HEAD, COLLEAGUE, 0.2),
        body(COLLEAGUE),
    )
    visit(judge, *worker, *colleague)
    ((_, message),) = compliance_states("gate", judge.compliance())
    now = json.loads(message)["gear"]["hard_hat"]["now"]
    assert (now["with"], now["without"]) == (1, 1)


# --- what a frame shows ------------------------------------------------------------------------------


def test_every_head_is_shown_with_the_face_in_it():
    wide_hat = (C.HARD_HAT, (100.0, 50.0, 140.0, 70.0), 0.1, WHOLE)
    mask = (C.FACE_MASK, (300.0, 90.0, 330.0, 110.0), 0.1, WHOLE)
    found = seen(head(C.BARE_HEAD, WORKER), body(WORKER), wide_hat, mask)
    bare, under_hat, around_mask = heads_shown(found)
    assert bare == (184, 60, 216, 100)
    assert under_hat[:2] == (100, 50)
    assert under_hat[3] > 90, "the face below the hat"
    assert around_mask[1] <= 70
    assert around_mask[3] == 110
    assert bodies_shown(found) == [(155, 60, 245, 340)]
    assert shapes_shown(found) == [], "too doubtful to be drawn"


def test_a_violators_own_body_is_not_blurred_and_a_strangers_is():
    own, stranger = (155.0, 60.0, 245.0, 340.0), (180.0, 80.0, 290.0, 345.0)
    heads = heads_to_blur(
        Blur.BYSTANDERS,
        faces_xyxy=[],
        violator_xyxy=own,
        violator_head_xyxy=(184.0, 60.0, 216.0, 100.0),
        others_xyxy=[],
        bodies_xyxy=[own, stranger],
    )
    assert len(heads) == 1
    assert heads[0][1] == 80
    # a box that was cut off at the waist is still the violator's
    waist = (160.0, 62.0, 240.0, 180.0)
    assert (
        heads_to_blur(
            Blur.BYSTANDERS,
            faces_xyxy=[],
            violator_xyxy=own,
            violator_head_xyxy=(184.0, 60.0, 216.0, 100.0),
            others_xyxy=[],
            bodies_xyxy=[waist],
        )
        == []
    )
