"""The rows of the table of judgement that concern gear, as seen to the pixel: scripted tracks."""

from dataclasses import replace

import numpy as np
import pytest
from scenario import HAT, MASK, START, Actor, Scene, engine, phases, play, standing, walking

from models.structures import Gear, GearState
from rules import EndReason

FPS = (1.0, 5.0)


def worker(at, hat, **more):
    """Somebody whose head the segmenting model sees; faces are another model's."""
    return Actor(at, hat=hat if callable(hat) else lambda t: hat, segmented=True, has_body=True, **more)


def opened_at(told):
    (new,) = phases(told, "opened")
    return new.confirmed_at - START


def place_of(violation):
    return (violation.head_xyxy[0] + violation.head_xyxy[2]) / 2


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("has_body", [True, False])
def test_seen_from_behind_all_the_time(fps, has_body):
    bareheaded = replace(worker(standing(enters=4.0, leaves=7.0 + 0.5 / fps), "bare"), has_body=has_body)
    told = play(engine(HAT), Scene([bareheaded], 20, fps))
    (new,), (end,) = phases(told, "opened"), phases(told, "closed")
    assert new.confirmed_at == pytest.approx(START + 6.0, abs=0.01)
    assert (end.violation_id, end.end_reason) == (new.violation_id, EndReason.LEFT_VIEW)


@pytest.mark.parametrize("fps", FPS)
def test_turning_round_changes_nothing(fps):
    around = lambda t: 0.5 if int(t) % 3 else None  # noqa: E731 - the face is seen two seconds of three
    bareheaded = worker(standing(enters=4.0), "bare", mask=around)
    assert opened_at(play(engine(HAT), Scene([bareheaded], 15, fps, jitter=0.02))) == pytest.approx(
        6.0, abs=1 / fps
    )
    helmeted = worker(standing(enters=4.0), "hard_hat", mask=around)
    assert play(engine(HAT), Scene([helmeted], 30, fps, jitter=0.02)) == []


@pytest.mark.parametrize("fps", FPS)
def test_the_hat_goes_from_the_hand_to_the_head(fps):
    scene = Scene([_CarriesUntil(standing(enters=4.0), until=5.5)], 30, fps, jitter=0.02)
    assert play(engine(HAT), scene) == []
    late = Scene([_CarriesUntil(standing(enters=4.0), until=9.0)], 30, fps, jitter=0.02)
    told = play(engine(HAT), late)
    assert opened_at(told) == pytest.approx(6.0, abs=1 / fps)
    assert "one is carried" in phases(told, "opened")[0].evidence[Gear.HARD_HAT].reason
    (end,) = phases(told, "closed")
    assert end.end_reason is EndReason.WORN
    assert end.ended_at - START == pytest.approx(9.0, abs=1 / fps + 0.01)


class _CarriesUntil(Actor):
    """Carries the hard hat, then wears it."""

    def __init__(self, at, *, until):
        super().__init__(at, segmented=True, has_body=True)
        self.until = until

    def rows(self, t, jitter):
        self.carries_hat = t < self.until
        self.hat = lambda at: "bare" if at < self.until else "hard_hat"
        return super().rows(t, jitter)


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("gap", [110, 160, 300])
def test_the_hat_of_the_next_person(fps, gap):
    bareheaded = worker(standing(700), "bare", mask=lambda t: 0.5)
    helmeted = worker(standing(700 + gap, 305), "hard_hat", mask=lambda t: 0.5)
    told = play(engine(HAT), Scene([bareheaded, helmeted], 12, fps, jitter=0.02))
    (new,) = phases(told, "opened")
    assert place_of(new) == pytest.approx(700, abs=10)


@pytest.mark.parametrize("fps", FPS)
def test_a_hat_on_the_table_is_nobodys(fps):
    table = _Table()
    assert play(engine(HAT), Scene([table], 40, fps, jitter=0.02)) == []
    watching = engine(HAT)
    told = play(watching, Scene([table, worker(standing(700, 450), "bare")], 12, fps, jitter=0.02))
    (new,) = phases(told, "opened")
    assert place_of(new) == pytest.approx(700, abs=10)
    assert len(watching.tracks) == 1


class _Table(Actor):
    """A hard hat that lies about, and nothing else."""

    def __init__(self):
        super().__init__(standing(900, 600), carries_hat=True, segmented=True)


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("body", [True, False])
def test_a_cap_or_hood_is_no_hard_hat(fps, body):
    capped = replace(worker(standing(enters=4.0), "hat", mask=lambda t: 0.5), has_body=body)
    told = play(engine(HAT), Scene([capped], 12, fps, jitter=0.02))
    assert opened_at(told) == pytest.approx(6.0, abs=1 / fps)
    assert phases(told, "opened")[0].evidence[Gear.HARD_HAT].reason == "hat 0.90, no hard hat on it"


@pytest.mark.parametrize("fps", [5.0, 15.0])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("meeting", [1.0, 6.0])
def test_two_people_cross_and_one_wears_a_hat(fps, seed, meeting):
    left = worker(walking((960 - 150 * meeting, 300), (150, 0)), "bare")
    right = worker(walking((960 + 150 * meeting, 304), (-150, 0)), "hard_hat")
    told = play(engine(HAT), Scene([left, right], 12, fps, jitter=0.02, seed=seed))
    (new,) = phases(told, "opened")
    t = new.confirmed_at - START
    assert place_of(new) == pytest.approx(960 + 150 * (t - meeting), abs=60)
    assert all(violation.violation_id == new.violation_id for violation in told)


@pytest.mark.parametrize("fps", FPS)
@pytest.mark.parametrize("seed", range(2))
def test_classes_that_compete_around_one_half_alarm_at_most_once(fps, seed):
    rng = np.random.default_rng(seed)
    torn = worker(standing(), lambda t: "hard_hat" if rng.random() < 0.5 else "bare")
    told = play(engine(replace(HAT, cooldown_s=0.0)), Scene([torn], 60, fps))
    assert len(phases(told, "opened")) <= 1


@pytest.mark.parametrize("fps", FPS)
def test_a_mask_under_the_nose_is_incorrect_and_says_so(fps):
    # the classifier cannot decide; the pixels can
    low = Actor(standing(enters=4.0), mask=lambda t: 0.5, incorrect=lambda t: 0.5, mask_top=lambda t: 0.66)
    told = play(engine(MASK), Scene([low], 12, fps, jitter=0.01))
    assert opened_at(told) == pytest.approx(6.0, abs=1 / fps)
    verdict = phases(told, "opened")[0].evidence[Gear.FACE_MASK]
    assert verdict.state is GearState.INCORRECT
    assert "nose not covered" in verdict.reason
    assert play(engine(replace(MASK, allow_incorrect=True)), Scene([low], 12, fps, jitter=0.01)) == []
    well = replace(low, mask_top=lambda t: 0.4)
    assert play(engine(MASK), Scene([well], 12, fps, jitter=0.01)) == []


@pytest.mark.parametrize("fps", FPS)
def test_hat_and_mask_of_one_person_in_one_rule(fps):
    both = replace(HAT, name="both", require=(Gear.HARD_HAT, Gear.FACE_MASK))
    wears_hat_alone = worker(standing(enters=4.0), "hard_hat", mask=lambda t: 0.05)
    (new,) = phases(play(engine(both), Scene([wears_hat_alone], 12, fps, jitter=0.02)), "opened")
    assert new.gear == (Gear.FACE_MASK,)
    assert play(engine(both), Scene([replace(wears_hat_alone, mask=lambda t: 0.95)], 12, fps)) == []
