"""States as a power cut may leave them: the journal or the database shorter than it was, or torn at the end."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alert_factory import make_alert, picture_bytes

from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_files import RESERVE_STEP
from streamer.feedback.areas import StoredArea

STORED = 60


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of an outbox that was never closed: most in its journal, and most in its database."""
    found = []
    for checkpointed in (False, True):
        folder = tmp_path_factory.mktemp("state")
        with Outbox(folder) as outbox:
            for n in range(STORED):
                jpeg = picture_bytes(n, 2000)
                outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=float(n))
                if checkpointed and n == STORED - 3:
                    outbox._db.release_journal()
            found.append(Path(shutil.copytree(folder, folder.with_name(f"{folder.name}-cut-off"))))
    return found


def cut(state: Path, chance: random.Random) -> str:
    """Take away, or tear, a random part of the end of the journal, the database or both; what was done."""
    victims = chance.choice([["-wal"], ["-wal"], [""], ["-wal", ""]])
    done = []
    for suffix in victims:
        path = state / f"outbox.sqlite3{suffix}"
        size = path.stat().st_size
        keep = chance.choice([0, chance.randrange(size + 1), max(0, size - chance.randrange(1, 9000))])
        tear = chance.choice([b"", bytes(512), chance.randbytes(512)])
        with path.open("r+b") as file:
            file.truncate(keep)
            file.seek(max(0, keep - 256))
            file.write(tear[: size - max(0, keep - 256)])
        done.append(f"{path.name}: {keep} of {size}, torn by {len(tear)}")
    return ", ".join(done)


@pytest.mark.parametrize("seed", range(40))
def test_what_was_stored_is_there_or_its_loss_is_told_and_no_number_comes_twice(
    seed: int, states: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    chance = random.Random(seed)
    state = Path(shutil.copytree(states[seed % 2], tmp_path / "state"))
    what = cut(state, chance)
    with Outbox(state) as outbox:
        kept = {message.seq: message.alert_id for message in outbox.pending(limit=1000)}
        assert kept.items() <= {(n + 1, f"A{n}") for n in range(STORED)}, what
        number = outbox.enqueue(make_alert("B"), at=100.0)
        told = "the disk has lost" in caplog.text or "the outbox was damaged" in caplog.text
        if len(kept) < STORED:
            assert told, what
            assert number > RESERVE_STEP, what
        else:
            assert number > STORED, what
    caplog.clear()
    with Outbox(state) as outbox:
        assert outbox.enqueue(make_alert("C"), at=100.0) == number + 1
    assert not caplog.text


def test_a_database_that_has_vanished_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with Outbox(tmp_path) as outbox:
        for n in range(3):
            outbox.enqueue(make_alert(f"A{n}"), at=1.0)
    (tmp_path / "outbox.sqlite3").unlink()
    with Outbox(tmp_path) as outbox:
        assert outbox.enqueue(make_alert("B"), at=1.0) == RESERVE_STEP + 1
        assert outbox.stats().dropped == 3
    assert "seq 1 to 3 were stored and are gone" in caplog.text


def test_most_of_a_database_without_its_end_is_read_back(states: list[Path], tmp_path: Path):
    state = Path(shutil.copytree(states[1], tmp_path / "state"))
    (state / "outbox.sqlite3-wal").unlink()
    database = state / "outbox.sqlite3"
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size - 4096)
    with Outbox(state) as outbox:
        assert outbox.recovered_from is not None
        assert len(outbox.pending(limit=1000)) > STORED // 2


def test_a_note_that_cannot_be_read_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(make_alert("A"), at=1.0)
    (tmp_path / "outbox.last").write_bytes(b"\0" * 21)
    with Outbox(tmp_path) as outbox:
        assert outbox.enqueue(make_alert("B"), at=1.0) == 2
    assert not caplog.text


