"""The rules of one camera: from the detections of its frames to violations that open, change and close."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from models.structures import Detections
from rules.areas import SuppressionArea
from rules.association import associate
from rules.book import EpisodeBook
from rules.compliance import Compliance, ComplianceCounter
from rules.counting import count_frame
from rules.demands import Demands
from rules.dwell import Moment
from rules.judge import Judge
from rules.people import People
from rules.person import Person
from rules.rule import Rule
from rules.shifts import Shifts
from rules.state import VERSION, export_book, export_still, read_state
from rules.timeline import Timeline
from rules.track import Track, TrackState
from rules.tracker import Tracker
from rules.tuning import Tuning
from rules.violations import EndReason, Suppression, Violation
from rules.zone_map import ZoneMap
from rules.zones import Zone


class CameraEngine:
    """Follows the persons of one camera and keeps its episodes.

    Pure and deterministic: it knows no time but the ``captured_at`` of frames and the ``at`` that it is told, both UTC
    epoch seconds, so a replay gives the same violations. Not thread-safe.

    - ``zones``: in the order in which tracks name them; ``rules``: those that hold at this camera, each with its
      places among the zones.
    - ``timezone``: IANA name for schedules and local midnights.

    Raises ``ValueError`` on doubled names, rules that name a zone which is not there, or an unknown time zone.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        zones: Sequence[Zone],
        rules: Sequence[Rule],
        timezone: str,
        tuning: Tuning | None = None,
    ) -> None:
        self.camera_id = camera_id
        self._rules = tuple(rules)
        _check(zones, self._rules)
        self._tuning = tuning if tuning is not None else Tuning()
        try:
            local = ZoneInfo(timezone)
        except (KeyError, OSError) as error:
            raise ValueError(f"unknown time zone: {timezone}") from error
        self._timeline = Timeline(self._tuning)
        self._shifts = Shifts(self._rules, local)
        self._demands = Demands(self._rules, ())
        self._zones = ZoneMap(zones, self._tuning)
        self._tracker = Tracker(self._tuning)
        self._people = People(self._tuning)
        self._book = self._new_book()
        self._judge = Judge(self._rules, self._book, self._tuning)
        self._counter = ComplianceCounter()
        self._is_lost = False

    def observe(self, detections: Detections, captured_at: float) -> list[Violation]:
        """Take one frame; returns what it opened, updated and closed, in this order of time.

        Late frames (up to a second back) and repeated ones are left out.
        """
        before_t = self._timeline.frame_t
        passed_s = self._timeline.frame(captured_at)
        if passed_s is None:
            return []
        if passed_s >= self._tuning.camera_lost_s and not self._is_lost:
            self._end_all(EndReason.CAMERA_LOST, ended_t=before_t)
        self._is_lost = False
        self._keep_schedules()
        moment = Moment(
            self._timeline.frame_t,
            passed_s,
            self._timeline.interval_s,
            passed_s > self._timeline.outage_s,
        )
        persons = associate(
            detections,
            gears=self._demands.gears,
            min_score=self._tuning.low_score,
            lone_hat_score=0.9 * self._tuning.start_score,
        )
        step = self._tracker.step(
            persons,
            t=moment.t,
            passed_s=passed_s,
            interval_s=moment.interval_s,
            is_outage=moment.is_outage,
            image_hw=detections.image_hw,
        )
        seen = self._people.take(step, moment)
        self._book.areas.watch(seen, moment.t)
        self._zones.place(seen, detections.image_hw, moment.t)
        self._people.believe(moment, self._demands)
        self._judge.judge(
            self._people.by_id,
            moment,
            active=self._demands.active,
            image_hw=detections.image_hw,
            input_scale=detections.input_scale,
        )
        count_frame(
            self._counter,
            self._people.by_id.values(),
            self._demands,
            shifts=self._shifts,
            moment=moment,
            tuning=self._tuning,
        )
        return self._book.take()

    def advance(self, at: float) -> list[Violation]:
        """Time passes without frames: ends what the schedule ends, and everything once the camera counts as lost.

        Call it about once a second while no frames come, by the clock that gives ``captured_at``.
        """
        idle_s = self._timeline.idle(at)
        if not self._timeline.has_begun:
            return []
        self._keep_schedules()
        if idle_s >= self._tuning.camera_lost_s and not self._is_lost:
            self._is_lost = True
            self._end_all(EndReason.CAMERA_LOST, ended_t=self._timeline.frame_t)
        return self._book.take()

    def finish(self, reason: EndReason, at: float) -> list[Violation]:
        """End all open episodes for ``reason`` at ``at``, and give all tracks up."""
        self._timeline.idle(at)
        lost = reason is EndReason.CAMERA_LOST
        self._end_all(reason, ended_t=self._timeline.frame_t if lost else self._timeline.t)
        return self._book.take()

    def compliance(self) -> tuple[Compliance, ...]:
        """Counts by zone and gear; see ``Compliance``. The camera as a whole (zone None) comes first."""
        return self._counter.report()

    @property
    def tracks(self) -> tuple[Track, ...]:
        """All tracks as of the latest frame, by id."""
        return tuple(self._track(person) for _, person in sorted(self._people.by_id.items()))

    @property
    def is_engaged(self) -> bool:
        """Whether a look that is left out would cost something: an episode is open, or somebody is followed of whom a
        rule asks something here and now, or who is not confirmed yet. Static things are nobody.
        """
        return self._book.has_open or any(
            not person.followed.is_confirmed or self._demands.gear_at(person.places)
            for person in self._people.by_id.values()
            if not person.is_static
        )

    def set_areas(self, areas: Iterable[SuppressionArea]) -> None:
        """Open no episodes in these places from the next frame on (see ``rules.areas``); those that are open go on."""
        self._book.areas.set(areas)

    def take_held(self) -> list[Suppression]:
        """The episodes that suppression areas held back since the last call, oldest first."""
        return self._book.suppressions.take_held()

    @property
    def suppressions(self) -> tuple[Suppression, ...]:
        """The latest episodes that were held back or inherited, oldest first."""
        return self._book.suppressions.latest

    @property
    def suppressed(self) -> Mapping[str, int]:
        """How many episodes were held back or inherited, by reason."""
        return self._book.suppressions.counts

    def export_state(self) -> dict[str, Any]:
        """What is to outlive a restart, as a JSON-able dictionary: open and cooling episodes, counts, still things.

        Take it after ``observe``; an episode that is in it needs no end when the daemon stops.
        """
        t = self._timeline.t
        return {
            "version": VERSION,
            "camera_id": self.camera_id,
            "saved_at": self._timeline.wall(t),
            "next_track_id": self._tracker.next_id,
            "book": export_book(self._book, self._rules, t),
            "still": export_still(self._people.still, t),
            "compliance": self._counter.export(),
        }

    def restore_state(self, state: Mapping[str, Any], at: float) -> list[Violation]:
        """Go on from an exported state, before the first frame; ``at`` is now, UTC epoch seconds.

        The time since the export counts as an outage of the stream: open episodes go on with the persons found where
        they were, or end as ``camera_lost`` when it was too long. Returns the ends of these and of episodes whose rule
        is no more (``reload``). Raises ``ValueError`` for the state of another camera or version, or one that cannot be
        read; nothing is restored then.
        """
        if self._timeline.has_begun:
            raise ValueError("a state is restored before the first frame")
        saved = read_state(state, self.camera_id, self._rules, self._new_book)
        saved.book.areas.set(self._book.areas.all)
        self._book, self._counter = saved.book, saved.counter
        self._judge = Judge(self._rules, saved.book, self._tuning)
        self._people.remember_still(saved.still)
        self._tracker.next_id = saved.next_track_id
        self._timeline.resume(saved.saved_at)
        for episode in saved.orphans:
            saved.book.end(episode, 0.0, ended_t=0.0, reason=EndReason.RELOAD, cool=False)
        if at - saved.saved_at > self._tuning.clock_jump_s:
            self._is_lost = True
            self._end_all(EndReason.CAMERA_LOST, ended_t=0.0)
        self._shifts.update(saved.saved_at)
        return self._book.take() + self.advance(at)

    def _new_book(self) -> EpisodeBook:
        return EpisodeBook(self.camera_id, rules=self._rules, tuning=self._tuning, wall=self._timeline.wall)

    def _keep_schedules(self) -> None:
        at = self._timeline.schedule_at()
        t = self._timeline.t
        for rule, ended_at in self._shifts.update(at):
            ended_t = min(t, max(t - (at - ended_at), t - self._tuning.clock_settle_s))
            for episode in self._book.in_order():
                if episode.key[0] == rule:
                    self._book.close(episode, t, ended_t=ended_t, reason=EndReason.SCHEDULE)
        self._book.settle_crowds(t)
        active = self._shifts.active
        if active != self._demands.active:
            self._demands = Demands(self._rules, active)

    def _end_all(self, reason: EndReason, *, ended_t: float) -> None:
        t = self._timeline.t
        for episode in self._book.in_order():
            # what had already ceased ends as it had begun to end
            clearing = episode.clearing
            if clearing is not None and clearing.reason is not EndReason.LEFT_VIEW:
                self._book.close(episode, t, ended_t=clearing.since_t, reason=clearing.reason)
            else:
                self._book.close(episode, t, ended_t=ended_t, reason=reason)
        self._book.settle_crowds(t)
        self._people.clear()
        self._tracker.clear()
        self._counter.clear_now()

    def _track(self, person: Person) -> Track:
        followed = person.followed
        lost = followed.unseen_s > max(self._tuning.missed_look_s, 2.1 * self._timeline.interval_s)
        state = TrackState.CONFIRMED if followed.is_confirmed else TrackState.TENTATIVE
        asked = self._demands.gear_at(person.places)
        return Track(
            camera_id=self.camera_id,
            track_id=followed.track_id,
            state=TrackState.LOST if lost else state,
            first_seen_at=self._timeline.wall(followed.first_seen_t),
            last_seen_at=self._timeline.wall(followed.last_seen_t),
            observation=followed.observation,
            gear={gear: person.beliefs[gear].verdict() for gear in asked if gear in person.beliefs},
            zones=tuple(name for name in self._zones.names if person.is_in(name)),
            is_static=person.is_static,
            is_relevant=bool(asked),
            violation_ids=self._book.ids_of(followed.track_id),
        )


def _check(zones: Sequence[Zone], rules: Sequence[Rule]) -> None:
    for kind, names in (("zone", [zone.name for zone in zones]), ("rule", [rule.name for rule in rules])):
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two {kind}s are named {name}")
    known = {zone.name for zone in zones}
    for rule in rules:
        for place in rule.places:
            if place is not None and place not in known:
                raise ValueError(f"rule {rule.name}: there is no zone {place}")
