"""The outbox: order, durability, limits and recovery, on real files."""

import logging
import sqlite3
import threading
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from alert_factory import CONFIRMED_AT, make_alert, picture_bytes

from streamer.alerts.errors import OutboxError
from streamer.alerts.intake import AlertIntake
from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_files import RESERVE_STEP
from streamer.alerts.outbox_history import OutboxLimits
from streamer.alerts.payload import AlertType

DAY_S = 86400.0


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_numbers_are_gapless_from_one_and_go_on_after_a_restart(state_dir: Path):
    with Outbox(state_dir) as outbox:
        assert [outbox.enqueue(make_alert(f"A{n}"), at=1.0) for n in range(3)] == [1, 2, 3]
    with Outbox(state_dir) as outbox:
        assert outbox.enqueue(make_alert("A3"), at=1.0) == 4
        assert [message.seq for message in outbox.pending()] == [1, 2, 3, 4]


def test_a_message_holds_its_number_its_trace_and_its_picture(state_dir: Path):
    jpeg = picture_bytes(1)
    with Outbox(state_dir) as outbox:
        seq = outbox.enqueue(make_alert("A1", jpeg), jpeg, at=5.0, trace={"dwell_s": 2.0})
        (message,) = outbox.pending()
    assert f'"seq":{seq},'.encode() in message.body
    assert message.trace == b'{"dwell_s": 2.0}'
    assert message.snapshot == state_dir / "snapshots" / "2026-11-21" / "A1.jpg"
    assert message.snapshot.read_bytes() == jpeg
    assert (message.alert_id, message.type, message.camera, message.created_at) == ("A1", "new", "gate", 5.0)


def test_the_pictures_of_one_alert_do_not_replace_each_other(state_dir: Path):
    pictures = [picture_bytes(n) for n in range(3)]
    with Outbox(state_dir) as outbox:
        for kind, jpeg in zip((AlertType.NEW, AlertType.UPDATE, AlertType.UPDATE), pictures, strict=True):
            outbox.enqueue(make_alert("A1", jpeg, type=kind), jpeg, at=1.0)
        stored = [message.snapshot.read_bytes() for message in outbox.messages_of("A1")]
    assert stored == pictures


@pytest.mark.parametrize("kind", [AlertType.NEW, AlertType.END])
def test_an_alert_has_one_new_and_one_end(state_dir: Path, kind: AlertType):
    with Outbox(state_dir) as outbox:
        first = outbox.enqueue(make_alert("A1", type=kind), at=1.0)
        assert outbox.enqueue(make_alert("A1", type=kind), at=2.0) == first
        assert outbox.enqueue(make_alert("A2", type=kind), at=2.0) == first + 1
        assert len(outbox.pending()) == 2


def test_a_picture_that_is_not_the_alerts_is_refused_and_spends_no_number(state_dir: Path):
    with Outbox(state_dir) as outbox:
        with pytest.raises(ValueError, match="not the one"):
            outbox.enqueue(make_alert("A1", b"one"), b"two", at=1.0)
        with pytest.raises(ValueError, match="not the one"):
            outbox.enqueue(make_alert("A1", b"one"), None, at=1.0)
        assert outbox.enqueue(make_alert("A1"), at=1.0) == 1


def test_acknowledged_messages_are_pending_no_more(state_dir: Path):
    with Outbox(state_dir) as outbox:
        for n in range(5):
            outbox.enqueue(make_alert(f"A{n}"), at=1.0)
        outbox.acknowledge(2, at=9.0)
        outbox.acknowledge(2, at=10.0)
        outbox.acknowledge(99, at=10.0)
        assert [message.seq for message in outbox.pending()] == [1, 3, 4, 5]
        assert [message.seq for message in outbox.pending(after_seq=3, limit=1)] == [4]
        assert outbox.messages_of("A1")[0].acked_at == 9.0
        assert [message.seq for message in outbox.latest(limit=2)] == [5, 4]
    with Outbox(state_dir) as outbox:
        stats = outbox.stats()
        assert (stats.pending, stats.kept, stats.last_seq, stats.dropped) == (4, 1, 5, 0)


def test_many_threads_share_the_numbers(state_dir: Path):
    with Outbox(state_dir) as outbox:
        numbers: list[int] = []

        def work(worker: int) -> None:
            numbers.extend(outbox.enqueue(make_alert(f"W{worker}-{n}"), at=1.0) for n in range(25))

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(numbers) == list(range(1, 101))
        assert [message.seq for message in outbox.pending(limit=200)] == list(range(1, 101))


def test_history_goes_by_age_with_its_pictures_and_the_unacknowledged_stay(state_dir: Path):
    limits = OutboxLimits(acked_age_s=10 * DAY_S)
    with Outbox(state_dir, limits=limits) as outbox:
        for n, acked_at in enumerate((0.0, 5 * DAY_S, None)):
            jpeg = picture_bytes(n)
            seq = outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=0.0)
            if acked_at is not None:
                outbox.acknowledge(seq, at=acked_at)
        assert outbox.enforce_limits(at=10 * DAY_S + 1) == 1
        assert [message.alert_id for message in outbox.latest()] == ["A2", "A1"]
        assert sorted(path.name for path in state_dir.rglob("*.jpg")) == ["A1.jpg", "A2.jpg"]


