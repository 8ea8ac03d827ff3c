"""States as a power cut may leave them: the journal or the database shorter than it was, or torn at the end."""

import random
import shutil
from pathlib import Path

import pytest
from alert_factory import make_alert, picture_bytes

from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_files import RESERVE_STEP

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
