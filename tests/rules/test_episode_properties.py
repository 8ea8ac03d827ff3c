"""What holds of every recording, however strange: hypothesis writes the scenes."""

import itertools
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario import HAT, MASK, START, Actor, Scene, engine, play

from models.structures import GearState
from rules import AlertPer, Anchor, EndReason, Zone

ZONE = Zone("zone", ((0.2, 0.1), (0.8, 0.1), (0.8, 0.9), (0.2, 0.9)), Anchor.HEAD)
FAST = settings(max_examples=30)


@st.composite
def actors(draw):
    """Somebody who comes and goes, walks, turns, puts gear on and takes it off, all at eighths of a second."""
    x, y = draw(st.integers(100, 1800)), draw(st.integers(150, 900))
    speed = draw(st.integers(-200, 200))
    enters, stays = draw(st.integers(0, 40)) / 8, draw(st.integers(4, 120)) / 8
    changes = draw(st.lists(st.integers(0, 120), max_size=6))
    turns = draw(st.lists(st.integers(0, 120), max_size=4))
    missing_first = draw(st.booleans())

    def toggled(times, first, t):
        return first ^ (sum(1 for time in times if time / 8 <= t) % 2 == 1)

    return Actor(
        at=lambda t: (x + speed * (t - enters), y) if enters <= t < enters + stays else None,
        face_px=draw(st.sampled_from([12.0, 30.0, 60.0, 120.0])),
        mask=lambda t: (
            None if toggled(turns, False, t) else (0.08 if toggled(changes, missing_first, t) else 0.92)
        ),
        hat=lambda t: "bare" if toggled(changes, missing_first, t) else "hard_hat",
        has_body=draw(st.booleans()),
    )


@st.composite
def scenes(draw, **more):
    return Scene(
        draw(st.lists(actors(), min_size=1, max_size=4)),
        seconds=draw(st.sampled_from([8.0, 16.0])),
        fps=draw(st.sampled_from([1.0, 2.0, 4.0, 8.0])),
        jitter=draw(st.sampled_from([0.0, 0.03])),
        drop=draw(st.sampled_from([0.0, 0.3])),
        seed=draw(st.integers(0, 3)),
        **more,
    )


RULE = st.builds(
    replace,
    st.sampled_from([MASK, HAT]),
    zones=st.sampled_from([(None,), ("zone",)]),
    dwell_s=st.sampled_from([0.0, 0.5, 2.0]),
    clear_s=st.sampled_from([0.0, 1.0, 5.0]),
    cooldown_s=st.sampled_from([0.0, 5.0]),
    update_s=st.sampled_from([1.0, 10.0]),
    alert_per=st.sampled_from(AlertPer),
)


def tell(rule, scene, *, finish=True):
    watching = engine(rule, zones=[ZONE])
    told = play(watching, scene)
    return told + (watching.finish(EndReason.SHUTDOWN, START + 1000.0) if finish else [])


@FAST
@given(RULE, scenes())
def test_each_episode_opens_once_then_updates_then_closes_once(rule, scene):
    story = defaultdict(list)
    for violation in tell(rule, scene):
        story[violation.violation_id].append(violation)
    for steps in story.values():
        assert [str(step.phase) for step in steps] == ["opened", *["updated"] * (len(steps) - 2), "closed"]
        assert len({(step.started_at, step.confirmed_at, step.rule, step.zone) for step in steps}) == 1
        end = steps[-1]
        assert end.started_at <= end.confirmed_at <= end.ended_at
        assert all(end.gear) and set(end.gear) >= set(steps[0].gear)  # noqa: PT018
        shown = [step.trace[-1].at for step in steps[:-1]]
        assert all(later - sooner >= rule.update_s - 1e-3 for sooner, later in itertools.pairwise(shown))


@FAST
@given(RULE, scenes())
def test_no_episode_opens_sooner_than_dwell_after_it_began(rule, scene):
    for violation in tell(rule, scene):
        assert violation.confirmed_at - violation.started_at >= rule.dwell_s - 2e-3
        assert violation.count >= 1


@FAST
@given(RULE, scenes(), st.integers(-(2**20), 2**20))
def test_shifting_the_recording_in_time_shifts_its_alerts(rule, scene, quarters):
    shift = quarters / 4
    before, after = (
        tell(rule, scene, finish=False),
        tell(rule, replace(scene, start=START + shift), finish=False),
    )
    assert [(v.violation_id, v.phase, v.track_id, v.end_reason) for v in before] == [
        (v.violation_id, v.phase, v.track_id, v.end_reason) for v in after
    ]
    for one, other in zip(before, after, strict=True):
        assert other.confirmed_at - shift == pytest.approx(one.confirmed_at, abs=1e-6)
        assert other.ended_at is None or other.ended_at - shift == pytest.approx(one.ended_at, abs=1e-6)


@FAST
@given(RULE, scenes())
def test_the_order_of_detections_does_not_matter(rule, scene):
    mixed = replace(scene, jitter=0.0, drop=0.0, shuffle=True)
    assert tell(rule, replace(mixed, shuffle=False)) == tell(rule, mixed)


@FAST
@given(RULE, scenes())
def test_looks_without_quality_never_alarm_and_are_unknown(rule, scene):
    for actor in scene.actors:
        actor.face_px = 7.0
    watching = engine(rule, zones=[ZONE])
    assert play(watching, scene) == []
    for track in watching.tracks:
        assert all(verdict.state is GearState.UNKNOWN for verdict in track.gear.values())
    assert all(count.observable_s == 0 for count in watching.compliance())


@FAST
@given(scenes())
def test_who_wears_it_never_alarms(scene):
    for actor in scene.actors:
        actor.mask, actor.hat = (lambda t: 0.9), (lambda t: "hard_hat")
    assert tell(MASK, scene) == []
    assert tell(HAT, scene) == []


@FAST
@given(RULE, scenes(), st.integers(0, 60))
def test_going_on_from_a_saved_state_tells_nothing_twice(rule, scene, cut):
    """Cut anywhere, saved and restored at once: no id opens twice or closes twice."""
    watching, told = engine(rule, zones=[ZONE]), []
    for index, (seen, at, _) in enumerate(scene.frames()):
        if index == cut:
            state = watching.export_state()
            watching = engine(rule, zones=[ZONE])
            told += watching.restore_state(state, at)
        told += watching.observe(seen, at)
    told += watching.finish(EndReason.SHUTDOWN, START + 1000.0)
    for phase in ("opened", "closed"):
        ids = [violation.violation_id for violation in told if violation.phase == phase]
        assert len(ids) == len(set(ids))
    assert {v.violation_id for v in told if v.phase == "opened"} == {
        v.violation_id for v in told if v.phase == "closed"
    }


@FAST
@given(RULE, scenes(), st.lists(st.floats(-4000, 4000), max_size=3), st.integers(0, 2**31))
def test_clocks_that_jump_anywhere_break_nothing(rule, scene, jumps, seed):
    rng = np.random.default_rng(seed)
    at_times = sorted(rng.uniform(0, 16, len(jumps)))
    scene.clock = lambda t: sum(jump for time, jump in zip(at_times, jumps, strict=True) if t >= time)
    for violation in tell(rule, scene):
        assert (
            violation.ended_at is None or violation.ended_at >= violation.confirmed_at >= violation.started_at
        )
