"""From looks to messages: what a subscriber would get of one bare-faced visitor."""

import json
from hashlib import sha256

import cv2
import numpy as np
import pytest
from judging.site_of_one import IMAGE_HW, START, camera_judge, face, frame

from models.structures import Detections
from rules import EndReason
from streamer.judging.alert_ids import random_alert_id, repeatable_alert_id


def visit(judge, *, until_s: float, bare=lambda _at_s: True):
    alerts = []
    for number in range(round(until_s * 5)):
        at_s = number / 5
        alerts += judge.look(frame(at_s), face(at_s, bare=bare(at_s)))
    return alerts


def test_a_visitor_without_mask_is_told_once_with_a_picture_of_the_deciding_frame():
    judge = camera_judge()
    alerts = visit(judge, until_s=4)
    opened = alerts[0].alert
    told = json.loads(opened.to_json(seq=1))
    assert [alert.alert.type for alert in alerts].count("new") == 1
    assert (told["site"], told["camera"], told["zone"], told["rule"]) == ("yard", "gate", None, "masks")
    assert told["missing"] == ["face_mask"]
    assert told["severity"] == "detection"
    assert told["frame_size"] == [IMAGE_HW[1], IMAGE_HW[0]]
    assert told["models"] == {"retinaface": "sha256:1"}
    assert told["config_revision"] == "sha256:abc"
    assert told["evidence"]["face_mask"]["state"] == "missing"
    assert told["snapshot"]["topic"] == f"ppewatch/yard/alerts/{told['alert_id']}/snapshot"
    assert told["snapshot"]["sha256"] == sha256(alerts[0].jpeg).hexdigest()
    assert told["snapshot"]["frame_time"] == told["confirmed_at"]
    picture = cv2.imdecode(np.frombuffer(alerts[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] == IMAGE_HW[1]
    assert any(entry["event"] for entry in alerts[0].trace)


def test_all_steps_of_an_episode_carry_one_id_and_the_next_episode_another():
    judge = camera_judge()
    alerts = visit(judge, until_s=12, bare=lambda at_s: not 4 <= at_s < 8)
    ids = [(alert.alert.type, alert.alert.alert_id) for alert in alerts if alert.alert.type != "update"]
    assert [kind for kind, _ in ids] == ["new", "end", "new"]
    assert ids[0][1] == ids[1][1] != ids[2][1]
    ended = alerts[[alert.alert.type for alert in alerts].index("end")]
    assert ended.alert.end_reason == "worn"
    assert ended.jpeg is None
    assert ended.alert.snapshot is None


def test_finish_ends_what_is_open_and_nothing_else():
    judge = camera_judge()
    assert judge.finish(EndReason.SHUTDOWN, START) == []
    visit(judge, until_s=4)
    (ended,) = judge.finish(EndReason.SHUTDOWN, START + 4)
    assert (ended.alert.type, ended.alert.end_reason) == ("end", "shutdown")
    assert ended.alert.image_hw == IMAGE_HW


def test_a_camera_without_frames_ends_its_episode_as_lost():
    judge = camera_judge()
    visit(judge, until_s=4)
    assert judge.advance(START + 10) == []
    (ended,) = judge.advance(START + 60)
    assert ended.alert.end_reason == "camera_lost"
    assert ended.alert.ended_at == pytest.approx(START + 3.8)


def test_snapshots_can_be_switched_off_and_the_alert_still_comes():
    (opened, *_) = visit(camera_judge(enabled=False), until_s=3)
    assert opened.jpeg is None
    assert json.loads(opened.alert.to_json(seq=1))["snapshot"] is None


def test_a_budget_that_no_picture_meets_costs_the_picture_and_not_the_alert(caplog):
    (opened, *_) = visit(camera_judge(max_bytes=100), until_s=3)
    assert opened.alert.type == "new"
    assert opened.jpeg is None
    assert "no snapshot" in caplog.text


def test_nobody_there_is_no_alert():
    judge = camera_judge()
    for number in range(30):
        assert judge.look(frame(number / 5), Detections.empty(IMAGE_HW, 2.0)) == []


def test_the_same_visit_gives_the_same_messages_to_the_byte():
    first, second = (
        [alert.alert.to_json(seq=1) for alert in visit(camera_judge(), until_s=5)] for _ in range(2)
    )
    assert first == second


def test_ids_of_episodes():
    judge = camera_judge()
    judge._composer._new_alert_id = repeatable_alert_id
    (opened, *_) = visit(judge, until_s=3)
    again = camera_judge()
    again._composer._new_alert_id = repeatable_alert_id
    assert visit(again, until_s=3)[0].alert.alert_id == opened.alert.alert_id
    other = camera_judge()
    other._composer._new_alert_id = random_alert_id
    assert visit(other, until_s=3)[0].alert.alert_id[:8] == opened.alert.alert_id[:8]
    assert len(opened.alert.alert_id) == 26
