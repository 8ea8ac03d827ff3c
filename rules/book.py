"""The episodes of one camera: opening, holding back, handing over, telling and closing them (ADR 0014)."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from rules.areas import Areas
from rules.cooldowns import Closed, Cooldowns
from rules.crowds import Crowds
from rules.dwell import DwellClock
from rules.episodes import Episode, Key
from rules.findings import Findings
from rules.person import Person
from rules.rule import AlertPer, Rule
from rules.ruling import Ruling
from rules.suppressions import Suppressions
from rules.trace import Trace
from rules.tuning import Tuning
from rules.violations import EndReason, Phase, Suppression, Violation

#: Of a snapshot's score, and more than that rounds up.
_SNAPSHOT_DIGITS: Final = 3
_ROUNDED: Final = 10**-_SNAPSHOT_DIGITS


class EpisodeBook:
    """Open episodes by rule and place, and by track; closed ones while they cool down."""

    def __init__(
        self, camera_id: str, *, rules: tuple[Rule, ...], tuning: Tuning, wall: Callable[[float], float]
    ) -> None:
        self._camera_id = camera_id
        self._rules = rules
        self._tuning = tuning
        self._wall = wall
        self._out: list[Violation] = []
        self.numbers: dict[str, int] = {}
        #: by rule and place, then by track
        self.open: defaultdict[Key, dict[int, Episode]] = defaultdict(dict)
        self.cooldowns = Cooldowns(tuning)
        self.suppressions = Suppressions()
        self.crowds = Crowds()
        self.areas = Areas(tuning)

    def take(self) -> list[Violation]:
        """What is to be told, in order; it is told once."""
        out, self._out = self._out, []
        return out

    @property
    def has_open(self) -> bool:
        """Whether an episode is open."""
        return any(self.open.values())

    def ids_of(self, track_id: int) -> tuple[str, ...]:
        """Ids of the open episodes that a track is part of."""
        return tuple(
            crowd.violation_id
            if episode.is_silent and (crowd := self.crowds.open.get(key)) is not None
            else episode.violation_id
            for key in sorted(self.open, key=order_of)
            if (episode := self.open[key].get(track_id)) is not None
            and (not episode.is_silent or key in self.crowds.open)
        )

    def held_by(self, key: Key, person: Person, t: float) -> Closed | None:
        """The episode that holds a new one of this person back, if any."""
        is_per_zone = self._rules[key[0]].alert_per is AlertPer.ZONE
        return self.cooldowns.holding(
            key, person, t=t, is_per_zone=is_per_zone, open_episodes=self.open[key].values()
        )

    def hold(self, key: Key, person: Person, clock: DwellClock, by: Closed, t: float) -> None:
        """Hold a due episode back, and say so once."""
        if clock.held_by == by.violation_id:
            return
        clock.held_by, clock.held_as = by.violation_id, "the cooldown"
        clock.trace.add(t, "held", f"due, but {by.violation_id} was near this place: cooldown")
        until = None if by.until_t == float("inf") else self._wall(by.until_t)
        self.suppress(key, person, t, reason="cooldown", because_of=by.violation_id, until=until)

    def hold_in_area(
        self,
        key: Key,
        person: Person,
        clock: DwellClock,
        *,
        t: float,
        score: float,
        image_hw: tuple[int, int],
    ) -> bool:
        """Hold a due episode back where a suppression area says so, and say so once; whether it is held back."""
        rule = self._rules[key[0]].name
        area = self.areas.holding(rule, person, at=self._wall(t), image_hw=image_hw)
        if area is None or clock.held_by == area.area_id:
            return area is not None
        clock.held_by, clock.held_as = area.area_id, f"area {area.area_id}"
        clock.trace.add(t, "held", f"due, but it has stood still in {clock.held_as} since it was first seen")
        self.suppressions.add(
            Suppression(
                self._wall(t),
                area.rule,
                key[1],
                person.track_id,
                "area",
                area.area_id,
                area.expires_at,
                score,
                clock.trace.told(self._wall),
            )
        )
        return True

    def suppress(
        self,
        key: Key,
        person: Person,
        t: float,
        *,
        reason: str,
        because_of: str | None = None,
        until: float | None = None,
    ) -> None:
        """Count an episode that is not opened."""
        rule = self._rules[key[0]]
        self.suppressions.add(
            Suppression(self._wall(t), rule.name, key[1], person.track_id, reason, because_of, until)
        )

    def begin(
        self, key: Key, person: Person, clock: DwellClock, *, ruling: Ruling, t: float, snapshot_score: float
    ) -> None:
        """Open an episode and tell it."""
        rule = self._rules[key[0]]
        silent = rule.alert_per is AlertPer.ZONE
        episode = Episode(
            violation_id="" if silent else self.next_id(rule),
            key=key,
            rule=rule,
            owner=person.track_id,
            started_t=clock.start_t,
            confirmed_t=t,
            gear=ruling.missing,
            findings=ruling.findings,
            box=person.followed.observation.box_xyxy,
            head=person.followed.observation.head_xyxy,
            point=person.followed.last_point,
            unit_px=person.followed.unit_px,
            snapshot_score=snapshot_score,
            told_t=t,
            told_gear=ruling.missing,
            is_silent=silent,
            trace=clock.trace,
        )
        self.refresh(episode, person, ruling, t)
        seconds = f"missing for {t - clock.start_t:.1f} s"
        episode.trace.add(t, "opened", f"{seconds}, after {clock.held_as}" if clock.held_as else seconds)
        self.open[key][person.track_id] = episode
        if not silent:
            self._tell(episode, Phase.OPENED, redraw=True)

    @staticmethod
    def refresh(episode: Episode, person: Person, ruling: Ruling, t: float) -> None:
        """Take what the latest frame shows of an episode's person."""
        followed = person.followed
        episode.box, episode.head, *_ = followed.observation
        (x, y), (to_x, to_y), (dx, dy) = followed.last_point, followed.middle, followed.velocity
        episode.point, episode.unit_px = followed.last_point, followed.unit_px
        # where a second takes the person, from the point
        episode.heading = to_x + dx - x, to_y + dy - y
        episode.last_seen_t, episode.unseen_s = t, 0.0
        if ruling.missing:
            episode.with_gear(ruling.missing)
            # on the way to another state the looks say otherwise already: they are no evidence of what is missing
            if ruling.supports:
                episode.findings = ruling.findings

    @staticmethod
    def may_update(episode: Episode, t: float) -> bool:
        """Whether an open episode was last told long enough ago, ``update_s``, to be told anew."""
        return t - episode.told_t >= episode.rule.update_s

    def update(self, episode: Episode, t: float, sight: float) -> None:
        """Tell an open episode anew when it is better seen or more is missing; ask ``may_update`` first. ``sight``: the
        score of the snapshot if it were sure what it shows.
        """
        more = episode.gear != episode.told_gear
        wanted = self._tuning.better_snapshot * episode.snapshot_score
        # what not even a sure look would make better
        if not more and sight + _ROUNDED <= wanted:
            return
        snapshot_score = snapshot_score_of(sight, episode.findings)
        better = snapshot_score > wanted
        if not (better or more):
            return
        episode.told_t, episode.told_gear = t, episode.gear
        episode.snapshot_score = max(snapshot_score, episode.snapshot_score)
        episode.trace.add(t, "updated", "better seen" if better else "more gear is missing")
        if not episode.is_silent:
            self._tell(episode, Phase.UPDATED, redraw=better)

    def hand_over(self, episode: Episode, person: Person, t: float, detail: str) -> None:
        """Let another track go on with an open episode."""
        del self.open[episode.key][episode.owner]
        episode.trace.add(
            t, "inherited", f"track {person.track_id} goes on for track {episode.owner}: {detail}"
        )
        person.met[episode.owner] = t
        episode.owner, episode.unseen_s, episode.clearing = person.track_id, 0.0, None
        self.open[episode.key][person.track_id] = episode
        because_of = episode.violation_id
        if episode.is_silent and episode.key in self.crowds.open:
            because_of = self.crowds.open[episode.key].violation_id
        self.suppress(episode.key, person, t, reason="inherited", because_of=because_of)

    def close(
        self, episode: Episode, t: float, *, ended_t: float, reason: EndReason, cool: bool = True
    ) -> None:
        """Close an episode and tell it."""
        ended_t = max(min(ended_t, t), episode.confirmed_t)
        del self.open[episode.key][episode.owner]
        episode.trace.add(t, "closed", f"{reason.value}, {max(0.0, t - ended_t):.1f} s ago")
        if episode.is_silent:
            self.crowds.leave(episode, ended_t, reason)
            return
        self.end(episode, t, ended_t=ended_t, reason=reason, cool=cool)

    def end(self, episode: Episode, t: float, *, ended_t: float, reason: EndReason, cool: bool) -> None:
        """Tell the end of an episode that is not among the open ones any more."""
        if cool:
            self.cooldowns.add(episode, t)
        self._tell(episode, Phase.CLOSED, ended_t=max(ended_t, episode.confirmed_t), reason=reason)

    def settle_crowds(self, t: float) -> None:
        """Open, update and close the episodes of rules that alert per zone, after everybody has been judged."""
        for key in self.crowds.keys(self.open):
            members = list(self.open[key].values())
            crowd = self.crowds.open.get(key)
            if crowd is None and members:
                leader = _leader(members)
                crowd = replace(
                    leader,
                    violation_id=self.next_id(leader.rule),
                    is_silent=False,
                    count=len(members),
                    told_count=len(members),
                    started_t=min(member.started_t for member in members),
                    trace=Trace(list(leader.trace.entries), leader.trace.left_out),
                )
                self.crowds.last_left.pop(key, None)
                self.crowds.open[key] = crowd
                self._tell(crowd, Phase.OPENED, redraw=True)
            elif crowd is not None and members:
                self._update_crowd(crowd, members, t)
            elif crowd is not None:
                del self.crowds.open[key]
                ended_t, reason = self.crowds.last_left.pop(key)
                crowd.trace.add(t, "closed", f"the last one: {reason.value}")
                self.end(crowd, t, ended_t=ended_t, reason=reason, cool=True)

    def unseen(self, key: Key, people: Mapping[int, Person]) -> list[Episode]:
        """Open episodes of a rule and place whose person is not in the latest frame, by track."""
        episodes = self.open[key]
        gone = [
            owner
            for owner in episodes
            if (person := people.get(owner)) is None or person.followed.unseen_s > 0
        ]
        return [episodes[owner] for owner in sorted(gone)]

    def in_order(self) -> list[Episode]:
        """Open episodes by rule, place and track."""
        return [
            self.open[key][owner]
            for key in sorted(self.open, key=order_of)
            for owner in sorted(self.open[key])
        ]

    def next_id(self, rule: Rule) -> str:
        """The id of the next episode of a rule."""
        number = self.numbers.get(rule.name, 0) + 1
        self.numbers[rule.name] = number
        return f"{self._camera_id}/{rule.name}/{number}"

    def _update_crowd(self, crowd: Episode, members: list[Episode], t: float) -> None:
        leader = _leader(members)
        crowd.count = max(crowd.count, len(members))
        more = crowd.count > crowd.told_count
        better = leader.snapshot_score > self._tuning.better_snapshot * crowd.snapshot_score
        crowd.box, crowd.head, crowd.owner = leader.box, leader.head, leader.owner
        crowd.findings = leader.findings
        crowd.gear = tuple(gear for gear in crowd.rule.require if any(gear in m.gear for m in members))
        if (more or better) and t - crowd.told_t >= crowd.rule.update_s:
            crowd.told_t, crowd.told_count = t, crowd.count
            crowd.snapshot_score = max(crowd.snapshot_score, leader.snapshot_score)
            crowd.trace.add(t, "updated", f"{len(members)} persons")
            self._tell(crowd, Phase.UPDATED, redraw=better or more)

    def _tell(
        self,
        episode: Episode,
        phase: Phase,
        *,
        ended_t: float | None = None,
        reason: EndReason | None = None,
        redraw: bool = False,
    ) -> None:
        started_at = self._wall(episode.started_t)
        confirmed_at = max(started_at, self._wall(episode.confirmed_t))
        self._out.append(
            Violation(
                violation_id=episode.violation_id,
                camera_id=self._camera_id,
                track_id=episode.owner,
                rule=episode.rule.name,
                gear=episode.gear,
                zone=episode.key[1],
                phase=phase,
                started_at=started_at,
                confirmed_at=confirmed_at,
                # a clock that was set back in between must not end an episode before it began
                ended_at=None if ended_t is None else max(confirmed_at, self._wall(ended_t)),
                end_reason=reason,
                score=episode.findings.score,
                box_xyxy=episode.box,
                head_xyxy=episode.head,
                evidence=episode.findings.evidence,
                count=episode.count,
                redraw=redraw,
                snapshot_score=episode.snapshot_score,
                trace=episode.trace.told(self._wall),
            )
        )


def snapshot_score_of(sight: float, findings: Findings) -> float:
    """How well a snapshot shows what is missing: ``sight``, by how sure that is."""
    return round(sight * findings.score, _SNAPSHOT_DIGITS)


def order_of(key: Key) -> tuple[int, str]:
    """By rule, then by place, the whole picture first."""
    return key[0], key[1] or ""


def _leader(members: list[Episode]) -> Episode:
    return min(members, key=lambda member: (-member.snapshot_score, member.owner))
