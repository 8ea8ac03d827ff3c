"""Belief, weight, and the state with its band."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.structures import Gear, GearEvidence, GearState
from rules.evidence import GearBelief, left_after
from rules.findings import Findings
from rules.tuning import Tuning


def look(score, quality=1.0, incorrect=0.0):
    return GearEvidence(GearState.UNKNOWN, score, quality, "look", incorrect)


def watch(scores, step=0.2, quality=1.0, belief=None, start=0.0):
    belief = belief or GearBelief(Tuning())
    for index, score in enumerate(scores):
        t = start + index * step
        belief.fade(left_after(step, step, Tuning()))
        belief.look(t, score if isinstance(score, GearEvidence) else look(score, quality))
    return belief


@pytest.mark.parametrize("step", [1 / 30, 1 / 15, 0.2, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize(("score", "state"), [(0.05, GearState.MISSING), (0.95, GearState.WORN)])
def test_from_nothing_three_good_looks_do_and_one_never_does(step, score, state):
    assert watch([score], step).state() is GearState.UNKNOWN
    assert watch([score] * 2, step).state() is GearState.UNKNOWN
    assert watch([score] * 3, step).state() is state


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_one_look_never_decides(score, quality):
    assert watch([look(score, quality)]).state() is GearState.UNKNOWN


@given(st.lists(st.floats(0.0, 1.0), max_size=40), st.floats(0.01, 3.0))
def test_looks_without_quality_change_nothing(scores, step):
    belief = watch(scores, step, quality=0.0)
    assert belief.state() is GearState.UNKNOWN
    assert belief.weight == 0
    assert belief.verdict().score == 0.5


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=60), st.floats(0.01, 3.0))
def test_belief_and_weight_stay_bounded(looks, step):
    tuning = Tuning()
    belief = watch([look(*each) for each in looks], step)
    assert 0 <= belief.weight <= tuning.weight_limit + 1e-9
    assert abs(belief.proper.belief) <= tuning.look_logit * belief.weight + 1e-6
    assert 0 <= belief.verdict().score <= 1


@pytest.mark.parametrize("score", [0.05, 0.95])
def test_what_was_believed_is_forgotten_after_some_seconds(score):
    belief = watch([score] * 20)
    state = belief.state()
    belief.fade(left_after(1.2, 0.2, Tuning()))
    assert belief.state() is state
    belief.fade(left_after(3.0, 0.2, Tuning()))
    assert belief.state() is GearState.UNKNOWN


@pytest.mark.parametrize("step", [1 / 15, 0.2, 1.0])
def test_a_change_is_believed_within_a_second_or_four_looks_however_long_it_was_otherwise(step):
    for before in (10, 1000):
        belief = watch([0.05] * before, step)
        changes = 0
        while belief.state() is not GearState.WORN:
            watch([0.95], step, belief=belief, start=(before + changes) * step)
            changes += 1
        assert changes >= 3
        assert (changes - 1) * step <= 1.0 or changes <= 4


def test_between_the_thresholds_the_state_stays():
    belief = watch([0.95] * 10)
    watch([0.5] * 30, belief=belief, start=2.0)
    assert belief.state() is GearState.WORN
    watch([0.05] * 10, belief=belief, start=8.0)
    assert belief.state() is GearState.MISSING
    watch([0.5] * 30, belief=belief, start=10.0)
    assert belief.state() is GearState.MISSING


def test_three_wrong_looks_in_a_fifth_of_a_second_do_not_change_what_is_known():
    belief = watch([0.05] * 30, 1 / 15)
    watch([0.95] * 3, 1 / 15, belief=belief, start=2.0)
    assert belief.state() is GearState.MISSING


@pytest.mark.parametrize(("before", "after"), [(0.05, 0.97), (0.97, 0.05)])
@pytest.mark.parametrize("step", [0.2, 0.5])
def test_a_mask_that_is_put_on_or_taken_off_is_at_no_moment_worn_wrongly(before, after, step):
    belief = watch([look(before, incorrect=0.2 * (1 - before))] * 40, step)
    states = [belief.state()]
    for number in range(20):
        watch([look(after, incorrect=0.2 * (1 - after))], step, belief=belief, start=(40 + number) * step)
        states.append(belief.state())
    assert set(states) == {GearState.MISSING, GearState.WORN}
    assert states[0] is not states[-1]


def test_incorrect_is_missing_unless_allowed():
    belief = watch([look(0.05, incorrect=0.9)] * 5)
    assert belief.state() is GearState.INCORRECT
    assert belief.balance(allow_incorrect=False).holds is False
    assert belief.balance(allow_incorrect=True).holds is True
    assert belief.verdict().score > 0.8


def test_findings_say_later_what_was_believed_when_they_were_taken():
    belief = watch([0.05] * 10)
    findings = Findings({Gear.HARD_HAT: belief.reading()}, (Gear.HARD_HAT,))
    then = belief.verdict()
    watch([0.95] * 20, belief=belief, start=10.0)
    assert belief.verdict().state is GearState.WORN
    assert findings.evidence == {Gear.HARD_HAT: then}
    assert findings.score == then.score > 0.8
    assert then.state is GearState.MISSING


def test_the_run_of_looks_begins_at_its_first_and_survives_a_slip():
    belief = watch([0.95] * 10 + [0.05, 0.05, 0.95, 0.05, 0.05, 0.05])
    assert belief.state() is GearState.MISSING
    assert belief.proper.false_since == pytest.approx(2.0)
    assert belief.proper.true_since is None


def test_doubt_forgets_at_once():
    belief = watch([0.05] * 10)
    belief.doubt()
    assert belief.state() is GearState.UNKNOWN
    assert belief.weight == 0