def test_history_goes_by_size_oldest_first(state_dir: Path):
    with Outbox(state_dir, limits=OutboxLimits(acked_bytes=65_000)) as outbox:
        for n in range(5):
            jpeg = picture_bytes(n)
            outbox.acknowledge(outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=0.0), at=float(n))
        assert outbox.enforce_limits(at=10.0, batch=1) == 1
        assert outbox.enforce_limits(at=10.0) == 1
        assert outbox.enforce_limits(at=10.0) == 0
        assert [message.alert_id for message in outbox.latest()] == ["A4", "A3", "A2"]
        assert outbox.stats().kept_bytes <= 65_000


def test_history_gives_way_to_the_space_that_others_are_owed(state_dir: Path):
    with Outbox(state_dir, limits=OutboxLimits(min_free_bytes=2**60)) as outbox:
        outbox.acknowledge(outbox.enqueue(make_alert("A0"), at=0.0), at=0.0)
        outbox.enqueue(make_alert("A1"), at=0.0)
        assert outbox.enforce_limits(at=0.0) == 1
        assert [message.alert_id for message in outbox.latest()] == ["A1"]


def test_stray_pictures_of_a_crash_go_with_their_day(state_dir: Path):
    stray = state_dir / "snapshots" / "1970-01-02" / "X.jpg"
    part = state_dir / "snapshots" / "2026-11-21" / ".Y.jpg.part"
    for path in (stray, part):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"left")
    with Outbox(state_dir, limits=OutboxLimits(acked_age_s=DAY_S)) as outbox:
        assert not part.exists()
        jpeg = picture_bytes(1)
        outbox.enqueue(make_alert("A1", jpeg), jpeg, at=0.0)
        outbox.enforce_limits(at=CONFIRMED_AT + 30 * DAY_S)
        assert not stray.exists()
        assert outbox.pending()[0].snapshot.exists()


def test_a_backlog_over_its_limit_drops_updates_first_then_the_oldest_and_says_so(
    state_dir: Path, caplog: pytest.LogCaptureFixture
):
    with Outbox(state_dir, limits=OutboxLimits(backlog_messages=3)) as outbox:
        outbox.enqueue(make_alert("A1"), at=1.0)
        jpeg = picture_bytes(1)
        outbox.enqueue(make_alert("A1", jpeg, type=AlertType.UPDATE), jpeg, at=1.0)
        for n in (2, 3, 4):
            outbox.enqueue(make_alert(f"A{n}"), at=1.0)
        assert [message.seq for message in outbox.pending()] == [3, 4, 5]
        assert outbox.stats().dropped == 2
        assert not list(state_dir.rglob("*.jpg"))
    dropped = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(dropped) == 2
    assert "update of alert A1, seq 2" in dropped[0]
    assert "new of alert A1, seq 1" in dropped[1]
    with Outbox(state_dir) as outbox:
        assert outbox.stats().dropped == 2


def test_a_message_that_is_stored_counts_as_stored_when_the_backlog_cannot_be_bounded(
    state_dir: Path, caplog: pytest.LogCaptureFixture
):
    """Whoever is told that it was not stores it again, and an update would be there twice."""
    with Outbox(state_dir, limits=OutboxLimits(backlog_messages=1)) as outbox:
        outbox.enqueue(make_alert("A1"), at=1.0)
        with closing(sqlite3.connect(state_dir / "outbox.sqlite3")) as db, db:
            db.execute(
                "CREATE TRIGGER no_room BEFORE DELETE ON messages BEGIN SELECT RAISE(ABORT, 'no room'); END"
            )
        update = make_alert("A1", type=AlertType.UPDATE)
        assert AlertIntake(outbox).submit(update) == 2
        assert [message.seq for message in outbox.messages_of("A1")] == [1, 2]
        assert "cannot be kept within its limits" in caplog.text
        with closing(sqlite3.connect(state_dir / "outbox.sqlite3")) as db, db:
            db.execute("DROP TRIGGER no_room")
        outbox.enqueue(make_alert("A2"), at=1.0)
        assert [message.alert_id for message in outbox.pending()] == ["A2"]


@pytest.mark.parametrize("name", ["outbox.reserved", "outbox.last"])
@pytest.mark.parametrize("content", [b"9" * 20, b"9" * 64, b"18446744073709551615\n"])
def test_a_number_that_no_site_has_given_out_is_none(state_dir: Path, name: str, content: bytes):
    with Outbox(state_dir) as outbox:
        outbox.enqueue(make_alert("A1"), at=1.0)
    (state_dir / name).write_bytes(content)
    with Outbox(state_dir) as outbox:
        assert outbox.enqueue(make_alert("A2"), at=1.0) == 2
    with Outbox(state_dir) as outbox:
        assert outbox.enqueue(make_alert("A3"), at=1.0) == 3
        assert outbox.stats().dropped == 0


