"""What the looks at one gear of one person add up to: belief, weight, and a state with hysteresis."""

from copy import copy
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

from models.structures import GearEvidence, GearState
from rules.tuning import Tuning
from rules.violations import GearVerdict


def logit(probability: float, limit: float) -> float:
    """Log-odds, bounded to ``limit`` on either side."""
    if probability <= 0:
        return -limit
    if probability >= 1:
        return limit
    odds = log(probability / (1 - probability))
    return limit if odds > limit else -limit if odds < -limit else odds


@dataclass(slots=True)
class Balance:
    """Log-odds that one statement about a person is true, summed over looks and fading.

    ``true_since`` and ``false_since`` are when the present run of looks for it, or against it, began: the change point
    of Page's cumulative sum test (E. S. Page, Continuous inspection schemes, Biometrika 41, 1954), that is the look at
    which the sum last left zero. A single look the other way does not move them.
    """

    belief: float = 0.0
    holds: bool | None = None
    true_since: float | None = None
    false_since: float | None = None
    _sum_true: float = 0.0
    _sum_false: float = 0.0

    def add(self, t: float, step: float, limit: float, threshold: float | None) -> None:
        """Take the bounded, weighted log-odds of a look at time ``t``; ``limit`` bounds the cumulative sums.

        ``holds`` is set once belief is beyond ``threshold``, if there is one; between, it stays as it is.
        """
        belief = self.belief = self.belief + step
        total = self._sum_true + step
        if total > 0:
            self._sum_true = total if total < limit else limit
            if self.true_since is None:
                self.true_since = t
        elif self.true_since is not None:
            self._sum_true, self.true_since = 0.0, None
        total = self._sum_false - step
        if total > 0:
            self._sum_false = total if total < limit else limit
            if self.false_since is None:
                self.false_since = t
        elif self.false_since is not None:
            self._sum_false, self.false_since = 0.0, None
        if threshold is None:
            return
        if belief >= threshold:
            if self.holds is not True:
                self.holds, self.false_since, self._sum_false = True, None, 0.0
        elif belief <= -threshold and self.holds is not False:
            self.holds, self.true_since, self._sum_true = False, None, 0.0

    def forget(self) -> None:
        """Too little was seen to hold anything for true or false; runs of looks are kept."""
        self.holds = None


class Reading(NamedTuple):
    """What a belief says at one moment, not yet put into numbers and words: that is asked for much less often.

    ``log_odds``: of the state's statement, by the average look; None where hardly anything was seen. ``look``: the
    latest that counts.
    """

    state: GearState
    log_odds: float | None
    look: GearEvidence | None

    def verdict(self) -> GearVerdict:
        """For display and for messages."""
        score = 0.5 if self.log_odds is None else 1 / (1 + exp(-max(-20.0, min(20.0, self.log_odds))))
        if self.state is GearState.MISSING or self.state is GearState.INCORRECT:
            score = 1 - score
        reason = self.look.reason if self.look is not None else "not seen yet"
        return GearVerdict(self.state, round(score, 4), reason)


def left_after(passed_s: float, interval_s: float, tuning: Tuning) -> float:
    """What is left of evidence, 0 to 1, ``passed_s`` later; ``interval_s`` is the usual time between frames, of which
    evidence outlives some, however rare they are.
    """
    return exp(-passed_s / max(tuning.fade_s, 3 * interval_s))


class GearBelief:
    """Belief and weight of one gear on one person (ADR 0011).

    Two statements are kept: ``proper``, it is worn as required, and ``present``, it is worn at all (they differ for a
    face mask that leaves the nose free). Each look adds the bounded logit of its calibrated probability times its
    quality; quality adds to ``weight``; both fade alike. From nothing every look counts whole, so that three good ones
    decide at any frame rate; then looks closer than ``look_spacing_s`` share the weight of one, because neighbouring
    frames err alike. Where weight would exceed ``weight_limit`` the older looks shrink to make room, so that a change
    is believed as soon after an hour as after ten seconds.
    """

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self.proper = Balance()
        #: the same until a look tells the two apart
        self.present = self.proper
        self.weight = 0.0
        self.last_look: GearEvidence | None = None
        self.last_look_t: float | None = None
        #: as long as nothing has changed
        self._reading: Reading | None = None

    def fade(self, left: float) -> None:
        """Keep what is ``left`` of the evidence, 0 to 1, after some time (``left_after``)."""
        weight = self.weight = self.weight * left
        proper, present = self.proper, self.present
        proper.belief *= left
        if present is not proper:
            present.belief *= left
        self._reading = None
        if weight < self._tuning.forget_weight:
            proper.forget()
            present.forget()

    def look(self, t: float, evidence: GearEvidence) -> None:
        """Take a look at time ``t``, once the rest has faded to then. A look of quality 0 changes nothing."""
        _, score, gain, _, incorrect_score = evidence
        if gain <= 0:
            return
        tuning, weight, proper = self._tuning, self.weight, self.proper
        decide_weight, weight_limit, look_logit = tuning.decide_weight, tuning.weight_limit, tuning.look_logit
        if weight >= decide_weight and self.last_look_t is not None:
            share = (t - self.last_look_t) / tuning.look_spacing_s
            if share < 1:
                gain *= share
        if weight + gain > weight_limit:
            self.fade((weight_limit - gain) / weight)
            weight = self.weight
        weight = self.weight = weight + gain
        self.last_look, self.last_look_t, self._reading = evidence, t, None
        threshold = None
        if weight >= decide_weight:
            threshold, mean = tuning.decide_belief, tuning.decide_logit * weight
            threshold = max(threshold, mean)
        limit = look_logit * weight_limit
        if incorrect_score > 0 and self.present is proper:
            self.present = copy(proper)
        step = gain * logit(score, look_logit)
        proper.add(t, step, limit, threshold)
        if self.present is not proper:
            if incorrect_score > 0:
                step = gain * logit(score + incorrect_score, look_logit)
            self.present.add(t, step, limit, threshold)

    def doubt(self) -> None:
        """It is not certain any more whose looks these were: start from nothing, and keep the runs of looks."""
        self.fade(0.0)

    def state(self) -> GearState:
        """WORN, MISSING or INCORRECT while enough is known, else UNKNOWN."""
        if self.proper.holds is None:
            return GearState.UNKNOWN
        if self.proper.holds:
            return GearState.WORN
        # one is believed before the other when a mask is put on or taken off: nobody wears it wrongly for that
        is_incorrect = self.present.holds and self.proper.belief < 0 < self.present.belief
        return GearState.INCORRECT if is_incorrect else GearState.MISSING

    def balance(self, *, allow_incorrect: bool) -> Balance:
        """The statement that a rule asks about."""
        return self.present if allow_incorrect else self.proper

    def reading(self) -> Reading:
        """What is believed now."""
        if self._reading is None:
            state, balance = self.state(), self.proper
            if state is GearState.MISSING and self.present.holds is False:
                balance = self.present
            log_odds = None if self.weight <= 1e-9 else balance.belief / self.weight
            self._reading = Reading(state, log_odds, self.last_look)
        return self._reading

    def verdict(self) -> GearVerdict:
        """The reading for display and for messages."""
        return self.reading().verdict()
