"""What the outbox holds, set against what a subscriber received: lost, duplicated, out of order, late.

The outbox is read by itself, beside the daemon, and not asked what it believes to have delivered.
"""

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from streamer.soak.witness import Told

#: What the daemon's log says of each message that the rules have made, before it is stored.
_RAISED: Final = re.compile(r" (new|update|end) alert ([0-9A-Za-z_-]+): camera ")
#: What it says of a message that was given up by a stated limit, after it was stored.
_DROPPED: Final = re.compile(r"dropped \w+ of alert [0-9A-Za-z_-]+, seq (\d+)")
#: ... of numbers whose messages the disk has lost, at the next start; of a database that could be read in part; and
#: of numbers that are left out therefore.
_DISK_LOST: Final = re.compile(r"seq (\d+) to (\d+) were stored and are gone")
_DAMAGED: Final = re.compile(r"could be read back; others are lost, numbers go on above seq (\d+)")
_LEFT_OUT: Final = re.compile(r"numbers go on above seq (\d+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the outbox. ``created_at``: when it was stored, by the daemon's clock; ``seen_at``: when it was
    first read here, by ours (UTC epoch s).
    """

    seq: int
    alert_id: str
    type: str
    created_at: float
    seen_at: float

    @property
    def key(self) -> tuple[int, str, str]:
        """As of a message that was received."""
        return self.seq, self.alert_id, self.type


class OutboxLedger:
    """Every message that the outbox in ``state_dir`` has shown so far; it may give up delivered ones meanwhile.

    ``entries`` by ``seq``; ``last_seq`` is the number that was given out last, ``pending`` what waits for the broker.
    """

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.entries: dict[int, Entry] = {}
        self.last_seq = 0
        self.pending = 0
        self.conflicts: list[tuple[Entry, Entry]] = []

    def read(self, *, whole: bool = False) -> int:
        """Look for new messages, or at all of them again; returns ``last_seq``.

        An outbox that is not there, or cannot be read now, changes nothing.
        """
        path = self.state_dir / "outbox.sqlite3"
        if not path.exists():
            return self.last_seq
        try:
            uri = f"file:{quote(str(path))}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None)) as db:
                db.execute("BEGIN")
                above = 0 if whole else max(self.entries, default=0)
                query = "SELECT seq, alert_id, type, created_at FROM messages WHERE seq > ?"
                rows = db.execute(query, (above,)).fetchall()
                last = db.execute("SELECT value FROM counters WHERE name = 'seq'").fetchone()
                pending = db.execute("SELECT COUNT(*) FROM messages WHERE acked_at IS NULL").fetchone()
        except sqlite3.Error:
            return self.last_seq
        now = time.time()
        for row in rows:
            seq, alert_id, kind, created_at = row
            self._add(Entry(seq, alert_id, kind, created_at, now))
        self.last_seq = last[0] if last is not None else 0
        self.pending = pending[0]
        return self.last_seq

    def _add(self, entry: Entry) -> None:
        known = self.entries.setdefault(entry.seq, entry)
        if known.key != entry.key:
            # a number that was given out twice
            self.conflicts.append((known, entry))
            self.entries[entry.seq] = entry


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the messages.

    - ``expected``: messages of the outbox, without those given up by a stated limit, which are ``dropped``.
    - ``delivered``: of these, how many the subscriber has, by ``seq``, ``alert_id`` and ``type``; the others are
      ``lost``, with those that the rules have made and nothing has stored or announced.
    - ``duplicated``: what a subscriber that leaves out repeats of (``alert_id``, ``seq``, ``type``) takes for two: a
      second ``new`` or ``end`` of an alert, a number with two messages, a repeat that says something else, a message
      that the outbox does not know.
    - ``repeats``: deliveries beyond the first that it can tell (QoS 1).
    - ``out_of_order``: first deliveries with a lower ``seq`` than one before; ``without_picture``: messages that came
      before the picture that they name.
    - ``cut_off``: messages that the rules had made when the process was killed, before they were stored.
    """

    expected: int
    delivered: int
    lost: int
    duplicated: int
    repeats: int
    out_of_order: int
    without_picture: int
    dropped: int
    cut_off: int
    worst_delay_s: float
    examples: tuple[str, ...] = field(default=())

    def __add__(self, other: "Comparison") -> "Comparison":
        """Both together."""
        return Comparison(
            expected=self.expected + other.expected,
            delivered=self.delivered + other.delivered,
            lost=self.lost + other.lost,
            duplicated=self.duplicated + other.duplicated,
            repeats=self.repeats + other.repeats,
            out_of_order=self.out_of_order + other.out_of_order,
            without_picture=self.without_picture + other.without_picture,
            dropped=self.dropped + other.dropped,
            cut_off=self.cut_off + other.cut_off,
            worst_delay_s=max(self.worst_delay_s, other.worst_delay_s),
            examples=self.examples + other.examples,
        )

    @property
    def clean(self) -> bool:
        """Whether everything arrived exactly once, in order, with its picture."""
        return not (self.lost or self.duplicated or self.out_of_order or self.without_picture)


def compare(
    ledger: OutboxLedger,
    told: Sequence[Told],
    *,
    log: str = "",
    kills: int = 0,
    clock_is_steady: bool = True,
    above_seq: int = 0,
    up_to_seq: int = 2**62,
) -> Comparison:
    """Compare after a last ``ledger.read(whole=True)`` what has numbers from above ``above_seq`` to ``up_to_seq``.

    ``log`` is what the daemon said: of messages that it raised none may be missing in the outbox, but for one for each
    of ``kills``; what it says to have dropped is not expected. ``clock_is_steady`` False: its clock was set while it
    ran, and delays count from when the outbox first showed a message.
    """
    announced = _given_up(ledger, log) - {one.seq for one in told}
    entries = {
        seq: entry
        for seq, entry in ledger.entries.items()
        if above_seq < seq <= up_to_seq and seq not in announced
    }
    told = [one for one in told if above_seq < one.seq <= up_to_seq]
    first_of: dict[tuple[int, str, str], Told] = {}
    for one in told:
        first_of.setdefault(one.key, one)
    missing = [str(entry.key) for entry in entries.values() if entry.key not in first_of]
    # given up between two readings: known by their numbers alone
    numbers = set(range(above_seq + 1, min(up_to_seq, ledger.last_seq) + 1))
    unseen = numbers - ledger.entries.keys() - announced - _left_out(log)
    missing += [f"seq {seq}" for seq in sorted(unseen - {key[0] for key in first_of})]
    doubles = _doubles(ledger, told, first_of)
    unstored = unstored_in(ledger, log, came=first_of)
    firsts = list(first_of.values())
    delays = [
        first_of[entry.key].at - (entry.created_at if clock_is_steady else entry.seen_at)
        for entry in entries.values()
        if entry.key in first_of
    ]
    lost = len(missing) + max(0, unstored - kills)
    return Comparison(
        expected=len(entries) + len(unseen) + max(0, unstored - kills),
        delivered=len(entries) + len(unseen) - len(missing),
        lost=lost,
        duplicated=len(doubles),
        repeats=len(told) - len(first_of),
        out_of_order=_out_of_order(firsts),
        without_picture=sum(one.picture_came is False for one in firsts),
        dropped=sum(above_seq < seq <= up_to_seq for seq in announced),
        cut_off=min(unstored, kills),
        worst_delay_s=max(delays, default=0.0),
        examples=tuple([f"lost {one}" for one in missing[:5]] + doubles[:5]),
    )


def raised_in(log: str) -> Counter[tuple[str, str]]:
    """How often the log tells of each (``alert_id``, ``type``)."""
    return Counter((alert_id, kind) for kind, alert_id in _RAISED.findall(log))


def _given_up(ledger: OutboxLedger, log: str) -> set[int]:
    """The numbers of messages that the log says to be lost."""
    found = {int(number) for number in _DROPPED.findall(log)}
    for first, last in _DISK_LOST.findall(log):
        found |= set(range(int(first), int(last) + 1))
    for upper in _DAMAGED.findall(log):
        found |= {seq for seq in ledger.entries if seq <= int(upper)}
    return found


def _left_out(log: str) -> set[int]:
    """Numbers that no message was given, for the outbox could not know which were."""
    return {seq for upper in _LEFT_OUT.findall(log) for seq in range(1, int(upper) + 1)}


def unstored_in(ledger: OutboxLedger, log: str, *, came: Collection[tuple[int, str, str]] = ()) -> int:
    """How many messages the log tells of that the outbox has never held.

    What ``came`` was held too, where history was given up between two readings.
    """
    keys = {entry.key for entry in ledger.entries.values()} | set(came)
    stored = Counter((alert_id, kind) for _, alert_id, kind in keys)
    return sum((raised_in(log) - stored).values())


def _doubles(
    ledger: OutboxLedger, told: Iterable[Told], first_of: Mapping[tuple[int, str, str], Told]
) -> list[str]:
    found = [f"seq {a.seq} was given out twice: {a.key} and {b.key}" for a, b in ledger.conflicts]
    seqs: dict[int, tuple[int, str, str]] = {}
    steps: dict[tuple[str, str], int] = {}
    for key in first_of:
        seq, alert_id, kind = key
        if seqs.setdefault(seq, key) != key:
            found.append(f"seq {seq} came twice: {seqs[seq]} and {key}")
        if kind != "update" and steps.setdefault((alert_id, kind), seq) != seq:
            found.append(f"{kind} of {alert_id} came twice: seq {steps[alert_id, kind]} and {seq}")
        if seq not in ledger.entries and seq > ledger.last_seq:
            found.append(f"the outbox does not know {key}")
    found += [
        f"a repeat of {one.key} says something else"
        for one in told
        if one.essence != first_of[one.key].essence
    ]
    return found


def _out_of_order(firsts: Collection[Told]) -> int:
    highest, count = 0, 0
    for one in firsts:
        count += one.seq < highest
        highest = max(highest, one.seq)
    return count
