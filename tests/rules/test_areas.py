"""Suppression areas: what is held back, what never is, and when they are learned."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scenario import HAT, HW, MASK, START, Actor, Scene, engine, phases, play, standing, walking

from models.structures import Gear
from rules import AreaPolicy, JudgedAlert, Rule, SuppressionArea, learn_area, relative_head
from rules.areas import iou

FAR_AHEAD = START + 1e6
FACE_PX = 60.0
WALK = st.tuples(st.floats(-90, 90), st.floats(-40, 40))


def bare(where, **changes) -> Actor:
    return Actor(where, FACE_PX, mask=lambda t: 0.02, **changes)


def areas_of(*scenes: Scene, rule: Rule = MASK) -> list[SuppressionArea]:
    """Areas where the rule opened its first episode in each scene, which are those that false alarms would make."""
    found = []
    for number, scene in enumerate(scenes):
        (opened, *_) = phases(play(engine(rule), scene), "opened")
        head = relative_head(opened.box_xyxy, opened.head_xyxy, HW)
        found.append(SuppressionArea(f"A{number}", rule.name, head, FAR_AHEAD))
    return found


def watching(areas, *rules: Rule):
    one = engine(*(rules or (MASK,)))
    one.set_areas(areas)
    return one


POSTER = Scene([bare(standing())], seconds=20, jitter=0.02)


@cache
def at_poster() -> tuple[SuppressionArea, ...]:
    return tuple(areas_of(POSTER))


def test_what_stands_still_in_the_area_is_held_back_counted_and_explained():
    one = watching(at_poster())
    assert play(one, POSTER) == []
    assert one.suppressed == {"area": 1}
    (held,) = one.take_held()
    assert (held.reason, held.because_of, held.until) == ("area", "A0", FAR_AHEAD)
    assert held.score > 0.9
    assert [entry.event for entry in held.trace] == ["dwell", "held"]
    assert "area A0" in held.trace[-1].detail
    assert one.take_held() == []


def test_without_areas_nobody_is_watched_for_them():
    one = engine(MASK)
    play(one, POSTER)
    assert all(person.rest is None for person in one._people.by_id.values())


def test_an_area_holds_one_rule_back_and_no_other():
    strict = replace(MASK, name="strict")
    told = play(watching(areas_of(POSTER), MASK, strict), POSTER)
    assert {violation.rule for violation in told} == {"strict"}


def test_an_area_that_has_expired_holds_nothing_back():
    (area,) = at_poster()
    one = watching([replace(area, expires_at=START + 1)])
    assert phases(play(one, POSTER), "opened")
    assert one.suppressed == {}


def test_it_expires_while_somebody_stands_in_it():
    (area,) = at_poster()
    (opened,) = phases(play(watching([replace(area, expires_at=START + 10)]), POSTER), "opened")
    assert opened.confirmed_at == pytest.approx(START + 10, abs=0.3)
    assert opened.started_at == pytest.approx(START, abs=0.3)
    assert [entry.event for entry in opened.trace][-2:] == ["held", "opened"]
    assert "after area A0" in opened.trace[-1].detail


def test_an_open_episode_goes_on_when_its_place_becomes_an_area():
    one = engine(MASK)
    told = []
    areas = at_poster()
    for seen, at, t in POSTER.frames():
        if t == 10:
            one.set_areas(areas)
        told += one.observe(seen, at)
    assert len(phases(told, "opened")) == 1
    assert not phases(told, "closed")


def test_who_was_followed_before_the_area_was_made_is_not_held_back():
    one = engine(replace(MASK, dwell_s=8.0))
    told = []
    areas = at_poster()
    for seen, at, t in POSTER.frames():
        if t == 2:
            one.set_areas(areas)
        told += one.observe(seen, at)
    assert phases(told, "opened")


def test_somebody_who_was_taken_for_the_thing_is_told_when_they_move():
    moves = Scene([bare(lambda t: (900.0 + max(0.0, t - 10) * 30, 300.0))], seconds=25, jitter=0.01)
    (opened,) = phases(play(watching(at_poster()), moves), "opened")
    assert START + 10 < opened.confirmed_at < START + 13
    assert opened.started_at == pytest.approx(START, abs=0.3)


def test_a_living_head_in_the_area_is_told_late_and_not_lost():
    """Heads of people who stand sway by more than a quarter of their height within two minutes; things do not."""
    sways = Scene(
        [bare(lambda t: (900.0 + min(t, 60) / 60 * 0.35 * FACE_PX / 0.8, 300.0))], seconds=90, jitter=0.01
    )
    (opened,) = phases(play(watching(at_poster()), sways), "opened")
    assert opened.confirmed_at < START + 75


def test_bodies_are_held_back_too_where_they_stand_like_things():
    mannequin = Scene(
        [Actor(standing(), FACE_PX, hat=lambda t: "bare", has_body=True)], seconds=20, jitter=0.02
    )
    one = watching(areas_of(mannequin, rule=HAT), HAT)
    assert play(one, mannequin) == []
    assert one.suppressed == {"area": 1}


def test_a_larger_or_smaller_head_at_the_same_place_is_another_thing():
    for size in (0.6, 1.6):
        other = Scene([Actor(standing(), size * FACE_PX, mask=lambda t: 0.02)], seconds=10)
        assert phases(play(watching(at_poster()), other), "opened"), size


def test_areas_outlive_a_restored_state():
    one = engine(MASK)
    play(one, POSTER)
    state = one.export_state()
    two = watching(at_poster())
    two.restore_state(state, START + 20)
    assert [area.area_id for area in two._book.areas.all] == ["A0"]


@settings(max_examples=15)
@given(
    speed=WALK,
    side=st.sampled_from([-1, 1]),
    fps=st.sampled_from([3.0, 5.0, 8.0]),
    jitter=st.sampled_from([0.0, 0.02]),
    seed=st.integers(0, 5),
)
def test_who_walks_through_areas_is_told_as_without_them(speed, side, fps, jitter, seed):
    assume(abs(speed[0]) > 25)
    # the way leads through the poster's place
    at_place_s = 4.0
    start = (900.0 - side * abs(speed[0]) * at_place_s, 300.0 - speed[1] * at_place_s)
    scene = Scene(
        [bare(walking(start, (side * abs(speed[0]), speed[1])))], seconds=8, fps=fps, jitter=jitter, seed=seed
    )
    assert play(watching(at_poster()), scene) == play(engine(MASK), scene)


@settings(max_examples=15)
@given(
    stops_s=st.floats(1.0, 6.0),
    distance_px=st.floats(60, 500),
    fps=st.sampled_from([4.0, 5.0, 10.0]),
    seed=st.integers(0, 5),
)
def test_who_walks_up_and_stands_in_the_area_is_told_as_without_it(stops_s, distance_px, fps, seed):
    def where(t: float):
        return 900.0 - distance_px * max(0.0, 1 - t / stops_s), 300.0

    scene = Scene([bare(where)], seconds=14, fps=fps, jitter=0.02, seed=seed)
    assert play(watching(at_poster()), scene) == play(engine(MASK), scene)


@settings(max_examples=15)
@given(dx=st.floats(-3, 3), dy=st.floats(-3, 3))
def test_an_area_reaches_no_farther_than_half_a_head(dx, dy):
    head_px = FACE_PX / 0.8
    assume(max(abs(dx), abs(dy)) > 0.5)
    beside = Scene([bare(standing(900.0 + dx * head_px, 400.0 + dy * head_px))], seconds=6)
    at = areas_of(Scene([bare(standing(900.0, 400.0))], seconds=6))
    assert phases(play(watching(at), beside), "opened")


def test_the_same_frames_and_areas_give_the_same_messages():
    scene = Scene([bare(standing()), bare(walking((100, 500), (60, 0)))], seconds=20, jitter=0.03, drop=0.1)
    first, second = (watching(at_poster()) for _ in range(2))
    assert play(first, scene) == play(second, scene)
    assert first.suppressions == second.suppressions


@pytest.mark.parametrize("head", [(0.1, 0.1, 0.1, 0.2), (0.2, 0.1, 0.1, 0.2), (0.1, 0.1, float("nan"), 0.2)])
def test_an_area_needs_an_area(head):
    with pytest.raises(ValueError, match="area A"):
        SuppressionArea("A", "mask", head, FAR_AHEAD)


# -- learning ------------------------------------------------------------------------------------------------

PLACE = (0.4, 0.2, 0.44, 0.28)
DAY_S = 86_400.0


def judged(number: int, *, at: float = START, head=PLACE, rule: str = "mask", **said) -> JudgedAlert:
    return JudgedAlert(f"J{number}", rule, at + number, head, **(said or {"is_thing": True}))


def test_three_false_alarms_at_one_place_make_an_area():
    first, second, third = (judged(number) for number in range(3))
    assert learn_area(second, [first], AreaPolicy()) is None
    learned = learn_area(third, [first, second], AreaPolicy())
    assert learned.head_xyxy == PLACE
    assert learned.alert_ids == ("J0", "J1", "J2")
    # the latest may be among the others, and counts once
    assert learn_area(second, [first, second], AreaPolicy()) is None


@pytest.mark.parametrize(
    "odd",
    [
        judged(0, rule="other"),
        judged(0, head=(0.43, 0.2, 0.47, 0.28)),
        judged(0, head=(0.3, 0.1, 0.6, 0.5)),
        judged(0, at=START - 8 * DAY_S),
        judged(0, is_thing=False),
    ],
    ids=["rule", "beside", "large", "long ago", "a person"],
)
def test_false_alarms_that_differ_make_none(odd):
    assert learn_area(judged(2), [odd, judged(1)], AreaPolicy()) is None
    assert learn_area(judged(2), [odd, judged(1), judged(3)], AreaPolicy()) is not None


def test_one_right_alarm_at_the_place_speaks_against_it():
    others = [judged(0), judged(1), judged(5, is_true=True)]
    assert learn_area(judged(2), others, AreaPolicy()) is None
    # not one that was long before, or elsewhere
    others[-1] = judged(5, at=START - 30 * DAY_S, is_true=True)
    assert learn_area(judged(2), others, AreaPolicy()) is not None


def test_learning_can_be_switched_off():
    assert learn_area(judged(2), [judged(0), judged(1)], AreaPolicy(false_alarms=0)) is None


boxes = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.005, 0.3), st.floats(0.005, 0.3)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@given(
    st.lists(st.tuples(boxes, st.booleans(), st.booleans()), min_size=1, max_size=8),
    boxes,
    st.floats(-0.02, 0.02),
)
def test_what_is_learned_lies_where_the_false_alarms_were(rows, place, shift):
    near = tuple(value + shift for value in place)
    alerts = [
        judged(number, head=place if here else box, is_thing=thing, is_true=not thing)
        for number, (box, here, thing) in enumerate(rows)
    ]
    latest = judged(99, head=near)
    learned = learn_area(latest, alerts, AreaPolicy())
    if learned is None:
        return
    taught = [alert for alert in (*alerts, latest) if alert.alert_id in learned.alert_ids]
    assert len(taught) >= 3
    assert all(alert.is_thing and iou(alert.head_xyxy, near) >= 0.5 for alert in taught)
    for side in range(4):
        values = [alert.head_xyxy[side] for alert in taught]
        assert min(values) <= learned.head_xyxy[side] <= max(values)


def test_the_head_of_a_body_is_taken_from_it():
    body = (800.0, 100.0, 1000.0, 900.0)
    _, y1, _, y2 = relative_head(body, None, HW)
    assert y1 == pytest.approx(100 / HW[0], abs=0.03)
    assert (y2 - y1) * HW[0] < 150
    assert relative_head(body, (0.0, 0.0, 192.0, 108.0), HW) == (0.0, 0.0, 0.1, 0.1)
    assert relative_head((5, 5, 5, 5), (5, 5, 5, 5), HW) is None


def test_gear_of_a_rule_does_not_matter():
    both = Rule("both", (Gear.FACE_MASK, Gear.HARD_HAT))
    one = watching(areas_of(POSTER, rule=both), both)
    assert play(one, POSTER) == []
