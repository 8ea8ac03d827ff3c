"""The rules of one camera: from the detections of its frames to violations that open, change and close."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from models.structures import Detections, Gear
from rules.association import associate
from rules.book import EpisodeBook
from rules.compliance import Compliance, ComplianceCounter
from rules.counting import count_frame
from rules.dwell import Moment
from rules.evidence import GearBelief
from rules.following import FollowedPerson
from rules.judge import Judge
from rules.person import Person
from rules.presence import Presence
from rules.rule import Rule
from rules.shifts import Shifts
from rules.state import VERSION, export_book, export_still, restore_book, restore_still
from rules.stillness import Stillness, StillPlaces
from rules.timeline import Timeline
from rules.track import Track, TrackState
from rules.tracker import Step, Tracker
from rules.tuning import Tuning
from rules.violations import EndReason, Suppression, Violation
from rules.zones import Outline, Zone, anchor_point


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
        self._zones = {zone.name: zone for zone in zones}
        self._outlines: dict[tuple[str, tuple[int, int]], Outline] = {}
        self._rules = tuple(rules)
        _check(zones, self._rules)
        self._tuning = tuning if tuning is not None else Tuning()
        try:
            local = ZoneInfo(timezone)
        except (KeyError, OSError) as error:
            raise ValueError(f"unknown time zone: {timezone}") from error
        self._timeline = Timeline(self._tuning)
        self._shifts = Shifts(self._rules, local)
        self._tracker = Tracker(self._tuning)
        self._still_places = StillPlaces(self._tuning)
        self._people: dict[int, Person] = {}
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
        active = self._active()
        gears = {gear for _, rule in active for gear in rule.require}
        persons = associate(
            detections,
            gears=[gear for gear in Gear if gear in gears],
            min_score=self._tuning.low_score,
            lone_hat_score=0.9 * self._tuning.start_score,
        )
        was_unseen_s = {track_id: person.followed.unseen_s for track_id, person in self._people.items()}
        step = self._tracker.step(
            persons,
            t=moment.t,
            passed_s=passed_s,
            interval_s=moment.interval_s,
            is_outage=moment.is_outage,
            image_hw=detections.image_hw,
        )
        self._keep_people(step, was_unseen_s, moment)
        self._place(step.seen, detections.image_hw, moment.t)
        self._believe(moment)
        self._judge.judge(
            self._people,
            moment,
            active=[index for index, _ in active],
            image_hw=detections.image_hw,
            input_scale=detections.input_scale,
        )
        count_frame(
            self._counter,
            self._people.values(),
            active,
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
        return tuple(self._track(person) for _, person in sorted(self._people.items()))

    @property
    def is_engaged(self) -> bool:
        """Whether a look that is left out would cost something: an episode is open, or somebody is followed of whom a
        rule asks something here and now, or who is not confirmed yet. Static things are nobody.
        """
        return bool(self._book.open) or any(
            not person.followed.is_confirmed or self._asked_of(person)
            for person in self._people.values()
            if not person.is_static
        )

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
        still = [*self._still_places.places, *(person.still for person in self._people.values())]
        return {
            "version": VERSION,
            "camera_id": self.camera_id,
            "saved_at": self._timeline.wall(t),
            "next_track_id": self._tracker.next_id,
            "book": export_book(self._book, self._rules, t),
            "still": export_still(still, t),
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
        if state.get("version") != VERSION or state.get("camera_id") != self.camera_id:
            raise ValueError(f"the state is not one of camera {self.camera_id} in version {VERSION}")
        book = self._new_book()
        try:
            saved_at = float(state["saved_at"])
            orphans, crowds = restore_book(book, state["book"], self._rules, 0.0)
            still = restore_still(state["still"], 0.0)
            counter = ComplianceCounter()
            counter.restore(state["compliance"])
            next_track_id = int(state["next_track_id"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"the state of camera {self.camera_id} cannot be read: {error!r}") from error
        self._book, self._counter = book, counter
        self._judge = Judge(self._rules, book, self._tuning)
        self._still_places.places = still
        self._tracker.next_id = next_track_id
        self._timeline.resume(saved_at)
        for episode in (*(orphan for orphan in orphans if not orphan.is_silent), *crowds):
            book.end(episode, 0.0, ended_t=0.0, reason=EndReason.RELOAD, cool=False)
        if at - saved_at > self._tuning.clock_jump_s:
            self._is_lost = True
            self._end_all(EndReason.CAMERA_LOST, ended_t=0.0)
        self._shifts.update(saved_at)
        return self._book.take() + self.advance(at)

    def _new_book(self) -> EpisodeBook:
        return EpisodeBook(self.camera_id, rules=self._rules, tuning=self._tuning, wall=self._timeline.wall)

    def _active(self) -> list[tuple[int, Rule]]:
        return [(index, rule) for index, rule in enumerate(self._rules) if self._shifts.is_active(index)]

    def _keep_schedules(self) -> None:
        at = self._timeline.schedule_at()
        t = self._timeline.t
        for rule, ended_at in self._shifts.update(at):
            ended_t = min(t, max(t - (at - ended_at), t - self._tuning.clock_settle_s))
            for episode in self._book.in_order():
                if episode.key[0] == rule:
                    self._book.close(episode, t, ended_t=ended_t, reason=EndReason.SCHEDULE)
        self._book.settle_crowds(t)

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
        for person in self._people.values():
            self._still_places.remember(person.still)
        self._people.clear()
        self._tracker.clear()
        self._counter.clear_now()

    def _keep_people(self, step: Step, was_unseen_s: Mapping[int, float], moment: Moment) -> None:
        for followed in step.ended:
            person = self._people.pop(followed.track_id, None)
            if person is not None:
                self._still_places.remember(person.still)
        for followed in step.seen:
            person = self._people.get(followed.track_id)
            has_body = not followed.observation.box_is_estimated
            if person is None:
                person = self._people[followed.track_id] = self._new_person(followed, moment.t)
            person.unseen_before_s = was_unseen_s.get(followed.track_id, 0.0)
            person.still.update(
                followed.last_point, followed.unit_px, moment.t, has_body=has_body, tuning=self._tuning
            )
            person.is_static = person.still.is_static(self._tuning)
        for pair in step.met:
            for one, other in ((pair.first, pair.second), (pair.second, pair.first)):
                person = self._people.get(one.track_id)
                if person is None:
                    continue
                person.met[other.track_id] = moment.t
                if pair.is_doubtful:
                    for belief in person.beliefs.values():
                        belief.doubt()

    def _new_person(self, followed: FollowedPerson, t: float) -> Person:
        still = self._still_places.recall(followed.last_point, followed.unit_px, t)
        return Person(followed, still or Stillness.of(followed.last_point, followed.unit_px, t))

    def _place(self, seen: Sequence[FollowedPerson], image_hw: tuple[int, int], t: float) -> None:
        """Find out who is in which zone."""
        if not seen:
            return
        boxes = [(followed.body_box, followed.head_box) for followed in seen]
        for name, zone in self._zones.items():
            if (name, image_hw) not in self._outlines:
                self._outlines[name, image_hw] = Outline(zone.polygon_px(image_hw))
            points = np.array([anchor_point(body, head, zone.anchor) for body, head in boxes], np.float64)
            distances = self._outlines[name, image_hw].signed_distances(points).tolist()
            for followed, (body, _), distance in zip(seen, boxes, distances, strict=True):
                presences = self._people[followed.track_id].presences
                if name not in presences:
                    presences[name] = Presence()
                margin = self._tuning.zone_margin * (body[3] - body[1])
                presences[name].update(t, distance, margin=margin, tuning=self._tuning)
        for followed in seen:
            self._people[followed.track_id].settle()

    def _believe(self, moment: Moment) -> None:
        """Let evidence fade, and take the looks at those of whom a rule asks something where they are."""
        # few sets of places, many persons
        asked: dict[frozenset[str | None], list[Gear]] = {}
        for person in self._people.values():
            for belief in person.beliefs.values():
                belief.advance(moment.t, moment.interval_s)
            if not person.is_seen or person.is_static:
                continue
            if person.places not in asked:
                asked[person.places] = self._asked_of(person)
            for gear in asked[person.places]:
                evidence = person.followed.observation.gear.get(gear)
                if evidence is None:
                    continue
                if gear not in person.beliefs:
                    person.beliefs[gear] = GearBelief(self._tuning)
                    person.beliefs[gear].advance(moment.t, moment.interval_s)
                person.beliefs[gear].look(moment.t, evidence)

    def _asked_of(self, person: Person) -> list[Gear]:
        asked = {
            gear
            for _, rule in self._active()
            if any(person.is_in(place) for place in rule.places)
            for gear in rule.require
        }
        return [gear for gear in Gear if gear in asked]

    def _track(self, person: Person) -> Track:
        followed = person.followed
        lost = followed.unseen_s > max(self._tuning.missed_look_s, 2.1 * self._timeline.interval_s)
        state = TrackState.CONFIRMED if followed.is_confirmed else TrackState.TENTATIVE
        asked = self._asked_of(person)
        return Track(
            camera_id=self.camera_id,
            track_id=followed.track_id,
            state=TrackState.LOST if lost else state,
            first_seen_at=self._timeline.wall(followed.first_seen_t),
            last_seen_at=self._timeline.wall(followed.last_seen_t),
            observation=followed.observation,
            gear={gear: person.beliefs[gear].verdict() for gear in asked if gear in person.beliefs},
            zones=tuple(name for name in self._zones if person.is_in(name)),
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
