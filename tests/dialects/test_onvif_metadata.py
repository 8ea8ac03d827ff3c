"""ONVIF's metadata and events: names as published, coordinates as published, and one property for each rule."""

import json
from dataclasses import replace

import numpy as np
import pytest
from alerts.alert_factory import make_alert
from judging.site_of_one import IMAGE_HW, camera_judge, face, frame

from models.structures import Gear, GearState
from rules.violations import GearVerdict
from streamer.alerts.payload import AlertType
from streamer.dialects.deepstream import minimal_message
from streamer.dialects.onvif import (
    ViolationProperties,
    metadata_message,
    metadata_topic,
    violation_topic,
)

#: ``Accessory`` of ``humanface.xsd``, version 23.12: its elements, and those of an ``AccessoryDescription``.
#: https://www.onvif.org/ver20/analytics/humanface.xsd (wsdl/ver20/analytics of https://github.com/onvif/specs)
ACCESSORIES = {"Opticals", "Hat", "Mask", "Hijab", "Helmet", "Kerchief", "RightEyePatch", "LeftEyePatch"}
DESCRIPTION = {"Wear", "Color"}
#: Values of ``tt:ObjectType``: https://www.onvif.org/ver10/schema/metadatastream.xsd
CLASSES = {"Animal", "Face", "Human", "Bicycle", "Vehicle", "LicensePlate"}


def seen(*, bare=True):
    judge = camera_judge()
    for number in range(16):
        latest = frame(number / 5)
        judge.look(latest, face(number / 5, bare=bare))
    return latest, judge.tracks


def told(*, bare=True):
    latest, tracks = seen(bare=bare)
    (only,) = json.loads(metadata_message("gate", IMAGE_HW, latest.captured_at, tracks))["Frame"]
    return only


@pytest.mark.parametrize(("bare", "wear"), [(True, False), (False, True)])
def test_metadata_uses_the_published_names(bare, wear):
    message = told(bare=bare)
    (person,) = message["Object"]
    appearance = person["Appearance"]
    assert isinstance(person["@ObjectId"], int)
    assert {kind["#text"] for kind in appearance["Class"]["Type"]} <= CLASSES
    accessory = appearance["HumanFace"]["Accessory"]
    assert set(accessory) <= ACCESSORIES
    for description in accessory.values():
        assert {name for name in description if ":" not in name} <= DESCRIPTION
    assert accessory["Mask"]["Wear"] is wear
    # names of our own are declared
    assert set(message["@context"]) == {"ppe"}
    assert metadata_topic("gate") == "onvif-mj/VideoAnalytics/gate/ppewatch"


def test_coordinates_run_from_minus_one_to_one_with_y_upwards():
    shape = told()["Object"][0]["Appearance"]["Shape"]
    box = shape["BoundingBox"]
    assert -1 <= box["@left"] < box["@right"] <= 1
    assert box["@bottom"] < box["@top"] <= 1
    # the head is at a third of the picture's height from the top, and left of its middle or near it
    assert box["@top"] == pytest.approx(1 - 2 * 100 / 360, abs=0.1)
    center = shape["CenterOfGravity"]
    assert box["@left"] < center["@x"] < box["@right"]
    assert box["@bottom"] < center["@y"] < box["@top"]


def test_a_frame_with_nobody_says_that_it_was_looked_at():
    (frame_told,) = json.loads(metadata_message("gate", IMAGE_HW, 1_795_245_242.48, []))["Frame"]
    assert frame_told["@UtcTime"] == "2026-11-21T07:14:02.480Z"
    assert "Object" not in frame_told


def test_what_nobody_can_tell_is_not_told():
    latest, tracks = seen()
    (track,) = tracks
    verdict = GearVerdict(state=GearState.UNKNOWN, score=0.5, reason="too far")
    unknown = replace(track, gear={Gear.FACE_MASK: verdict})
    message = json.loads(metadata_message("gate", IMAGE_HW, latest.captured_at, [unknown]))
    mask = message["Frame"][0]["Object"][0]["Appearance"]["HumanFace"]["Accessory"]["Mask"]
    assert mask == {"ppe:State": "unknown"}


