"""The head's watch over parts that a test answers for: what each is told, and who counts as gone."""

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from cluster_site import write_cluster_site

from config import SiteSettings, load_site
from streamer.cluster.accounts import Accounts
from streamer.cluster.making import wish_of
from streamer.cluster.muster import Muster
from streamer.cluster.peer import NearPeer
from streamer.cluster.placement import Kind, Need, Node
from streamer.cluster.roster import Part
from streamer.cluster.watch import ClusterWatch
from streamer.cluster.wire import IngestReport, LaneAddress, Orders, RulesReport
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import WatchEvents

NEEDS = {kind: Need(0.1) for kind in Kind}


class HeldTicket:
    """A call that is answered when the test says so."""

    def __init__(self, args: tuple[Any, ...]) -> None:
        self.args = args
        self.answer: Any = None

    def result(self) -> Any:
        return self.answer


class HeldMember:
    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.peer = NearPeer(self)
        self.open: list[HeldTicket] = []

    def found(self, lane: LaneAddress | None) -> None:
        pass

    def begin(self, _method: str, *args: Any) -> HeldTicket:
        self.open.append(HeldTicket(args))
        return self.open[-1]

    def kill(self) -> None:
        pass


class HeldCrew:
    """Parts whose calls wait until ``answer`` is called."""

    def __init__(self) -> None:
        self.members: list[HeldMember] = []
        self._answered: list[HeldTicket] = []

    def nodes(self) -> list[Node]:
        return [Node("a", 16)]

    def start(self, kind: Kind, _node_id: str, _site: SiteSettings) -> HeldMember:
        self.members.append(HeldMember(kind))
        return self.members[-1]

    def done(self, tickets: Collection[HeldTicket], timeout_s: float) -> Sequence[HeldTicket]:
        time.sleep(min(timeout_s, 0.02))
        return [ticket for ticket in tickets if ticket.answer is not None]

    def close(self) -> None:
        pass

    def orders(self, member: HeldMember) -> list[Orders]:
        """Those under way to a part."""
        return [
            ticket.args[0] for ticket in member.open if ticket.answer is None and ticket.args[0] is not None
        ]


REPORTS: dict[Kind, Callable[[], Any]] = {
    Kind.INGEST: lambda: IngestReport(1, {}, {}),
    Kind.RULES: lambda: RulesReport(1, [], {}),
}


def nothing(*_: object) -> bool:
    return False


def site_of(folder: Path, *names: str, dwell: int = 1) -> SiteSettings:
    urls = {name: f"rtsp://127.0.0.1:1/{name}" for name in names}
    rule = {"name": "masks", "where": ["*"], "require": ["face_mask"], "dwell": dwell}
    return load_site(write_cluster_site(folder, urls, broker_port=1, rules=[rule]))


def wait_until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    end_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end_s
        time.sleep(0.01)
    return found


def test_settings_that_change_while_a_part_answers_are_told_it_next(tmp_path: Path):
    crew = HeldCrew()
    before = site_of(tmp_path, "gate")
    watch = ClusterWatch(
        before,
        Heartbeats(),
        WatchEvents(**{field.name: nothing for field in dataclasses.fields(WatchEvents)}),
        lambda _camera: (),
        crew=crew,
        counts=dict.fromkeys(Kind, 1),
        needs=NEEDS,
        wish_of=wish_of,
        lost_after_s=60.0,
    )
    watch.start()
    try:
        rules = wait_until(lambda: [one for one in crew.members if one.kind is Kind.RULES])[0]

        def answer_all_but_orders() -> None:
            for ticket in rules.open:
                if ticket.args[0] is None:
                    ticket.answer = REPORTS[Kind.RULES]()

        def orders_under_way() -> list[Orders]:
            answer_all_but_orders()
            return [one for one in crew.orders(rules) if one.cameras]

        first = wait_until(orders_under_way)[0]
        assert first.site is None, "it was started with these settings"
        after = site_of(tmp_path, "gate", "dock", dwell=9)
        watch.reload(after, ["gate", "dock"])
        for ticket in rules.open:
            if ticket.answer is None:
                ticket.answer = REPORTS[Kind.RULES]()
        second = wait_until(
            lambda: [one for one in orders_under_way() if one.number > first.number and "dock" in one.cameras]
        )[0]
        assert second.site is after
    finally:
        watch.stop(lambda most_s: min(most_s, 0.1))


def test_a_part_that_was_heard_at_the_end_of_a_late_step_is_no_fresher_than_that():
    muster = Muster(HeldCrew(), counts=dict.fromkeys(Kind, 1), needs=NEEDS, wish_of=wish_of, lost_after_s=5.0)
    now_s = time.monotonic()
    part = Part("ingest-1", Kind.INGEST, "a", HeldMember(Kind.INGEST), now_s - 100, heard_s=now_s - 0.01)
    muster.parts["ingest-1"] = part
    muster._stepped_s = now_s - 60
    muster.forgive()
    assert part.silent_s(time.monotonic()) >= 0
    assert muster.overdue() == []


@pytest.mark.parametrize("late_s", [0.0, 60.0])
def test_silence_counts_from_when_there_was_time_to_hear(late_s: float):
    muster = Muster(HeldCrew(), counts=dict.fromkeys(Kind, 1), needs=NEEDS, wish_of=wish_of, lost_after_s=5.0)
    now_s = time.monotonic()
    silent = Part("ingest-1", Kind.INGEST, "a", HeldMember(Kind.INGEST), now_s - 100, heard_s=now_s - 20)
    muster.parts["ingest-1"] = silent
    muster._stepped_s = now_s - late_s
    muster.forgive()
    assert [part.part_id for part, _ in muster.overdue()] == ([] if late_s else ["ingest-1"])


def test_a_report_that_was_under_way_brings_no_removed_camera_back():
    accounts = Accounts(["gate", "dock"])
    report = RulesReport(1, [], {}, compliance={"gate": (), "dock": ()}, heads={"dock": ()})
    accounts.take_rules("rules-1", report)
    assert set(accounts.compliance()) == {"gate", "dock"}
    accounts.keep_only(["gate"])
    accounts.take_rules("rules-1", report)
    assert set(accounts.compliance()) == {"gate"}
    assert set(accounts.head_sizes()) == set()
