"""Hats and masks with their pixels, as the segmenting model gives them: worn or near, and which class wins a head."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenario import Row, detections, landmarks, pixels

from models.structures import Category, Gear, GearState
from rules import associate
from rules.face_masks import face_mask_evidence
from rules.geometry import edges_of
from rules.hard_hats import worn_score
from rules.headgear import assign_hats, head_of, shows_wearer, top_fit, wear_fit
from rules.parts import Part, parts_of

C = Category
HEAD_H = 75.0
#: Pixels of a hard hat in the box of the whole helmeted head, and of one that lies or is held.
ON_HEAD = pixels(bottom=0.5)
ALONE = pixels(top=0.05, bottom=0.95)


def helmeted(x=500.0, top=250.0, h=90.0, score=0.9, filled=ON_HEAD):
    """The box of a whole head with a hard hat on it, as detectors are taught it."""
    return Row(C.HARD_HAT, (x - 0.42 * h, top, x + 0.42 * h, top + h), score, pixels=filled)


def lying(x=560.0, top=560.0, w=70.0, score=0.9):
    """A hard hat that is not worn: its pixels fill its box."""
    return Row(C.HARD_HAT, (x - w / 2, top, x + w / 2, top + 0.65 * w), score, pixels=ALONE)


def bare(x=500.0, top=262.0, h=HEAD_H, score=0.9):
    return Row(C.BARE_HEAD, (x - 0.4 * h, top, x + 0.4 * h, top + h), score)


def cap(x=500.0, top=255.0, w=62.0, h=36.0, score=0.8):
    return Row(C.HAT, (x - w / 2, top, x + w / 2, top + h), score, pixels=pixels())


def person(x=500.0, top=255.0, h=7.6 * HEAD_H, score=0.9):
    return Row(C.PERSON, (x - 1.2 * HEAD_H, top, x + 1.2 * HEAD_H, top + h), score)


def face(x=500.0, y=308.0, h=60.0, score=0.95, probs=(0.05, 0.9, 0.05)):
    box = (x - 0.4 * h, y - h / 2, x + 0.4 * h, y + h / 2)
    return Row(C.FACE_WITHOUT_MASK, box, score, probs, landmarks(x, y, h))


def mask_on(row, *, top, bottom=1.05, score=0.9, probs=None):
    """A mask that covers a face from ``top`` to ``bottom``, in shares of the face's height."""
    x1, y1, x2, y2 = row.box
    h = y2 - y1
    return Row(C.FACE_MASK, (x1, y1 + top * h, x2, y1 + bottom * h), score, pixels=pixels())


def look(*rows):
    return associate(detections(rows))


def hard_hat(seen):
    return seen.gear[Gear.HARD_HAT]


def face_mask(seen):
    return seen.gear[Gear.FACE_MASK]


def part(row):
    parts = parts_of(detections([row]), min_score=0.0)
    (found,) = [*parts.hard_hats, *parts.hats]
    return found


# --- worn ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [(), (face(),), (bare(score=0.3),), (person(),), (face(), person())])
def test_a_helmeted_head_is_one_person_who_wears_it(others):
    (worker,) = look(helmeted(), *others)
    assert hard_hat(worker).state is GearState.WORN
    assert hard_hat(worker).quality == 1.0
    assert worker.score >= 0.9 - 1e-6


def test_a_worker_seen_from_behind_counts_for_hats_and_not_for_masks():
    (worker,) = look(helmeted(), person())
    assert worker.head_xyxy == pytest.approx(helmeted().box)
    assert hard_hat(worker).state is GearState.WORN
    assert face_mask(worker).state is GearState.UNKNOWN
    (bareheaded,) = look(bare(), person())
    assert hard_hat(bareheaded).state is GearState.MISSING
    assert face_mask(bareheaded).state is GearState.UNKNOWN


def test_a_hat_from_above_that_fills_its_box_is_worn_on_the_top_of_a_body():
    from_above = helmeted(h=80, filled=ALONE)
    (upright,) = look(from_above, person())
    assert hard_hat(upright).state is GearState.WORN
    # who sits behind a desk shows little more than head and chest: no upright body has such a head
    (seated,) = look(from_above, person(h=240))
    assert hard_hat(seated).state is GearState.WORN
    assert not seated.box_is_estimated


def test_a_helmeted_head_without_a_body_has_an_estimated_one():
    (worker,) = look(helmeted())
    assert worker.box_is_estimated
    assert worker.box_xyxy[3] == pytest.approx(250 + 7.7 * 90, abs=1)


