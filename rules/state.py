"""What of a camera's rules outlives a restart of the daemon, as JSON-able dictionaries.

Times are stored as ages in seconds before the moment of the export, so that they mean the same on the timeline of the
next run. Tracks and beliefs are not kept: persons are found again, and open episodes are inherited by them as after an
outage of the stream.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from models.structures import Gear, GearState
from rules.book import EpisodeBook
from rules.compliance import ComplianceCounter
from rules.cooldowns import Closed
from rules.episodes import Episode, Key
from rules.findings import Findings
from rules.geometry import Box, Point
from rules.rule import Rule
from rules.stillness import Stillness
from rules.trace import Trace
from rules.violations import GearVerdict

VERSION: Final = 1


class Saved(NamedTuple):
    """What was read back: times are those of a timeline that begins at ``saved_at`` (UTC epoch seconds).

    ``orphans`` are the episodes, of persons and of zones, whose rule, or whose place in it, is no more; they have to
    be closed.
    """

    saved_at: float
    next_track_id: int
    book: EpisodeBook
    orphans: tuple[Episode, ...]
    still: list[Stillness]
    counter: ComplianceCounter


def read_state(
    state: Mapping[str, Any], camera_id: str, rules: tuple[Rule, ...], new_book: Callable[[], EpisodeBook]
) -> Saved:
    """Read an exported state. Raises ``ValueError`` when it is of another camera or version, or cannot be read."""
    if state.get("version") != VERSION or state.get("camera_id") != camera_id:
        raise ValueError(f"the state is not one of camera {camera_id} in version {VERSION}")
    book, counter = new_book(), ComplianceCounter()
    try:
        saved_at = float(state["saved_at"])
        orphans, crowds = restore_book(book, state["book"], rules, 0.0)
        still = restore_still(state["still"], 0.0)
        counter.restore(state["compliance"])
        next_track_id = int(state["next_track_id"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"the state of camera {camera_id} cannot be read: {error!r}") from error
    ended = (*(orphan for orphan in orphans if not orphan.is_silent), *crowds)
    return Saved(saved_at, next_track_id, book, ended, still, counter)


def export_book(book: EpisodeBook, rules: tuple[Rule, ...], t: float) -> dict[str, Any]:
    """Open and cooling episodes as of ``t``."""
    return {
        "numbers": dict(book.numbers),
        "episodes": [_episode(episode, t) for episode in book.in_order()],
        "crowds": [_episode(episode, t) for _, episode in sorted(book.crowds.open.items(), key=_by_key)],
        "closed": [
            {
                "violation_id": entry.violation_id,
                "rule": rules[entry.key[0]].name,
                "place": entry.key[1],
                "owner": entry.owner,
                "point": list(entry.point),
                "unit_px": entry.unit_px,
                "remaining_s": entry.until_t - t,
            }
            for entry in book.cooldowns.closed
            if entry.until_t > t
        ],
    }


def restore_book(
    book: EpisodeBook, state: dict[str, Any], rules: tuple[Rule, ...], t: float
) -> tuple[list[Episode], list[Episode]]:
    """Take what ``export_book`` gave, as of ``t``.

    Returns the episodes of persons and of zones whose rule, or whose place in it, is no more; they have to be closed.
    """
    keys = {(rule.name, place): (index, place) for index, rule in enumerate(rules) for place in rule.places}
    book.numbers.update({str(name): int(number) for name, number in state["numbers"].items()})
    orphans: list[Episode] = []
    for row in state["episodes"]:
        key = keys.get((row["rule"], row["place"]))
        episode = _restored(row, key or (-1, row["place"]), None if key is None else rules[key[0]], t)
        if key is None:
            orphans.append(episode)
        else:
            book.open[key][episode.owner] = episode
    lone_crowds: list[Episode] = []
    for row in state["crowds"]:
        key = keys.get((row["rule"], row["place"]))
        crowd = _restored(row, key or (-1, row["place"]), None if key is None else rules[key[0]], t)
        if key is None:
            lone_crowds.append(crowd)
        else:
            book.crowds.open[key] = crowd
    for row in state["closed"]:
        key = keys.get((row["rule"], row["place"]))
        if key is not None:
            book.cooldowns.closed.append(
                Closed(
                    row["violation_id"],
                    key,
                    int(row["owner"]),
                    _point(row["point"]),
                    float(row["unit_px"]),
                    t + float(row["remaining_s"]),
                )
            )
    return orphans, lone_crowds


def export_still(places: list[Stillness], t: float) -> list[dict[str, Any]]:
    """Still things as of ``t``."""
    return [
        {
            "point": list(place.point),
            "unit_px": place.unit_px,
            "since_s": t - place.since_t,
            "last_s": t - place.last_t,
        }
        for place in places
    ]


def restore_still(rows: list[dict[str, Any]], t: float) -> list[Stillness]:
    """Take what ``export_still`` gave, as of ``t``."""
    return [
        replace(
            Stillness.of(_point(row["point"]), float(row["unit_px"]), t - float(row["since_s"])),
            last_t=t - float(row["last_s"]),
        )
        for row in rows
    ]


def _by_key(item: tuple[Key, Episode]) -> tuple[int, str]:
    return item[0][0], item[0][1] or ""


def _episode(episode: Episode, t: float) -> dict[str, Any]:
    return {
        "violation_id": episode.violation_id,
        "rule": episode.rule.name,
        "place": episode.key[1],
        "owner": episode.owner,
        "started_s": t - episode.started_t,
        "confirmed_s": t - episode.confirmed_t,
        "last_seen_s": t - episode.last_seen_t,
        "told_s": t - episode.told_t,
        "gear": [gear.value for gear in episode.gear],
        "score": episode.findings.score,
        "box": list(episode.box),
        "head": None if episode.head is None else list(episode.head),
        "evidence": {
            gear.value: [verdict.state.value, verdict.score, verdict.reason]
            for gear, verdict in episode.findings.evidence.items()
        },
        "point": list(episode.point),
        "unit_px": episode.unit_px,
        "snapshot_score": episode.snapshot_score,
        "count": episode.count,
        "is_silent": episode.is_silent,
        "trace": [[t - at, event, detail] for at, event, detail in episode.trace.entries],
        "trace_left_out": episode.trace.left_out,
    }


def _restored(row: dict[str, Any], key: Key, rule: Rule | None, t: float) -> Episode:
    gear = tuple(Gear(name) for name in row["gear"])
    trace = Trace(
        [(t - float(age), str(event), str(detail)) for age, event, detail in row["trace"]],
        int(row["trace_left_out"]),
    )
    trace.add(t, "restored", "after a restart")
    evidence = {
        Gear(name): GearVerdict(GearState(verdict[0]), float(verdict[1]), str(verdict[2]))
        for name, verdict in row["evidence"].items()
    }
    return Episode(
        violation_id=str(row["violation_id"]),
        key=key,
        rule=rule if rule is not None else Rule(str(row["rule"]), gear),
        owner=int(row["owner"]),
        started_t=t - float(row["started_s"]),
        confirmed_t=t - float(row["confirmed_s"]),
        gear=gear,
        findings=Findings.told(evidence, float(row["score"])),
        box=_box(row["box"]),
        head=None if row["head"] is None else _box(row["head"]),
        point=_point(row["point"]),
        unit_px=float(row["unit_px"]),
        last_seen_t=t - float(row["last_seen_s"]),
        told_t=t - float(row["told_s"]),
        told_gear=gear,
        snapshot_score=float(row["snapshot_score"]),
        count=int(row["count"]),
        told_count=int(row["count"]),
        is_silent=bool(row["is_silent"]),
        trace=trace,
    )


def _box(values: list[Any]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def _point(values: list[Any]) -> Point:
    x, y = (float(value) for value in values)
    return x, y