@pytest.mark.parametrize("column", ["snapshot", "trace", "created_at", "snapshot_bytes"])
def test_a_message_that_is_torn_beside_its_body_is_delivered_whole(
    column: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """SQLite finds nothing wrong with a page in which zeros stand where a picture's name was."""
    pictures = [picture_bytes(n, 2000) for n in range(3)]
    with Outbox(tmp_path) as outbox:
        for n, jpeg in enumerate(pictures):
            outbox.enqueue(make_alert(f"A{n}", jpeg), jpeg, at=100.0 + n, trace=[{"event": "dwell"}])
    torn = {"snapshot": "\0" * 40, "trace": bytes(30), "created_at": float("-inf"), "snapshot_bytes": "\0\0"}
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute(f"UPDATE messages SET {column} = ? WHERE seq = 2", (torn[column],))
    with Outbox(tmp_path) as outbox:
        assert "message 2 is not what was stored" in caplog.text
        found = outbox.pending(limit=10)
        assert [message.alert_id for message in found] == ["A0", "A1", "A2"]
        assert [message.snapshot.read_bytes() for message in found] == pictures
        assert [message.snapshot_bytes for message in found] == [len(jpeg) for jpeg in pictures]
        assert found[1].trace is None or json.loads(found[1].trace)
        assert found[1].created_at > 0
        assert outbox.enqueue(make_alert("B"), at=200.0) > 3


@pytest.mark.parametrize("body", [b"\0" * 50, b'{"seq":3,"alert_id":"A2"}', b"[]"])
def test_a_message_whose_body_is_torn_is_lost_and_holds_up_nobody(
    body: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with Outbox(tmp_path) as outbox:
        for n in range(5):
            outbox.enqueue(make_alert(f"A{n}"), at=100.0 + n)
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE messages SET body = ? WHERE seq IN (2, 4)", (body,))
    with Outbox(tmp_path) as outbox:
        assert [message.alert_id for message in outbox.pending(limit=10)] == ["A0", "A2", "A4"]
    assert "3 undelivered alerts could be read back" in caplog.text


def test_what_is_kept_beside_alerts_and_torn_is_as_if_it_were_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """The daemon reads both at its start."""
    areas = [
        StoredArea(f"S{n}", "gate", "hats", (0.1, 0.1, 0.2, 0.2), ("A1",), 100.0, 200.0) for n in range(2)
    ]
    with Outbox(tmp_path) as outbox:
        outbox.put_state("topics", ["one", "two"])
        for area in areas:
            with outbox._db.transaction(durable=True) as db:
                area.insert(db)
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE state SET value = ?", ('["one", \0\0\0',))
        db.execute("UPDATE suppression_areas SET head = ? WHERE area_id = 'S0'", ("\0" * 20,))
    with Outbox(tmp_path) as outbox:
        assert outbox.get_state("topics") is None
        assert "what was kept under topics cannot be read" in caplog.text
        assert outbox.feedback.areas("gate") == areas[1:]
        assert outbox.feedback.expire(300.0) == areas[1:]
        assert outbox.feedback.areas() == []


def test_a_picture_that_is_gone_is_told_with_its_alert(tmp_path: Path):
    jpeg = picture_bytes(1, 2000)
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(make_alert("A", jpeg), jpeg, at=100.0)
        outbox.pending(limit=1)[0].snapshot.unlink()
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE messages SET snapshot = ?", ("../../etc/passwd",))
    with Outbox(tmp_path) as outbox:
        (message,) = outbox.pending(limit=10)
        assert message.snapshot.parent.parent == tmp_path / "snapshots"
        assert not message.snapshot.exists()


def test_a_picture_that_cannot_be_read_keeps_no_outbox_from_opening(tmp_path: Path):
    jpeg = picture_bytes(1, 2000)
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(make_alert("A", jpeg), jpeg, at=100.0)
        path = outbox.pending(limit=1)[0].snapshot
    path.unlink()
    path.mkdir()
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE messages SET snapshot = ?", ("\0",))
    with Outbox(tmp_path) as outbox:
        assert [message.alert_id for message in outbox.pending(limit=10)] == ["A"]


def test_a_name_that_is_torn_while_it_runs_leads_nowhere(tmp_path: Path):
    jpeg = picture_bytes(1, 2000)
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(make_alert("A", jpeg), jpeg, at=100.0)
        with outbox._db.transaction(durable=False) as db:
            db.execute("UPDATE messages SET snapshot = ?", ("\0" * 9,))
        (message,) = outbox.pending(limit=1)
        assert not message.snapshot.exists()
        outbox.acknowledge(message.seq, at=101.0)
        assert outbox.enforce_limits(at=1e10) == 1