# --- near ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [440, 500, 560])
def test_a_hat_in_the_hand_is_not_worn(x):
    (carrier,) = look(person(), bare(), lying(x, 560))
    assert hard_hat(carrier).state is GearState.MISSING
    assert hard_hat(carrier).reason == "bare head 0.90, no hard hat on it, one is carried"


def test_a_hat_in_the_hand_of_somebody_whose_head_was_not_judged_is_weak_evidence():
    (carrier,) = look(person(), face(), lying(560, 560))
    assert hard_hat(carrier).state is GearState.MISSING
    assert 0 < hard_hat(carrier).quality <= 0.3
    (headless,) = look(person(), lying(560, 560))
    assert hard_hat(headless).state is GearState.UNKNOWN


def test_a_hat_on_a_table_or_hook_starts_nobody_and_touches_nobody():
    alone = look(lying(1200, 700))
    assert all(seen.score < 0.5 for seen in alone)
    beside, *others = look(person(), bare(), lying(620, 270))
    assert hard_hat(beside).reason == "bare head 0.90, no hard hat on it"
    assert all(seen.score < 0.5 for seen in others)


def test_a_hat_on_the_next_person_stays_there():
    for gap in (58, 70, 90, 140):
        left, right = look(bare(500), helmeted(500 + gap), person(500), person(500 + gap))
        assert hard_hat(left).state is GearState.MISSING, gap
        assert hard_hat(right).state is GearState.WORN, gap


def test_a_hat_that_would_also_fit_the_next_head_stays_with_its_wearer():
    # so close that nobody can say how well the heads are seen
    left, right = look(bare(500), helmeted(528), person(500), person(528))
    assert hard_hat(left).reason.startswith("bare head 0.90, no hard hat on it")
    assert hard_hat(right).reason.startswith("hard hat 0.90 on the head")


def test_two_heads_and_one_hat():
    people = look(face(500), face(560), bare(500), bare(560), helmeted(563))
    assert [hard_hat(seen).score > 0.4 for seen in people] == [False, True]


def test_a_helmeted_head_before_the_chest_of_another_is_its_own_person():
    # somebody crouches in front of somebody who stands
    standing, crouching = sorted(
        look(person(), bare(), helmeted(510, 480), person(510, 475, h=260)), key=lambda p: p.box_xyxy[1]
    )
    assert hard_hat(standing).reason == "bare head 0.90, no hard hat on it"
    assert hard_hat(crouching).state is GearState.WORN


def test_a_body_without_any_head_says_nothing():
    (seen,) = look(person())
    assert seen.head_xyxy is None
    assert hard_hat(seen).state is GearState.UNKNOWN


# --- caps and hoods --------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [(face(),), (bare(score=0.7),), (person(),), (face(), person())])
def test_a_cap_is_a_bare_head_with_the_reason(others):
    (seen,) = look(cap(), *others)
    assert hard_hat(seen).state is GearState.MISSING
    assert hard_hat(seen).reason.startswith("hat 0.80")
    assert hard_hat(seen).quality > 0.5


def test_a_hood_around_the_whole_head_seen_from_behind():
    hood = Row(C.HAT, (468, 250, 532, 335), 0.85, pixels=pixels())
    (seen,) = look(hood, person())
    assert hard_hat(seen).state is GearState.MISSING
    assert "hat 0.85" in hard_hat(seen).reason


def test_a_cap_beneath_a_hard_hat_does_not_take_it_off():
    (seen,) = look(helmeted(score=0.9), cap(score=0.3), face())
    assert hard_hat(seen).state is GearState.WORN
    assert "against hat 0.30" in hard_hat(seen).reason


# --- one belief ------------------------------------------------------------------------------------------


def test_classes_that_compete_for_a_head_are_one_person_and_one_belief():
    (seen,) = look(helmeted(score=0.8), bare(score=0.3), cap(score=0.1 + 0.15), face(), person())
    assert hard_hat(seen).score == pytest.approx(0.8 / (0.8 + 0.3 + 0.25))
    assert hard_hat(seen).reason == "hard hat 0.80 on the head, against hat 0.25 on a bare head 0.30"


scores = st.floats(0.05, 1.0)


@given(scores, scores)
def test_the_belief_is_the_log_odds_of_the_two_claims(hat_score, bare_score):
    belief = worn_score(hat_score, bare_score, 0.0)
    assert log(belief / (1 - belief)) == pytest.approx(log(hat_score / bare_score), abs=1e-6)
    assert worn_score(hat_score, 0.0, bare_score) == belief, "a cap is a bare head"


