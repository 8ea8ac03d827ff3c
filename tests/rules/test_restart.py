"""A restart of the daemon is an outage of the stream, no new violation."""

import json
from dataclasses import replace
from math import sin

import pytest
from scenario import MASK, START, Actor, Scene, engine, phases, play, standing

from rules import AlertPer, EndReason


def unmasked(at):
    return Actor(at, mask=lambda t: 0.05)


def restart(watching, rule=MASK, at=START + 10.0, **more):
    """A new engine that goes on from the state of another, through JSON."""
    anew = engine(rule, **more)
    return anew, anew.restore_state(json.loads(json.dumps(watching.export_state())), at)


@pytest.mark.parametrize("away_s", [1.0, 5.0, 20.0])
@pytest.mark.parametrize(
    "rule", [MASK, replace(MASK, alert_per=AlertPer.ZONE), replace(MASK, cooldown_s=0.0)]
)
def test_an_open_episode_goes_on(away_s, rule):
    before = engine(rule)
    (new,) = play(before, Scene([unmasked(standing())], 6, 5.0))
    anew, told = restart(before, rule, START + 5.8 + away_s)
    scene = Scene([unmasked(standing(leaves=10.0))], 20, 5.0, start=START + 5.8 + away_s, jitter=0.02)
    told += play(anew, scene)
    (end,) = told
    assert (end.phase, end.violation_id, end.started_at) == (
        "closed",
        new.violation_id,
        pytest.approx(new.started_at),
    )
    assert end.ended_at == pytest.approx(START + 5.8 + away_s + 9.8, abs=0.3)
    assert end.track_id > new.track_id
    assert [entry.event for entry in end.trace][:3] == ["dwell", "opened", "restored"]


def test_when_nobody_is_there_any_more_it_ends():
    before = engine(MASK)
    play(before, Scene([unmasked(standing())], 6, 5.0))
    anew, told = restart(before)
    told += play(anew, Scene([], 20, 5.0, start=START + 10))
    assert [(v.end_reason, v.ended_at) for v in told] == [(EndReason.LEFT_VIEW, pytest.approx(START + 5.8))]


@pytest.mark.parametrize("away_s", [60.0, 7200.0])
def test_after_a_long_time_it_has_ended_with_the_camera(away_s):
    before = engine(MASK)
    play(before, Scene([unmasked(standing())], 6, 5.0))
    anew, told = restart(before, at=START + 5.8 + away_s)
    assert [(v.end_reason, v.ended_at) for v in told] == [(EndReason.CAMERA_LOST, pytest.approx(START + 5.8))]
    (new,) = phases(
        play(anew, Scene([unmasked(standing(1500))], 6, 5.0, start=START + 5.8 + away_s)), "opened"
    )
    assert new.violation_id == "gate/mask/2", "ids go on"


def test_a_rule_that_is_no_more_ends_its_episodes():
    before = engine(MASK)
    play(before, Scene([unmasked(standing())], 6, 5.0))
    _, told = restart(before, replace(MASK, name="other"))
    assert [v.end_reason for v in told] == [EndReason.RELOAD]


def test_the_cooldown_the_counts_and_the_posters_outlive_it():
    rule = replace(MASK, cooldown_s=300.0)
    before = engine(rule, static_s=60.0)
    living = lambda t: (900 + 30 * sin(t), 300)  # noqa: E731
    actors = [Actor(living, mask=lambda t: 0.05 if t < 130 else 0.95), unmasked(standing(300))]
    play(before, Scene(actors, 150, 5.0))
    (counted,) = before.compliance()
    anew, told = restart(before, rule, START + 152, static_s=60.0)
    told += play(anew, Scene([unmasked(living), unmasked(standing(300))], 20, 5.0, start=START + 152))
    assert told == []
    assert anew.suppressed == {"cooldown": 1}
    assert sorted(track.is_static for track in anew.tracks) == [False, True]
    assert counted.missing_s + 15 < anew.compliance()[0].missing_s < counted.missing_s + 25


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"camera_id": "dock"},
        {"book": {}},
        {"saved_at": None},
        {"still": [{}]},
        {"compliance": 5},
    ],
)
def test_what_cannot_be_read_restores_nothing(change):
    before = engine(MASK)
    play(before, Scene([unmasked(standing())], 6, 5.0))
    anew = engine(MASK)
    with pytest.raises(ValueError, match="state"):
        anew.restore_state({**before.export_state(), **change}, START + 10)
    (new,) = play(anew, Scene([unmasked(standing())], 6, 5.0))
    assert new.violation_id == "gate/mask/1"


def test_too_late_to_restore():
    watching = engine(MASK)
    play(watching, Scene([], 1, 5.0))
    with pytest.raises(ValueError, match="before the first frame"):
        watching.restore_state(watching.export_state(), START)
