"""Alert-level figures against hand-counted cases."""

import json

import pytest

from streamer.replay.truth import RaisedAlert, Truth, TruthEvent, TruthFileError, compare, read_truth

LEFT = (0.0, 0.0, 10.0, 10.0)
RIGHT = (50.0, 0.0, 60.0, 10.0)


def test_found_missed_false_and_late_are_counted():
    truth = Truth(
        duration_s=1800,
        events=(
            TruthEvent("face_mask", 10, 20, LEFT),
            TruthEvent("face_mask", 10, 20, RIGHT),
            TruthEvent("hard_hat", 100, 120),
        ),
    )
    figures = compare(
        truth,
        [
            RaisedAlert("face_mask", 12.5, LEFT),
            RaisedAlert("face_mask", 15.0, LEFT),  # the same event again
            RaisedAlert("hard_hat", 50.0, LEFT),  # nothing happened then
            RaisedAlert("hard_hat", 121.0, LEFT),  # within the grace after the end
        ],
    )
    assert (figures.found, figures.missed, figures.false_alerts) == (2, 1, 2)
    assert figures.false_per_camera_hour == pytest.approx(4.0)
    assert figures.times_to_alert_s == (2.5, 21.0)


def test_an_alert_before_the_event_or_for_other_gear_is_false():
    truth = Truth(60, (TruthEvent("face_mask", 10, 20),))
    early, other = RaisedAlert("face_mask", 9.9, LEFT), RaisedAlert("hard_hat", 12, LEFT)
    assert compare(truth, [early, other]).false_alerts == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting"),
        ("[]", "duration_s"),
        (json.dumps({"duration_s": 0, "events": []}), "above 0"),
        (json.dumps({"duration_s": 9, "events": [{"gear": "face_mask"}]}), r"events\[0\]"),
        (
            json.dumps({"duration_s": 9, "events": [{"gear": "x", "started_at_s": 5, "ended_at_s": 2}]}),
            "ends before",
        ),
        (
            json.dumps(
                {"duration_s": 9, "events": [{"gear": "x", "started_at_s": 1, "ended_at_s": 2, "box": [1]}]}
            ),
            r"events\[0\]",
        ),
    ],
)
def test_a_wrong_truth_file_is_explained(tmp_path, text, said):
    path = tmp_path / "events.json"
    path.write_text(text)
    with pytest.raises(TruthFileError, match=said):
        read_truth(path)