@given(scores, scores, scores)
def test_the_belief_rises_with_the_hat_and_falls_with_what_speaks_against_it(hard, bare_score, hat_score):
    belief = worn_score(hard, bare_score, hat_score)
    assert worn_score(min(1.0, hard + 0.1), bare_score, hat_score) >= belief
    assert worn_score(hard, min(1.0, bare_score + 0.1), hat_score) <= belief
    # the same claim twice is one claim: it never weighs more than a certain one
    assert belief >= worn_score(hard, 1.0, 0.0) - 1e-9
    assert belief <= worn_score(hard, bare_score, 0.0)


@given(scores)
def test_doubt_is_no_evidence_for_the_opposite(score):
    assert worn_score(score, 0.0, 0.0) >= 0.5 >= worn_score(0.0, score, 0.0)
    assert worn_score(0.0, 0.0, 0.0) == 0.5


# --- the geometry ----------------------------------------------------------------------------------------


def test_pixels_tell_a_worn_hat_from_one_that_lies():
    assert shows_wearer(part(helmeted()))
    assert not shows_wearer(part(lying()))
    assert not shows_wearer(part(Row(C.HARD_HAT, (0, 0, 70, 45)))), "without pixels nobody can tell"
    assert head_of(part(helmeted())) == pytest.approx(helmeted().box)
    stray = ON_HEAD.copy()
    stray[25, 3:5] = 1.0
    assert shows_wearer(part(helmeted(filled=stray)))


@given(
    st.floats(-2.0, 2.0),
    st.floats(-3.0, 3.0),
    st.floats(0.05, 4.0),
    st.floats(0.05, 4.0),
    st.sampled_from([None, ON_HEAD, ALONE]),
)
def test_a_hat_that_fits_covers_the_top_and_crosses_the_head(aside, above, w, h, filled):
    head = (400.0, 300.0, 460.0, 375.0)
    x, y = 430 + 60 * aside, 300 + 75 * above
    hat = part(Row(C.HARD_HAT, (x - 30 * w, y, x + 30 * w, y + 75 * h), pixels=filled))
    fit = wear_fit(hat, head)
    assert 0 <= fit <= 1
    if fit > 0:
        x1, y1, x2, y2 = hat.pixel_box or hat.box
        assert y1 < 300 + 0.3 * 75 + 1e-6
        assert y2 > 300, "its lower edge crosses the head"
        assert abs((x1 + x2) / 2 - 430) <= 30 + 1e-3, "it stands over the head's middle"
        assert 0.5 - 1e-3 <= (x2 - x1) / 60 <= 2.2 + 1e-3


@given(st.floats(0.2, 5.0), st.floats(-500, 500), st.floats(-500, 500))
def test_fit_knows_no_scale_and_no_place(scale, dx, dy):
    def moved(box):
        return (box[0] * scale + dx, box[1] * scale + dy, box[2] * scale + dx, box[3] * scale + dy)

    row, head = helmeted(), bare().box
    expected = wear_fit(part(row), head)
    other = wear_fit(part(Row(row.category, moved(row.box), pixels=row.pixels)), moved(head))
    assert other == pytest.approx(expected, abs=0.15)


def test_the_hat_on_the_chest_is_not_on_top_of_the_body():
    assert top_fit(part(lying(500, 420)), person().box) == 0
    assert top_fit(part(lying(500, 250)), person().box) > 0


@given(st.lists(st.tuples(st.floats(300, 900), st.floats(0.3, 1.0)), min_size=1, max_size=6))
def test_one_hat_serves_one_head_and_one_head_wears_one_hat(places):
    heads = [bare(x).box for x, _ in places]
    hats = [part(helmeted(x + 12, score=score)) for x, score in places]
    worn = assign_hats(hats, edges_of(heads))
    assert len(set(worn.values())) == len(worn)
    assert all(wear_fit(hats[column], heads[row]) > 0 for row, column in worn.items())


rows = st.lists(
    st.one_of(
        st.builds(helmeted, x=st.floats(200, 900), top=st.floats(200, 600), score=st.floats(0.2, 1)),
        st.builds(lying, x=st.floats(200, 900), top=st.floats(200, 800), score=st.floats(0.2, 1)),
        st.builds(bare, x=st.floats(200, 900), top=st.floats(200, 600), score=st.floats(0.2, 1)),
        st.builds(cap, x=st.floats(200, 900), top=st.floats(200, 600), score=st.floats(0.2, 1)),
        st.builds(person, x=st.floats(200, 900), top=st.floats(200, 600), score=st.floats(0.2, 1)),
        st.builds(face, x=st.floats(200, 900), y=st.floats(200, 600), score=st.floats(0.2, 1)),
    ),
    min_size=1,
    max_size=9,
)


