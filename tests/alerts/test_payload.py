"""The wire form of alerts: the contract's bytes, whatever goes in."""

import hashlib
import json
import math
from datetime import UTC, datetime

import pytest
from alert_factory import CONFIRMED_AT, PREFIX, make_alert
from hypothesis import given
from hypothesis import strategies as st

from streamer.alerts.payload import (
    AlertType,
    finish_message,
    pixel_box,
    snapshot_topic,
    stats_json,
    utc_iso,
)

#: The fields of the contract's example, in its order.
CONTRACT_FIELDS = [
    "schema",
    "type",
    "alert_id",
    "seq",
    "site",
    "camera",
    "zone",
    "rule",
    "missing",
    "severity",
    "track_id",
    "score",
    "box",
    "frame_size",
    "started_at",
    "confirmed_at",
    "ended_at",
    "published_at",
    "delayed",
    "evidence",
    "snapshot",
    "models",
    "config_revision",
]


def test_the_message_has_the_contracts_fields_values_and_order():
    jpeg = b"\xff\xd8picture"
    message = json.loads(make_alert("01JD", jpeg).to_json(seq=1841, published_at=CONFIRMED_AT + 0.09))
    assert [name for name in message if name in CONTRACT_FIELDS] == CONTRACT_FIELDS
    assert message["schema"] == 1
    assert (message["type"], message["seq"], message["delayed"]) == ("new", 1841, False)
    assert message["box"] == [812, 214, 934, 610]
    assert message["frame_size"] == [1920, 1080]
    assert message["started_at"] == "2026-11-21T07:14:02.480Z"
    assert message["confirmed_at"] == "2026-11-21T07:14:04.520Z"
    assert message["published_at"] == "2026-11-21T07:14:04.610Z"
    assert message["ended_at"] is None
    assert message["evidence"] == {
        "hard_hat": {"state": "missing", "score": 0.93, "reason": "bare head 0.93, no hard hat on it"}
    }
    assert message["snapshot"] == {
        "topic": f"{PREFIX}/alerts/01JD/snapshot",
        "sha256": hashlib.sha256(jpeg).hexdigest(),
        "bytes": len(jpeg),
        "frame_time": "2026-11-21T07:14:04.520Z",
    }


def test_the_same_alert_gives_the_same_bytes():
    first = make_alert(models={"a": "1", "b": "2"}).to_json(seq=1)
    second = make_alert(models={"b": "2", "a": "1"}).to_json(seq=1)
    assert first == second
    assert b" " not in first.replace(b"hard hats on the apron", b"").replace(
        b"bare head 0.93, no hard hat on it", b""
    )


def test_text_is_utf8_and_not_escaped():
    assert "Größe Łódź 安全帽".encode() in make_alert(rule="Größe Łódź 安全帽").to_json()


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "a/b", "a+", "#", ".hidden", "a" * 65, "ü", "a\n"])
def test_an_alert_id_that_is_no_topic_level_and_file_name_is_refused(bad: str):
    with pytest.raises(ValueError, match="not an alert id"):
        make_alert(bad)
    with pytest.raises(ValueError, match="not an alert id"):
        snapshot_topic(PREFIX, bad)


@pytest.mark.parametrize("field", ["score", "started_at", "confirmed_at"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(field: str, bad: float):
    with pytest.raises(ValueError, match="not finite"):
        make_alert(**{field: bad})


def test_finishing_sets_what_is_known_at_publishing_and_nothing_else():
    body = make_alert("01JD", b"picture").to_json(seq=7)
    finished = json.loads(finish_message(body, published_at=CONFIRMED_AT + 60, delayed=True))
    before = json.loads(body)
    assert list(finished) == list(before)
    assert {name for name in before if before[name] != finished[name]} == {"published_at", "delayed"}
    assert finished["published_at"] == "2026-11-21T07:15:04.520Z"


def test_finishing_replaces_or_drops_the_snapshot_and_says_so():
    body = make_alert("01JD", b"picture").to_json(seq=7)
    smaller = json.loads(finish_message(body, published_at=1.0, delayed=False, snapshot=("ab" * 32, 5)))
    assert (smaller["snapshot"]["sha256"], smaller["snapshot"]["bytes"]) == ("ab" * 32, 5)
    without = json.loads(finish_message(body, published_at=1.0, delayed=False, without_snapshot="too large"))
    assert without["snapshot"] is None
    assert without["snapshot_missing"] == "too large"


@given(st.integers(0, 4102444800_000))
def test_times_are_utc_with_exact_milliseconds(milliseconds: int):
    text = utc_iso(milliseconds / 1000)
    assert len(text) == len("2026-11-21T07:14:04.520Z")
    assert text.endswith("Z")
    parsed = datetime.fromisoformat(text)
    assert parsed.tzinfo == UTC
    assert round(parsed.timestamp() * 1000) == milliseconds


@given(
    st.tuples(*[st.floats(-5000, 5000, allow_nan=False)] * 4),
    st.tuples(st.integers(1, 4320), st.integers(1, 7680)),
)
def test_boxes_on_the_wire_are_whole_pixels_inside_the_frame_that_cover_the_visible_part(corners, image_hw):
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    height, width = image_hw
    left, top, right, bottom = pixel_box((x1, y1, x2, y2), image_hw)
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    visible = (max(x1, 0), max(y1, 0), min(x2, width), min(y2, height))
    if visible[0] < visible[2] and visible[1] < visible[3]:
        assert left <= visible[0]
        assert top <= visible[1]
        assert right >= visible[2]
        assert bottom >= visible[3]


def test_stats_carry_the_parts_fields():
    message = json.loads(
        stats_json(at=100.0, site="yard", started_at=40.0, fields={"outbox": {"dropped": 0}})
    )
    assert message == {
        "schema": 1,
        "site": "yard",
        "at": "1970-01-01T00:01:40.000Z",
        "uptime_s": 60.0,
        "outbox": {"dropped": 0},
    }


def test_types_are_the_contracts_words():
    assert [str(kind) for kind in AlertType] == ["new", "update", "end"]
