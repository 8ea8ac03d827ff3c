"""From beliefs to episodes: what every rule says of every person at a frame, and what follows from it."""

from collections.abc import Mapping, Sequence

from models.structures import Gear, GearState
from rules.book import EpisodeBook, snapshot_score_of
from rules.dwell import TOLERANCE_S, DwellClock, Moment
from rules.episodes import Episode, Key
from rules.geometry import height
from rules.inheritance import heir_of, may_be
from rules.person import Person
from rules.rule import Rule
from rules.ruling import Ruling, Rulings
from rules.tuning import Tuning
from rules.violations import EndReason


class Judge:
    """Runs the dwell clocks, and opens, continues and closes episodes in the book."""

    def __init__(self, rules: tuple[Rule, ...], book: EpisodeBook, tuning: Tuning) -> None:
        self._rules = rules
        self._book = book
        self._tuning = tuning

    def judge(
        self,
        people: Mapping[int, Person],
        moment: Moment,
        *,
        active: Sequence[int],
        image_hw: tuple[int, int],
        input_scale: float,
    ) -> None:
        """Judge everybody by the rules that are ``active`` (positions among the camera's)."""
        asked: dict[tuple[tuple[Gear, ...], bool], Rulings] = {}
        # those who have an episode come first: what they free may be inherited by the others
        for index in active:
            rule = self._rules[index]
            places = rule.places
            if len(places) > 1:
                for person in people.values():
                    person.take_post(index, places)
            # rules that ask the same get the same answer
            asks = (rule.require, rule.allow_incorrect)
            if asks not in asked:
                asked[asks] = Rulings(rule, people)
            rulings = asked[asks]
            for place in places:
                key = (index, place)
                episodes = self._book.open[key]
                for track_id in sorted(episodes):
                    if track_id in people:
                        self._go_on(
                            episodes[track_id], people[track_id], rulings[track_id], moment, input_scale
                        )
                # where no clock runs, and no looks speak against the gear, there is nothing to do
                for person in rulings.suspects:
                    if person.followed.track_id not in episodes:
                        self._begin(
                            key, person, moment, rulings=rulings, image_hw=image_hw, input_scale=input_scale
                        )
                self._end_gone(key, people, rulings, moment, image_hw)
        self._book.settle_crowds(moment.t)

    def _go_on(
        self,
        episode: Episode,
        person: Person,
        ruling: Ruling,
        moment: Moment,
        input_scale: float,
    ) -> None:
        """Continue or close the episode of a person whose track goes on."""
        t, place = moment.t, episode.key[1]
        if not person.is_seen:
            episode.unseen_s = person.followed.unseen_s
            return
        self._book.refresh(episode, person, ruling, t)
        holding: EndReason | None = None
        if person.is_static:
            episode.trace.add(t, "static", "it never moves and has no body: no person")
            self._book.suppress(episode.key, person, t, reason="static", because_of=episode.violation_id)
            self._book.close(episode, t, ended_t=t, reason=EndReason.LEFT_VIEW, cool=False)
            return
        if not person.is_in(place):
            holding = EndReason.LEFT_ZONE
            episode.clears(t, person.outside_since(place) or t, holding)
        elif ruling.verdict is GearState.WORN:
            holding = EndReason.WORN
            episode.clears(t, t if ruling.worn_since is None else ruling.worn_since, holding)
        elif ruling.verdict is GearState.MISSING and ruling.supports and person.is_clearly_in(place):
            episode.violates(t)
            if self._book.may_update(episode, t):
                self._book.update(episode, t, _sight(person, input_scale))
        if holding is not None and episode.is_clear(t) and episode.clearing is not None:
            self._book.close(episode, t, ended_t=episode.clearing.since_t, reason=episode.clearing.reason)

    def _begin(
        self,
        key: Key,
        person: Person,
        moment: Moment,
        *,
        rulings: Rulings,
        image_hw: tuple[int, int],
        input_scale: float,
    ) -> None:
        """Run the dwell clock of a person without an episode; open, inherit or hold one back when it is due."""
        t, place, ruling = moment.t, key[1], rulings[person.followed.track_id]
        if person.is_static or (
            person.is_seen and not (person.is_clearly_in(place) and person.is_posted(*key))
        ):
            person.clocks.pop(key, None)
            return
        if not ruling.looked:
            return
        clock = self._clock(key, person, ruling, moment)
        if clock is None or ruling.verdict is not GearState.MISSING or not ruling.supports:
            return
        clock.know(moment)
        heir = heir_of(
            person,
            self._book.open[key],
            t=t,
            image_hw=image_hw,
            is_still_missing=rulings.is_missing,
            tuning=self._tuning,
        )
        if heir is not None:
            episode, why = heir
            self._book.hand_over(episode, person, t, why)
            self._book.refresh(episode, person, ruling, t)
            del person.clocks[key]
            return
        if not (person.followed.is_confirmed and clock.is_due(self._rules[key[0]].dwell_s)):
            return
        if self._book.hold_in_area(key, person, clock, t=t, score=ruling.findings.score, image_hw=image_hw):
            return
        held_by = self._book.held_by(key, person, t)
        if held_by is not None:
            self._book.hold(key, person, clock, held_by, t)
        else:
            snapshot_score = snapshot_score_of(_sight(person, input_scale), ruling.findings)
            self._book.begin(key, person, clock, ruling=ruling, t=t, snapshot_score=snapshot_score)
            del person.clocks[key]

    def _clock(self, key: Key, person: Person, ruling: Ruling, moment: Moment) -> DwellClock | None:
        """The dwell clock of a person whose looks speak against the gear; None while none of them starts it."""
        if not ruling.is_run:
            person.clocks.pop(key, None)
            return None
        clock = person.clocks.get(key)
        if clock is None or not clock.look(moment, self._tuning):
            person.clocks.pop(key, None)
            if not ruling.supports:
                return None
            anew = clock is not None
            reasons = [
                person.followed.observation.gear[gear].reason
                for gear in self._rules[key[0]].require
                if gear in person.followed.observation.gear
            ]
            detail = f"track {person.track_id}" + (", anew after a long pause: " if anew else ": ")
            clock = person.clocks[key] = DwellClock.started(moment.t, detail + "; ".join(reasons))
        return clock

    def _end_gone(
        self,
        key: Key,
        people: Mapping[int, Person],
        rulings: Rulings,
        moment: Moment,
        image_hw: tuple[int, int],
    ) -> None:
        """Close the episodes whose persons have been gone for long enough."""
        t = moment.t
        for episode in self._book.unseen(key, people):
            if episode.owner not in people:
                episode.unseen_s += moment.interval_s if moment.is_outage else moment.passed_s
            needed_s = max(episode.rule.clear_s, self._tuning.lost_s)
            episode.clears(t, episode.last_seen_t, EndReason.LEFT_VIEW)
            clearing = episode.clearing
            if clearing is None:
                continue
            if clearing.reason is EndReason.LEFT_VIEW and (
                episode.unseen_s < needed_s - TOLERANCE_S
                or self._is_claimed(episode, people, rulings, t, image_hw)
            ):
                continue
            if clearing.reason is not EndReason.LEFT_VIEW and not episode.is_clear(t):
                continue
            self._book.close(episode, t, ended_t=clearing.since_t, reason=clearing.reason)

    def _is_claimed(
        self,
        episode: Episode,
        people: Mapping[int, Person],
        rulings: Rulings,
        t: float,
        image_hw: tuple[int, int],
    ) -> bool:
        """Whether somebody who came where this person was lost has not been judged yet."""
        for track_id, person in sorted(people.items()):
            recent = t - person.followed.first_seen_t <= self._tuning.unknown_pause_s
            undecided = rulings[track_id].verdict is GearState.UNKNOWN
            if (
                recent
                and undecided
                and person.is_seen
                and person.is_in(episode.key[1])
                and track_id not in self._book.open[episode.key]
                and may_be(episode, person, t=t, image_hw=image_hw, tuning=self._tuning)
            ):
                return True
        return False


def _sight(person: Person, input_scale: float) -> float:
    """Pixels of the head's height at the network's input, times how clear the look is."""
    observation = person.followed.observation
    if observation.head_xyxy is None:
        return 0.0
    quality = max([evidence.quality for evidence in observation.gear.values()], default=0.0)
    return height(observation.head_xyxy) * input_scale * quality