@given(rows, st.randoms(use_true_random=False))
def test_any_scene_gives_each_part_to_one_person_in_any_order(scene, chance):
    people = look(*scene)
    kinds = [row.category for row in scene]
    assert len(people) <= len(scene)
    assert len(people) >= max(
        kinds.count(C.PERSON), kinds.count(C.BARE_HEAD), kinds.count(C.FACE_WITHOUT_MASK)
    )
    wearing = [
        seen
        for seen in people
        if hard_hat(seen).reason.startswith("hard hat") and "on the" in hard_hat(seen).reason
    ]
    assert len(wearing) <= kinds.count(C.HARD_HAT)
    if not kinds.count(C.HARD_HAT):
        assert all(hard_hat(seen).state is not GearState.WORN for seen in people)
    shuffled = list(scene)
    chance.shuffle(shuffled)
    assert look(*shuffled) == people


# --- face masks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("top", "bottom", "state", "said"),
    [
        (0.42, 1.05, GearState.WORN, "face with mask"),
        (0.66, 1.05, GearState.INCORRECT, "nose not covered"),
        (0.92, 1.25, GearState.INCORRECT, "nose and mouth not covered"),
    ],
)
def test_the_masks_pixels_name_what_is_uncovered(top, bottom, state, said):
    undecided = face(probs=(0.45, 0.1, 0.45))
    (seen,) = look(undecided, mask_on(undecided, top=top, bottom=bottom))
    assert face_mask(seen).state is state
    assert said in face_mask(seen).reason


def test_the_pixels_count_and_not_the_box():
    undecided = face(probs=(0.45, 0.1, 0.45))
    row = mask_on(undecided, top=0.3, bottom=1.05)
    row.pixels = pixels(top=0.6)
    (seen,) = look(undecided, row)
    assert face_mask(seen).state is GearState.INCORRECT
    assert "nose not covered" in face_mask(seen).reason


def test_the_classifier_decides_alone_without_a_mask_detection():
    for probs, state in (
        ((0.9, 0.05, 0.05), GearState.WORN),
        ((0.05, 0.9, 0.05), GearState.MISSING),
        ((0.05, 0.05, 0.9), GearState.INCORRECT),
    ):
        (seen,) = look(face(probs=probs))
        assert face_mask(seen).state is state
        assert face_mask(seen).score == pytest.approx(probs[0])


def test_a_doubtful_mask_hardly_moves_the_classifier():
    sure = face(probs=(0.03, 0.94, 0.03))
    (alone,) = look(sure)
    (doubtful,) = look(sure, mask_on(sure, top=0.42, score=0.35))
    (certain,) = look(sure, mask_on(sure, top=0.42, score=0.95))
    assert face_mask(doubtful).score == pytest.approx(face_mask(alone).score, abs=0.02)
    assert face_mask(certain).score > 0.2


def test_the_classifiers_say_grows_with_the_sharpness_of_the_face():
    row = face(probs=(0.02, 0.02, 0.96))
    seen = detections([row, mask_on(row, top=0.42)])
    worn = []
    for sharpness in (1.0, 0.5, 0.1):
        parts = parts_of(seen, min_score=0.0)
        (blurred,) = parts.faces
        blurred = Part(
            blurred.category,
            blurred.box,
            blurred.score,
            blurred.landmarks_xy,
            blurred.face_mask_probs,
            sharpness=sharpness,
        )
        worn.append(face_mask_evidence(blurred, parts.face_masks[0], 1.0).score)
    assert worn == sorted(worn)
    assert worn[0] < 0.5 < worn[-1]


@given(st.floats(0.0, 1.2), st.floats(0.05, 1.0))
def test_probabilities_stay_probabilities(top, score):
    row = face(probs=(0.3, 0.4, 0.3))
    (seen,) = look(row, mask_on(row, top=top, bottom=top + 0.5, score=score))
    evidence = face_mask(seen)
    assert 0 <= evidence.score <= 1
    assert evidence.score + evidence.incorrect_score <= 1 + 1e-6
    assert np.isfinite(evidence.quality)