def test_state_survives_a_restart(state_dir: Path):
    with Outbox(state_dir) as outbox:
        assert outbox.get_state("episodes") is None
        outbox.put_state("episodes", {"A1": [1, 2.5, "ü"]})
    with Outbox(state_dir) as outbox:
        assert outbox.get_state("episodes") == {"A1": [1, 2.5, "ü"]}
        outbox.put_state("episodes", None)
        assert outbox.get_state("episodes") is None


@pytest.mark.parametrize("content", [b"", b"not a database" * 1000])
def test_numbers_never_start_over_when_the_database_is_lost(
    state_dir: Path, content: bytes, caplog: pytest.LogCaptureFixture
):
    with Outbox(state_dir) as outbox:
        for n in range(3):
            outbox.enqueue(make_alert(f"A{n}"), at=1.0)
    for suffix in ("-wal", "-shm"):
        (state_dir / f"outbox.sqlite3{suffix}").unlink(missing_ok=True)
    (state_dir / "outbox.sqlite3").write_bytes(content)
    with Outbox(state_dir) as outbox:
        assert outbox.enqueue(make_alert("B1"), at=2.0) == RESERVE_STEP + 1
        assert (outbox.recovered_from is not None) == bool(content)
    if content:
        assert outbox.recovered_from.read_bytes() == content
        assert "was damaged" in caplog.text


def test_undelivered_messages_are_read_back_from_a_damaged_database(
    state_dir: Path, caplog: pytest.LogCaptureFixture
):
    with Outbox(state_dir) as outbox:
        for n in range(200):
            outbox.enqueue(make_alert(f"A{n}"), at=1.0)
        outbox.acknowledge(1, at=2.0)
    database = state_dir / "outbox.sqlite3"
    _spoil_index(database)
    with Outbox(state_dir) as outbox:
        assert outbox.recovered_from is not None
        assert [message.seq for message in outbox.pending(limit=500)] == list(range(2, 201))
        assert outbox.stats().pending == 199
        assert outbox.enqueue(make_alert("B1"), at=2.0) == RESERVE_STEP + 1
    assert "199 undelivered alerts could be read back" in caplog.text


def test_undelivered_messages_are_read_back_where_the_numbers_beside_them_are_lost_too(state_dir: Path):
    with Outbox(state_dir) as outbox:
        for n in range(200):
            outbox.enqueue(make_alert(f"A{n}"), at=1.0)
        for seq in (1, 199, 200):
            outbox.acknowledge(seq, at=2.0)
    _spoil_index(state_dir / "outbox.sqlite3")
    (state_dir / "outbox.reserved").unlink()
    (state_dir / "outbox.last").unlink()
    with Outbox(state_dir) as outbox:
        assert [message.seq for message in outbox.pending(limit=500)] == list(range(2, 199))
        assert outbox.enqueue(make_alert("B1"), at=2.0) == 201
    with Outbox(state_dir) as outbox:
        assert outbox.enqueue(make_alert("B2"), at=2.0) == 202


def test_a_state_directory_that_cannot_be_used_is_a_typed_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="cannot use the state directory"):
        Outbox(tmp_path / "file" / "state")


def test_two_at_once_on_one_state_directory_are_refused(state_dir: Path):
    with Outbox(state_dir), pytest.raises(OutboxError, match="in use by another"):
        Outbox(state_dir)
    Outbox(state_dir).close()


def test_pictures_and_database_are_not_for_everybody(state_dir: Path):
    jpeg = picture_bytes(1)
    with Outbox(state_dir) as outbox:
        outbox.enqueue(make_alert("A1", jpeg), jpeg, at=1.0)
        stored = outbox.pending()[0].snapshot
        assert stored.stat().st_mode & 0o007 == 0
        assert state_dir.stat().st_mode & 0o007 == 0
        assert sha256(stored.read_bytes()).hexdigest() == sha256(jpeg).hexdigest()


def _spoil_index(database: Path) -> None:
    """Overwrite the root page of an index; the table stays readable."""
    db = sqlite3.connect(database)
    page_size = db.execute("PRAGMA page_size").fetchone()[0]
    query = "SELECT rootpage FROM sqlite_master WHERE name = 'messages_alert'"
    page = db.execute(query).fetchone()[0]
    db.close()
    content = bytearray(database.read_bytes())
    content[(page - 1) * page_size : page * page_size] = b"\xa5" * page_size
    database.write_bytes(content)


def test_an_outbox_is_closed_once_whoever_closes_it_again(tmp_path: Path):
    outbox = Outbox(tmp_path)
    outbox.close()
    # the next file gets the number that the outbox has given back
    with (tmp_path / "other").open("wb") as other:
        outbox.close()
        outbox._last.note(7)
        other.write(b"mine")
    assert (tmp_path / "other").read_bytes() == b"mine"
