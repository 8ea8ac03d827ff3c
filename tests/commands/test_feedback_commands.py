"""Commands on what people said of alerts: explain, suppressions, data examples, data erase; and pictures of a site."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from alerts.alert_factory import CONFIRMED_AT
from alerts.feedback_site import FeedbackSite
from command_line import one_line_of, ppewatch

from rules import Suppression, TraceEntry
from streamer.demo.site import CLIP


@pytest.fixture
def site(tmp_path: Path):
    """Three false alarms of one place, which are a suppression area, that has held one episode back."""
    one = FeedbackSite(tmp_path / "state")
    for number in range(3):
        one.alert(f"F{number}", at=CONFIRMED_AT + 60 * number, frame=True)
        one.desk.acknowledge(f"F{number}", b"Jane")
        answer = one.desk.judge(f"F{number}", b'{"verdict": "false_alarm", "note": "a coat"}')
    one.area_id = answer["suppression"]["area_id"]
    trace = (TraceEntry(CONFIRMED_AT, "dwell", "track 3"), TraceEntry(CONFIRMED_AT, "held", "in the area"))
    held = Suppression(
        CONFIRMED_AT, "hard hats on the apron", None, 3, "area", one.area_id, 1e10, 0.91, trace
    )
    one.desk.note_held("gate", [held])
    yield one
    one.outbox.close()


def test_explain_tells_what_was_said_of_an_alert(site):
    done = ppewatch("explain", "F1", "--state-dir", site.state_dir)
    assert (done.code, done.err) == (0, "")
    assert "  acknowledged 2026-11-21" in done.out
    assert ", by Jane" in done.out
    assert "  false_alarm 2026-11-21" in done.out
    assert ": a coat" in done.out
    (message,) = json.loads(ppewatch("explain", "F1", "--state-dir", site.state_dir, "--json").out)
    assert [note["kind"] for note in message["notes"]] == ["ack", "feedback"]


def test_explain_tells_what_an_area_held_back_and_why(site):
    done = ppewatch("explain", site.area_id, "--state-dir", site.state_dir)
    assert (done.code, done.err) == (0, "")
    assert "from 3 false alarms, held back 1" in done.out
    assert "learned from F0, F1, F2" in done.out
    assert "held back 2026-11-21" in done.out
    assert "(track 3, 0.91)" in done.out
    assert "held         in the area" in done.out
    told = json.loads(ppewatch("explain", site.area_id, "--state-dir", site.state_dir, "--json").out)
    assert told["episodes"][0]["trace"][1]["event"] == "held"


def test_areas_are_listed_and_removed_while_the_outbox_is_in_use(site):
    listed = json.loads(ppewatch("suppressions", "list", "--json", "--state-dir", site.state_dir).out)
    assert [area["area_id"] for area in listed] == [site.area_id]
    assert listed[0]["held"] == 1
    done = ppewatch("suppressions", "remove", "01J", "--state-dir", site.state_dir)
    assert done.code == 1
    assert "no such suppression area" in one_line_of(done)
    site.housekeep()
    done = ppewatch("suppressions", "remove", site.area_id, "--state-dir", site.state_dir)
    assert done.out.startswith(f"removed {site.area_id}")
    site.changed.clear()
    site.housekeep()
    assert site.changed == ["gate"]
    assert ppewatch("suppressions", "list", "--state-dir", site.state_dir).out == "no suppression areas\n"


def test_judged_frames_become_a_data_set(site, tmp_path):
    done = ppewatch("data", "examples", "--state-dir", site.state_dir, "--out", tmp_path / "set")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{tmp_path}/set/annotations.json: 3 pictures: false_alarm 3\n"
    stats = ppewatch("data", "stats", tmp_path / "set" / "annotations.json")
    assert (stats.code, stats.err) == (0, "")
    assert "feedback-site" in stats.out
    late = ("--since", "2027-01-01", "--out", tmp_path / "other")
    done = ppewatch("data", "examples", "--state-dir", site.state_dir, *late)
    assert done.code == 1
    assert "no frame that somebody has judged" in one_line_of(done)


def test_alerts_are_erased_once_the_daemon_has_stopped(site):
    done = ppewatch("data", "erase", "--alert", "F0", "--state-dir", site.state_dir)
    assert done.code == 1
    assert "stop ppewatch first" in one_line_of(done)
    site.outbox.close()
    # whoever mistypes an id must not believe that it is gone
    done = ppewatch("data", "erase", "--alert", "F9", "--state-dir", site.state_dir)
    assert done.out.startswith("erased 0 alerts: 0 messages")
    done = ppewatch("data", "erase", "--alert", "F0", "--state-dir", site.state_dir, "--json")
    assert json.loads(done.out) == {"alerts": 1, "messages": 1, "pictures": 1, "notes": 2}
    done = ppewatch("data", "erase", "--before", "2027-01-01", "--state-dir", site.state_dir)
    assert done.out.startswith("erased 2 alerts: 2 messages, 2 pictures, 4 notes")
    assert not list(site.state_dir.rglob("*.jpg"))


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(
        f"site: {{name: yard}}\ncameras:\n  gate:\n    url: {CLIP}\n"
        '    privacy: {polygons: ["0,0, 0.5,0, 0.5,1, 0,1"]}\n'
    )
    return path


def test_a_sample_picture_of_a_sites_camera_is_black_where_its_polygons_are(site_file, tmp_path):
    sample = tmp_path / "sample.png"
    done = ppewatch("probe", "--config", site_file, "--seconds", "0.5", "--picture", sample)
    assert (done.code, done.err) == (0, "")
    picture = cv2.imread(str(sample))
    half = picture.shape[1] // 2
    assert not picture[:, :half].any()
    assert picture[:, half + 4 :].mean() > 20
    for arguments in ((), ("rtsp://x", "--config", site_file)):
        assert ppewatch("probe", *arguments).code == 2


def test_annotated_copies_of_a_sites_camera_hide_what_its_settings_say(site_file, tmp_path):
    material = tmp_path / "frame.png"
    rng = np.random.default_rng(1)
    cv2.imwrite(str(material), rng.integers(60, 255, (240, 320, 3), dtype=np.uint8))
    out = tmp_path / "out"
    done = ppewatch("detect", material, "--out", out, "--config", site_file, "--models", "retinaface")
    assert done.code == 0, done
    copy = cv2.imread(str(out / "frame.png"))
    assert not copy[:, :160].any()
    assert copy[:, 164:].mean() > 60
    assert ppewatch("detect", material, "--camera", "gate").code == 2
