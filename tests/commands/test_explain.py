"""``ppewatch explain`` from a real outbox, beside the daemon that owns it and after its end."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import one_line_of, ppewatch

from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import Alert, AlertType, Evidence, SnapshotInfo

ALERT_ID = "01JD0000000000000000000001"
CONFIRMED_AT = 1795245244.520
PICTURE = b"\xff\xd8 a picture \xff\xd9"
TRACE = [
    {"at": CONFIRMED_AT - 2.04, "event": "missing", "detail": "face_mask: bare face 0.97"},
    {"at": CONFIRMED_AT, "event": "opened", "detail": "missing for 2.0 s in apron"},
    {"at": CONFIRMED_AT + 9, "event": "closed", "detail": "worn for 5.0 s"},
]


def alert(kind: AlertType, **changes: object) -> Alert:
    base = Alert(
        type=kind,
        alert_id=ALERT_ID,
        site="yard",
        camera="gate",
        zone="apron",
        rule="masks",
        missing=("face_mask",),
        severity="alert",
        track_id=17,
        score=0.93,
        box_xyxy=(812, 214, 934, 610),
        image_hw=(1080, 1920),
        started_at=CONFIRMED_AT - 2.04,
        confirmed_at=CONFIRMED_AT,
        evidence={"face_mask": Evidence("missing", 0.93, "bare face 0.97")},
    )
    return replace(base, **changes)


@pytest.fixture
def outbox(tmp_path: Path):
    """An open outbox with one alert: its beginning, delivered, and its end, which waits."""
    with Outbox(tmp_path / "state") as box:
        info = SnapshotInfo.of(PICTURE, topic_prefix="p", alert_id=ALERT_ID, frame_time=CONFIRMED_AT)
        first = box.enqueue(alert(AlertType.NEW, snapshot=info), PICTURE, at=CONFIRMED_AT, trace=TRACE[:2])
        end = alert(AlertType.END, ended_at=CONFIRMED_AT + 4, end_reason="worn")
        box.enqueue(end, at=CONFIRMED_AT + 9, trace=TRACE)
        box.acknowledge(first, at=CONFIRMED_AT + 1)
        yield box


def test_the_whole_story_while_the_outbox_is_in_use(outbox, tmp_path):
    done = ppewatch("explain", ALERT_ID, "--state-dir", tmp_path / "state")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"alert {ALERT_ID}: face_mask missing, gate / apron, rule 'masks'"
    assert "#1 new (track 17, delivered)" in lines
    assert any(line.startswith("#2 end, worn at ") and "not delivered yet" in line for line in lines)
    assert "  face_mask: missing 0.93 (bare face 0.97)" in lines
    (snapshot,) = (line.split()[-1] for line in lines if line.startswith("  snapshot "))
    assert Path(snapshot).read_bytes() == PICTURE
    # the longest trace, each entry once
    assert [line.split(maxsplit=1)[1] for line in lines[-3:]] == [
        "missing      face_mask: bare face 0.97",
        "opened       missing for 2.0 s in apron",
        "closed       worn for 5.0 s",
    ]
    # and the owner can go on writing
    outbox.acknowledge(2, at=CONFIRMED_AT + 10)


def test_machines_read_the_same(outbox, tmp_path):
    done = ppewatch("explain", ALERT_ID, "--state-dir", tmp_path / "state", "--json")
    assert done.code == 0
    first, last = json.loads(done.out)
    assert [first["acknowledged"], last["acknowledged"]] == [True, False]
    assert last["trace"] == TRACE
    assert first["message"]["alert_id"] == ALERT_ID
    assert last["snapshot"] is None


def test_the_state_of_a_site_file_after_the_daemon_has_ended(outbox, tmp_path):
    outbox.close()
    path = tmp_path / "site.yaml"
    path.write_text("site: {name: yard}\nstate_dir: state\ncameras: {gate: {url: clip.mp4}}\n")
    done = ppewatch("explain", ALERT_ID, "--config", path)
    assert done.code == 0, done
    assert ALERT_ID in done.out
    before = sorted(item.name for item in (tmp_path / "state").iterdir())
    assert ppewatch("explain", ALERT_ID, "--state-dir", tmp_path / "state").code == 0
    assert sorted(item.name for item in (tmp_path / "state").iterdir()) == before


def test_the_default_state_dir_is_that_of_the_service(outbox, tmp_path):
    done = ppewatch("explain", ALERT_ID, STATE_DIRECTORY=str(tmp_path / "state"))
    assert done.code == 0, done
    assert ALERT_ID in done.out


def test_an_alert_that_is_not_there(outbox, tmp_path):
    done = ppewatch("explain", "01JD0000000000000000000009", "--state-dir", tmp_path / "state")
    assert done.code == 1
    assert "there is no alert 01JD0000000000000000000009" in one_line_of(done)


def test_a_file_that_is_no_outbox(tmp_path):
    (tmp_path / "outbox.sqlite3").write_bytes(b"not a database, by far" * 100)
    done = ppewatch("explain", ALERT_ID, "--state-dir", tmp_path)
    assert done.code == 1
    assert "outbox.sqlite3: cannot be read" in one_line_of(done)
