"""What people say of alerts: kept, learned from, told, taken back, and read beside the daemon."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alert_factory import CONFIRMED_AT
from alerts.feedback_site import DAY_S, HEAD, FeedbackSite, example
from hypothesis import given
from hypothesis import strategies as st

from rules import Suppression, TraceEntry
from streamer.alerts.outbox import Outbox
from streamer.feedback import reader
from streamer.feedback.areas import area_of_dict
from streamer.feedback.desk import RefusedError
from streamer.feedback.example_store import ExampleLimits
from streamer.feedback.store import MAX_AREAS_PER_CAMERA, MAX_HELD
from streamer.feedback.words import MAX_PAYLOAD, MAX_TEXT, Verdict, read_ack, read_feedback


@pytest.fixture
def site(tmp_path: Path) -> Iterator[FeedbackSite]:
    one = FeedbackSite(tmp_path / "state")
    yield one
    one.outbox.close()


def false_alarms(site: FeedbackSite, count: int, *, first: int = 0, payload: bytes = b"false_alarm", **where):
    """Alerts of one place, a minute apart, each judged; returns the answers."""
    answers = []
    for number in range(first, first + count):
        alert_id = site.alert(f"F{number}", at=CONFIRMED_AT + 60 * number, **where)
        answers.append(site.desk.judge(alert_id, payload))
    return answers


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "by", "note"),
    [
        (b"", "", ""),
        ("Zoë, shift B\n".encode(), "Zoë, shift B", ""),
        (b'{"by": "mk", "note": "on my way"}', "mk", "on my way"),
        (b"two\x00words\x1b[31m", "two words [31m", ""),
        (b"\xff\xfe", "��", ""),
    ],
)
def test_who_acknowledges_is_a_line_of_text(payload, by, note):
    said = read_ack("A", payload, 5.0)
    assert (said.by, said.note, said.verdict, said.at) == (by, note, None, 5.0)


@pytest.mark.parametrize(
    ("payload", "verdict", "what"),
    [
        (b"true_alarm", "true_alarm", ""),
        (b" false_alarm\n", "false_alarm", ""),
        (
            b'{"verdict": "false_alarm", "what": "hard_hat_worn", "note": "yellow cap"}',
            "false_alarm",
            "hard_hat_worn",
        ),
    ],
)
def test_verdicts_are_a_word_or_json(payload, verdict, what):
    said = read_feedback("A", payload, 5.0)
    assert (said.verdict, said.what) == (verdict, what)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"yes",
        b"{",
        b"{}",
        b'{"verdict": 1}',
        b'{"verdict": "maybe"}',
        b'{"verdict": "false_alarm", "what": "Not A Word"}',
        b'{"verdict": "false_alarm", "who": "me"}',
        b"[" * 2000,
        b'{"verdict":' * 150,
        b"x" * (MAX_PAYLOAD + 1),
    ],
)
def test_what_is_no_verdict_is_refused(payload):
    with pytest.raises(ValueError, match=r"expected|should|is no JSON|is longer|no key"):
        read_feedback("A", payload, 5.0)


@given(st.binary(max_size=3000))
def test_any_payload_is_read_or_refused_and_stays_small(payload):
    for read in (read_ack, read_feedback):
        try:
            said = read("A", payload, 5.0)
        except ValueError:
            continue
        assert len(said.by) <= MAX_TEXT
        assert len(said.note) <= MAX_TEXT
        assert all(letter.isprintable() for letter in said.by + said.note)


# -- notes -----------------------------------------------------------------------------------------


def test_an_acknowledgement_is_kept_with_who_and_when_over_restarts(site):
    site.alert("A1")
    assert site.desk.acknowledge("A1", b"mk") == {"alert_id": "A1", "by": "mk"}
    site.now += 10
    site.desk.acknowledge("A1", b'{"by": "zoe", "note": "done"}')
    site.restart()
    (note,) = site.outbox.feedback.notes_of(["A1", "A2"])["A1"]
    assert (note.by, note.note, note.at) == ("zoe", "done", site.now)
    # beside the daemon that owns the outbox
    assert reader.notes_of(site.state_dir, "A1") == [note]


def test_a_later_verdict_takes_the_place_of_an_earlier_one(site):
    site.alert("A1")
    site.desk.acknowledge("A1", b"")
    site.desk.judge("A1", b"false_alarm")
    site.desk.judge("A1", b"true_alarm")
    notes = site.outbox.feedback.notes_of(["A1"])["A1"]
    assert [note.verdict for note in notes] == [None, Verdict.TRUE_ALARM]


def test_alerts_that_are_not_there_are_refused(site):
    for action in (site.desk.acknowledge, site.desk.judge):
        with pytest.raises(RefusedError, match="no such alert"):
            action("A9", b"false_alarm")
    with pytest.raises(RefusedError, match="true_alarm or false_alarm"):
        site.desk.judge("A9", b"no word of ours")
    with pytest.raises(RefusedError, match="no such suppression area"):
        site.desk.remove_area("A9")


def test_what_older_versions_kept_is_moved_into_the_table(tmp_path):
    with Outbox(tmp_path / "state") as outbox:
        outbox.put_state("alerts.ack", {"A1": {"at": 5.0, "note": "acknowledged"}})
        outbox.put_state("alerts.feedback", {"A1": {"at": 6.0, "note": "false_alarm"}})
        outbox.put_state("other", [1])
    for _ in range(2):
        with Outbox(tmp_path / "state") as outbox:
            notes = outbox.feedback.notes_of(["A1"])["A1"]
            assert [(note.at, note.verdict) for note in notes] == [(5.0, None), (6.0, "false_alarm")]
            assert outbox.get_state("alerts.ack") is None
            assert outbox.get_state("alerts.feedback") is None
            assert outbox.get_state("other") == [1]


def test_notes_of_an_older_version_that_cannot_be_read_do_not_keep_the_outbox_shut(tmp_path):
    for value in ([1], {"A": 3}, {"A": {"at": "x", "note": None}}, "text"):
        with Outbox(tmp_path / "state") as outbox:
            outbox.put_state("alerts.feedback", value)
        with Outbox(tmp_path / "state") as outbox:
            assert outbox.feedback.notes_of(["A"]) == {}


def test_a_database_of_an_older_version_has_no_feedback_to_read(tmp_path):
    with Outbox(tmp_path / "state") as outbox:
        for table in ("alert_notes", "examples", "suppression_areas", "held_episodes"):
            with outbox._db.transaction(durable=True) as db:
                db.execute(f"DROP TABLE {table}")
    assert reader.notes_of(tmp_path / "state", "A1") == []
    assert reader.areas(tmp_path / "state") == []
    assert reader.judged_examples(tmp_path / "state") == []
    assert reader.remove_areas(tmp_path / "state", area_id="A") == []


def test_feedback_is_read_back_from_a_damaged_database(site):
    false_alarms(site, 3)
    site.outbox.close()
    database = site.state_dir / "outbox.sqlite3"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = DELETE")
    # an index whose pages say other than the table
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET rootpage = 2 WHERE name = 'messages_alert'")
    connection.commit()
    connection.close()
    site.open()
    assert site.outbox.recovered_from is not None
    assert len(site.outbox.feedback.areas()) == 1
    assert len(site.outbox.feedback.notes_of(["F0", "F1", "F2"])) == 3


# -- areas -----------------------------------------------------------------------------------------


def test_three_false_alarms_at_one_place_make_an_area_that_is_told_at_once(site, caplog):
    *_, last = false_alarms(site, 3)
    told = last["suppression"]
    assert (told["camera"], told["rule"]) == ("gate", "hard hats on the apron")
    assert told["alerts"] == ["F0", "F1", "F2"]
    assert told["head"] == pytest.approx([830 / 1920, 220 / 1080, 890 / 1920, 300 / 1080], abs=1e-4)
    assert "3 false alarms of rule hard hats on the apron at one place" in caplog.text
    ((topic, payload),) = site.events
    assert topic == "suppressions"
    assert json.loads(payload)["type"] == "made"
    assert json.loads(payload)["area"] == told
    assert site.changed == ["gate"]
    (area,) = site.desk.areas_of("gate")
    assert (area.area_id, area.expires_at) == (told["area_id"], site.now + 14 * DAY_S)
    assert site.desk.areas_of("yard") == ()


def test_areas_outlive_restarts_and_are_retained_topics(site):
    false_alarms(site, 3)
    site.restart()
    ((topic, payload),) = site.desk.states(["gate", "yard"])
    assert topic == "cameras/gate/suppressions"
    (told,) = json.loads(payload)["areas"]
    assert told == reader.areas(site.state_dir)[0].as_dict()
    assert list(site.desk.states(["yard"])) == []
    # once it is gone the topic says so
    site.desk.remove_area(told["area_id"])
    ((_, payload),) = site.desk.states(["gate"])
    assert json.loads(payload)["areas"] == []


def test_what_is_told_of_an_area_gives_it_back_for_a_replay(site):
    false_alarms(site, 3)
    (area,) = site.outbox.feedback.areas()
    again = area_of_dict(json.loads(json.dumps(area.as_dict())))
    assert (again.area_id, again.rule) == (area.area_id, area.rule)
    assert again.head_xyxy == pytest.approx(area.head_xyxy, abs=1e-5)
    assert again.expires_at == pytest.approx(area.expires_at, abs=1e-3)


@pytest.mark.parametrize("what", ["hard_hat_worn", "face_mask_worn", "wrong_zone", "a_mirror"])
def test_errors_about_people_teach_nothing_of_the_place(site, what):
    false_alarms(site, 5, payload=json.dumps({"verdict": "false_alarm", "what": what}).encode())
    assert site.outbox.feedback.areas() == []


def test_things_do_teach(site):
    false_alarms(site, 3, payload=b'{"verdict": "false_alarm", "what": "not_a_person"}')
    assert len(site.outbox.feedback.areas()) == 1


def test_other_cameras_rules_and_places_do_not_count_together(site):
    false_alarms(site, 2)
    false_alarms(site, 1, first=2, camera="yard")
    false_alarms(site, 1, first=3, rule="other")
    false_alarms(site, 1, first=4, head=(930.0, 220.0, 990.0, 300.0))
    assert site.outbox.feedback.areas() == []
    false_alarms(site, 1, first=5)
    assert len(site.outbox.feedback.areas()) == 1


def test_the_same_false_alarm_said_thrice_is_one(site):
    site.alert("A1")
    for _ in range(5):
        site.desk.judge("A1", b"false_alarm")
    assert site.outbox.feedback.areas() == []


def test_a_verdict_that_is_withdrawn_takes_its_area_with_it(site):
    false_alarms(site, 3)
    site.desk.judge("F1", b"true_alarm")
    assert site.outbox.feedback.areas() == []
    assert [json.loads(payload)["type"] for _, payload in site.events] == ["made", "removed"]
    assert site.desk.areas_of("gate") == ()


def test_a_right_alarm_at_the_place_takes_the_area_away(site):
    false_alarms(site, 3)
    site.alert("T1", at=CONFIRMED_AT + 4000, head=(832.0, 221.0, 893.0, 299.0))
    site.desk.judge("T1", b"true_alarm")
    assert site.outbox.feedback.areas() == []


def test_a_right_alarm_elsewhere_does_not(site):
    false_alarms(site, 3)
    site.alert("T1", at=CONFIRMED_AT + 4000, head=(932.0, 221.0, 993.0, 299.0))
    site.desk.judge("T1", b"true_alarm")
    assert len(site.outbox.feedback.areas()) == 1


def test_an_area_that_was_removed_is_not_learned_again_from_the_same_alarms(site):
    told = false_alarms(site, 3)[-1]["suppression"]
    site.desk.remove_area(told["area_id"])
    site.desk.judge("F0", b"false_alarm")
    false_alarms(site, 2, first=3)
    assert site.outbox.feedback.areas() == []
    false_alarms(site, 1, first=5)
    assert len(site.outbox.feedback.areas()) == 1


def test_areas_end_by_themselves_and_say_so(site):
    false_alarms(site, 3)
    site.housekeep(at=site.now + 14 * DAY_S - 1)
    assert len(site.outbox.feedback.areas()) == 1
    site.housekeep(at=site.now + 1)
    assert site.outbox.feedback.areas() == []
    assert json.loads(site.events[-1][1])["type"] == "expired"
    assert site.changed == ["gate", "gate"]


def test_a_camera_has_only_so_many(site):
    for number in range(MAX_AREAS_PER_CAMERA + 2):
        x = 10.0 + 35 * number
        false_alarms(site, 3, first=3 * number, head=(x, 100.0, x + 30, 140.0))
    assert len(site.outbox.feedback.areas()) == MAX_AREAS_PER_CAMERA


def test_what_areas_hold_back_is_counted_and_kept_with_its_trace(site):
    area_id = false_alarms(site, 3)[-1]["suppression"]["area_id"]
    trace = (TraceEntry(5.0, "dwell", "track 3"), TraceEntry(7.0, "held", f"area {area_id}"))
    held = Suppression(7.0, "hard hats", "apron", 3, "area", area_id, 1e10, 0.91, trace)
    site.desk.note_held("gate", [held, held])
    site.restart()
    (area,) = site.outbox.feedback.areas()
    assert (area.held, area.last_held_at) == (2, 7.0)
    first, _ = reader.held_in(site.state_dir, area_id)
    assert (first.track_id, first.score, first.zone) == (3, 0.91, "apron")
    assert [entry["event"] for entry in first.trace] == ["dwell", "held"]
    site.desk.note_held("gate", [held] * (MAX_HELD + 5))
    assert len(reader.held_in(site.state_dir, area_id)) == MAX_HELD


def test_another_process_may_remove_areas_and_the_daemon_notices(site):
    area_id = false_alarms(site, 3)[-1]["suppression"]["area_id"]
    site.housekeep()
    site.changed.clear()
    assert [area.area_id for area in reader.remove_areas(site.state_dir, area_id=area_id)] == [area_id]
    site.housekeep()
    assert site.changed == ["gate"]
    assert site.desk.areas_of("gate") == ()
    site.housekeep()
    assert site.changed == ["gate"]


# -- kept frames -----------------------------------------------------------------------------------


def kept(site: FeedbackSite) -> set[str]:
    """Alert ids of the pictures on the disk, which are those of the rows."""
    pictures = {path.stem for path in (site.state_dir / "examples").glob("*/*")}
    with site.outbox._db.reading() as db:
        rows = {row[0] for row in db.execute("SELECT alert_id FROM examples")}
    assert pictures == rows
    assert site.outbox.examples.count == len(rows)
    return pictures


def test_frames_wait_for_a_verdict_and_those_that_got_one_stay_longer(site):
    for name in ("A1", "A2", "A3"):
        site.alert(name, frame=True)
    site.desk.judge("A2", b"false_alarm")
    site.housekeep(at=CONFIRMED_AT + 7 * DAY_S)
    assert kept(site) == {"A1", "A2", "A3"}
    site.housekeep(at=CONFIRMED_AT + 7 * DAY_S + 61)
    assert kept(site) == {"A2"}
    site.housekeep(at=CONFIRMED_AT + 30 * DAY_S + 61)
    assert kept(site) == set()
    assert not (site.state_dir / "examples").exists()


def test_frames_go_by_bytes_those_without_a_verdict_first(tmp_path):
    size = len(example().jpeg)
    site = FeedbackSite(tmp_path / "state", limits=ExampleLimits(max_bytes=3 * size))
    for number in range(6):
        site.now += 1
        site.alert(f"A{number}", frame=True)
    site.desk.judge("A0", b"true_alarm")
    site.housekeep()
    assert kept(site) == {"A0", "A4", "A5"}
    site.outbox.close()


def test_a_full_disk_takes_frames_before_alerts(site):
    for number in range(5):
        site.alert(f"A{number}", frame=True)
        site.outbox.acknowledge(number + 1, at=site.now)
    assert site.outbox._give_up() == 5
    assert kept(site) == set()
    assert len(site.outbox.latest()) == 5


def test_where_room_is_short_no_frame_is_kept_and_that_is_counted(tmp_path):
    site = FeedbackSite(tmp_path / "state", limits=ExampleLimits(min_free_bytes=2**60))
    site.alert("A1", frame=True)
    assert kept(site) == set()
    assert site.desk.examples_lost == 1
    site.outbox.close()


def test_an_alert_has_one_frame_and_strays_of_a_crash_are_swept(site):
    site.alert("A1", frame=True)
    site.desk.keep("A1", example(7))
    (path,) = (site.state_dir / "examples").glob("*/A1.jpg")
    assert path.read_bytes() == example().jpeg
    path.with_name("stray.jpg").write_bytes(b"x")
    site.alert("A2", frame=True)
    path.with_name("A2.jpg").unlink()
    site.restart()
    site.outbox.examples.sweep()
    assert kept(site) == {"A1"}


def test_notes_and_held_episodes_go_with_their_age(site):
    false_alarms(site, 3)
    site.desk.acknowledge("F0", b"mk")
    area_id = site.outbox.feedback.areas()[0].area_id
    site.desk.note_held("gate", [Suppression(site.now, "r", None, 1, "area", area_id)])
    site.housekeep(at=site.now + 30 * DAY_S - 1)
    assert len(site.outbox.feedback.notes_of(["F0", "F1", "F2"])) == 3
    site.housekeep(at=site.now + 2)
    assert site.outbox.feedback.notes_of(["F0", "F1", "F2"]) == {}
    assert reader.held_in(site.state_dir, area_id) == []


def test_the_head_of_an_alert_counts_and_not_the_whole_body(site):
    """A large body around another head is another place."""
    false_alarms(site, 2)
    x1, y1, x2, y2 = HEAD
    false_alarms(site, 1, first=2, head=(x1, y1 + 90, x2, y2 + 90))
    assert site.outbox.feedback.areas() == []
