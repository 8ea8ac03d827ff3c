"""The retained compliance messages."""

import json

from models.structures import Gear
from rules import Compliance
from streamer.judging.compliance_payload import compliance_states


def test_camera_and_zones_get_a_topic_each():
    counts = [
        Compliance(None, Gear.FACE_MASK, since=0.0, with_now=2, worn_s=96.0, missing_s=4.0, unknown_s=40.0),
        Compliance("apron", Gear.FACE_MASK, since=0.0, without_now=1, incorrect_now=1),
        Compliance("apron", Gear.HARD_HAT, since=0.0, indeterminate_now=3),
    ]
    told = {topic: json.loads(message) for topic, message in compliance_states("gate", counts)}
    assert set(told) == {"cameras/gate/compliance", "cameras/gate/zones/apron/compliance"}
    whole = told["cameras/gate/compliance"]["gear"]["face_mask"]
    assert whole["now"] == {"with": 2, "without": 0, "incorrect": 0, "indeterminate": 0}
    assert whole["shift"]["worn_share"] == 0.96
    # never a percentage without how much of the time it speaks of
    assert whole["shift"]["observable_share"] == 0.714
    apron = told["cameras/gate/zones/apron/compliance"]
    assert apron["zone"] == "apron"
    assert set(apron["gear"]) == {"face_mask", "hard_hat"}
    assert apron["gear"]["hard_hat"]["shift"]["worn_share"] is None
