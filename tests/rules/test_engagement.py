"""When no look may be left out, and what rules make of a camera that is looked at seldom until somebody is there."""

import pytest
from scenario import MASK, START, Actor, Row, Scene, detections, engine, phases, play, standing

from models.structures import Category
from rules import Anchor, EndReason, Rule, Zone

LEFT = Zone("left", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)), Anchor.HEAD)


def bare(x: float = 300.0, **times: float) -> Actor:
    return Actor(standing(x, 400, **times), mask=lambda t: 0.05)


def test_an_empty_scene_engages_nobody():
    watching = engine(MASK)
    assert not watching.is_engaged
    play(watching, Scene([], 5))
    assert not watching.is_engaged


def test_the_first_look_at_somebody_engages_until_they_have_gone():
    watching = engine(MASK)
    seen = [
        (watching.observe(frame, at), watching.is_engaged) for frame, at, _ in Scene([bare()], 1).frames()
    ]
    assert all(engaged for _, engaged in seen)
    play(watching, Scene([], 30, start=START + 1))
    assert not watching.is_engaged


def test_somebody_who_complies_engages_too():
    watching = engine(MASK)
    play(watching, Scene([Actor(standing(), mask=lambda t: 0.95)], 10))
    assert watching.is_engaged


def test_whom_no_rule_asks_anything_engages_only_until_confirmed():
    watching = engine(Rule("left", MASK.require, zones=("left",)), zones=[LEFT])
    frames = list(Scene([bare(1500)], 10).frames())
    watching.observe(*frames[0][:2])
    assert watching.is_engaged
    for frame, at, _ in frames[1:]:
        watching.observe(frame, at)
    assert watching.tracks
    assert not watching.is_engaged


def test_an_open_episode_engages_while_its_person_is_gone():
    watching = engine(MASK)
    told = play(watching, Scene([bare(leaves=6)], 7))
    assert phases(told, "opened")
    assert watching.is_engaged
    watching.finish(EndReason.SHUTDOWN, START + 8)
    assert not watching.is_engaged


def test_a_poster_engages_nobody_once_it_is_known_for_one():
    watching = engine(MASK, static_s=20.0)
    poster = Row(Category.FACE_WITH_MASK, (280, 370, 320, 430), 0.9, (0.9, 0.1, 0.0))
    for step in range(200):
        watching.observe(detections([poster]), START + step / 5)
    assert watching.tracks[0].is_static
    assert not watching.is_engaged


@pytest.mark.parametrize("seldom_s", [1.0, 5.0, 20.0])
def test_dwell_is_not_shortened_by_seldom_looks_before(seldom_s: float):
    """The gate of a still camera lets a look through now and then; somebody is found at one of them."""
    watching = engine(MASK)
    told = []
    for step in range(12):
        told += watching.observe(detections([]), START + step * seldom_s)
    found_at = START + 12 * seldom_s
    told += play(watching, Scene([bare()], 6, start=found_at))
    (opened,) = phases(told, "opened")
    assert opened.started_at == pytest.approx(found_at, abs=0.01)
    assert opened.confirmed_at - found_at == pytest.approx(MASK.dwell_s, abs=0.21)