def test_a_property_is_true_while_alerts_are_open():
    properties = ViolationProperties()
    first = make_alert("A1")
    second = make_alert("A2", track_id=18)
    states = []
    for alert in (
        first,
        second,
        replace(first, type=AlertType.UPDATE),
        replace(first, type=AlertType.END, ended_at=1.0, end_reason="worn"),
        replace(second, type=AlertType.END, ended_at=1.0, end_reason="worn"),
    ):
        properties.take(alert, 1_795_245_242.48)
        assert properties.states({"dock"}) == []
        ((topic, payload),) = properties.states({"gate"})
        states.append(json.loads(payload)["Data"])
        assert topic == violation_topic("gate", "hard hats on the apron")
    assert [state["State"] for state in states] == [True, True, True, True, False]
    assert [state["ObjectId"] for state in states] == ["17", "17,18", "17,18", "18", ""]
    assert states[0]["Missing"] == "hard_hat"


def test_the_end_of_an_alert_of_an_earlier_run_makes_a_property_false():
    properties = ViolationProperties()
    end = replace(make_alert("A1"), type=AlertType.END, ended_at=1.0, end_reason="shutdown")
    properties.take(end, 1_795_245_242.48)
    ((_, payload),) = properties.states({"gate"})
    assert json.loads(payload)["Data"] == {"State": False, "ObjectId": "", "Missing": ""}


def test_boxes_end_where_the_picture_ends():
    latest, (track,) = seen()
    height, width = IMAGE_HW
    outside = np.array([-20.0, 100.0, width / 2, height + 300.0], np.float32)
    beyond = replace(track, observation=track.observation._replace(box_xyxy=outside))
    message = json.loads(metadata_message("gate", IMAGE_HW, latest.captured_at, [beyond]))
    shape = message["Frame"][0]["Object"][0]["Appearance"]["Shape"]
    assert shape["BoundingBox"] == {
        "@left": -1.0,
        "@top": pytest.approx(1 - 200 / height, abs=1e-5),
        "@right": 0.0,
        "@bottom": -1.0,
    }
    assert shape["CenterOfGravity"]["@x"] == -0.5
    minimal = json.loads(minimal_message("gate", IMAGE_HW, 75, latest.captured_at, [beyond]))
    assert minimal["objects"][0].split("|")[1:5] == ["0.0", "100.0", f"{width / 2:.1f}", f"{height:.1f}"]


def test_nobody_is_sure_of_what_nobody_can_tell():
    latest, (track,) = seen()
    verdict = GearVerdict(state=GearState.UNKNOWN, score=0.95, reason="too far")
    unknown = replace(track, gear={Gear.FACE_MASK: verdict})
    message = json.loads(minimal_message("gate", IMAGE_HW, 75, latest.captured_at, [unknown]))
    assert message["objects"][0].split("|")[-2:] == ["face_mask:unknown", "0.000"]


def test_rules_of_any_name_have_a_topic():
    topic = violation_topic("gate", "a/b #1 + more")
    assert topic == "onvif-ej/RuleEngine/ppe:Compliance/Violation/&gate/ppewatch/ab 1  more"


def test_deepstream_s_minimal_schema():
    latest, tracks = seen()
    message = json.loads(minimal_message("gate", IMAGE_HW, 75, latest.captured_at, tracks))
    assert (message["version"], message["id"], message["sensorId"]) == ("4.0", "75", "gate")
    (text,) = message["objects"]
    track_id, *box, label, mark, attribute, confidence = text.split("|")
    assert (label, mark, attribute) == ("person", "#", "face_mask:missing")
    assert int(track_id) == tracks[0].track_id
    assert [float(side) for side in box] == pytest.approx(
        np.clip(tracks[0].observation.box_xyxy, 0, IMAGE_HW[::-1] * 2), abs=0.06
    )
    assert 0 < float(confidence) <= 1
    assert json.loads(minimal_message("gate", IMAGE_HW, 76, latest.captured_at + 1, tracks))["objects"] == []
