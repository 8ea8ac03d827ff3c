"""Worn, not near: which parts of a frame make up a person."""

import numpy as np
import pytest
from scenario import HW, Row, detections, landmarks

from models.structures import Category, Detections, Gear, GearState
from rules import associate
from rules.proportions import body_from_head, head_from_body, head_from_face

C = Category


def face(x=500.0, y=300.0, h=60.0, probs=(0.05, 0.9, 0.05), yaw=0.0, score=0.9):
    return Row(
        C.FACE_WITHOUT_MASK,
        (x - 0.4 * h, y - h / 2, x + 0.4 * h, y + h / 2),
        score,
        probs,
        landmarks(x, y, h, yaw),
    )


def head(x=500.0, y=300.0, h=75.0, category=C.BARE_HEAD, score=0.9):
    return Row(category, (x - 0.4 * h, y - h / 2, x + 0.4 * h, y + h / 2), score)


def hat(x=500.0, top=250.0, w=70.0, h=45.0, category=C.HARD_HAT, score=0.9):
    return Row(category, (x - w / 2, top, x + w / 2, top + h), score)


def body(x=500.0, top=260.0, head_h=75.0):
    return Row(C.PERSON, (x - 1.2 * head_h, top, x + 1.2 * head_h, top + 7.5 * head_h))


def look(*rows, **more):
    return associate(detections(rows, **more))


def hard_hat(person):
    return person.gear[Gear.HARD_HAT]


def face_mask(person):
    return person.gear[Gear.FACE_MASK]


def test_a_face_alone_is_a_person_with_an_estimated_body_that_is_not_clipped():
    (person,) = look(face(y=1000))
    assert person.box_is_estimated
    assert person.head_xyxy == pytest.approx((500 - 28.125, 955, 500 + 28.125, 1030), abs=0.01)
    assert person.box_xyxy[3] == pytest.approx(955 + 7.7 * 75, abs=0.1)
    assert person.box_xyxy[3] > HW[0]
    assert face_mask(person).state is GearState.MISSING
    assert hard_hat(person).state is GearState.UNKNOWN
    assert hard_hat(person).quality == 0


def test_proportions_there_and_back():
    assert head_from_body(body_from_head((10, 20, 40, 60))) == pytest.approx((10, 20, 40, 60), abs=1e-3)
    assert head_from_face((0, 20, 60, 100))[3] == 100


def test_face_head_hat_and_body_are_one_person():
    (person,) = look(body(), hat(), face(), head())
    assert not person.box_is_estimated
    assert person.box_xyxy == pytest.approx(body().box)
    assert hard_hat(person).score == pytest.approx(0.5), "a hat and a bare head of one score say nothing"


def test_a_hat_on_the_head_is_worn():
    (person,) = look(body(), hat(), face())
    assert hard_hat(person).state is GearState.WORN
    assert hard_hat(person).score == pytest.approx(0.9, abs=1e-6)


def test_a_box_of_the_whole_head_with_its_hat_is_worn_too():
    (person,) = look(face(), hat(top=245, w=65, h=95))
    assert hard_hat(person).state is GearState.WORN


@pytest.mark.parametrize(
    ("x", "top", "w", "h"),
    [(500, 520, 70, 45), (500, 140, 70, 45), (590, 250, 70, 45), (500, 250, 200, 130), (500, 330, 70, 45)],
    ids=["in the hand", "far above", "beside", "of a giant", "below the chin"],
)
def test_a_hat_near_is_not_worn(x, top, w, h):
    (person, *others) = look(body(), head(), hat(x, top, w, h))
    assert hard_hat(person).state is GearState.MISSING
    assert all(other.score < 0.5 for other in others), "a hat alone starts no track"


def test_one_hat_serves_one_head_and_the_assignment_is_optimal():
    # the hat fits both heads; first come would give it to the left one, which has a better one of its own
    people = look(head(500), head(540), hat(508, score=0.9), hat(540, score=0.8))
    assert [hard_hat(person).score > 0.4 for person in people] == [True, True]
    people = look(head(500), head(545), hat(544))
    assert [round(hard_hat(person).score, 2) for person in people] == [0.1, 0.5]


def test_a_carried_hat_is_weak_evidence_of_not_wearing():
    (plain,) = look(body(), face())
    (carrying,) = look(body(), face(), hat(560, 560))
    assert hard_hat(plain).quality == 0
    assert hard_hat(carrying).state is GearState.MISSING
    assert 0.3 <= hard_hat(carrying).score < 0.5
    assert 0 < hard_hat(carrying).quality <= 0.3


def test_a_cap_is_a_bare_head_with_a_reason():
    (person,) = look(body(), face(), hat(category=C.HAT, score=0.8))
    assert hard_hat(person).state is GearState.MISSING
    assert hard_hat(person).reason == "hat 0.80, no hard hat on it"


def test_a_hat_is_found_on_a_body_whose_head_was_not_seen():
    (person,) = look(body(), hat(top=245))
    assert hard_hat(person).state is GearState.WORN
    assert person.head_xyxy is not None
    assert face_mask(person).state is GearState.UNKNOWN


def test_a_body_alone_says_nothing():
    (person,) = look(body())
    assert person.head_xyxy is None
    assert {evidence.quality for evidence in person.gear.values()} == {0.0}


def test_hat_pixels_count_where_there_are_some():
    on_head = np.zeros((2, 28, 28), np.float32)
    on_head[1, :, :] = 1.0
    beside = np.zeros((2, 28, 28), np.float32)
    beside[1, 24:, :] = 1.0
    for pixels, state in ((on_head, GearState.WORN), (beside, GearState.MISSING)):
        rows = detections([head(score=0.6), hat(top=250, h=60)])
        seen = Detections(
            rows.image_hw,
            rows.boxes_xyxy,
            rows.scores,
            rows.class_ids,
            seg_masks=pixels,
            sharpness=rows.sharpness,
        )
        assert hard_hat(associate(seen)[0]).state is state


def garment(x=500.0, y=315.0, w=40.0, h=34.0):
    return Row(C.FACE_MASK, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), 0.9)


def test_a_mask_below_the_nose_names_the_nose():
    undecided = (0.5, 0.0, 0.5)
    (worn,) = look(face(probs=undecided), garment(y=310))
    (wrong,) = look(face(probs=undecided), garment(y=325))
    (chin,) = look(face(probs=undecided), garment(y=340, h=30))
    assert face_mask(worn).state is GearState.WORN
    assert face_mask(wrong).state is GearState.INCORRECT
    assert "nose not covered" in face_mask(wrong).reason
    assert "nose and mouth not covered" in face_mask(chin).reason
    assert face_mask(wrong).incorrect_score > 0.8


def test_a_mask_serves_one_face():
    people = look(face(500, probs=(0.3, 0.4, 0.3)), face(700, probs=(0.3, 0.4, 0.3)), garment(700, 310))
    assert [face_mask(person).state for person in people] == [GearState.MISSING, GearState.WORN]


def test_faces_that_were_not_judged_say_nothing():
    (person,) = look(face(probs=(0, 0, 0)))
    assert face_mask(person).state is GearState.UNKNOWN
    assert face_mask(person).quality == 0


def test_the_class_counts_where_a_detector_gives_no_probabilities():
    rows = detections([face()])
    seen = Detections(rows.image_hw, rows.boxes_xyxy, rows.scores, rows.class_ids)
    assert face_mask(associate(seen)[0]).state is GearState.MISSING


@pytest.mark.parametrize(("h", "quality"), [(9.0, 0.0), (17.0, 0.5), (24.0, 1.0)])
def test_quality_by_the_height_that_the_network_saw(h, quality):
    (person,) = look(face(h=2 * h), input_scale=0.5)
    assert face_mask(person).quality == pytest.approx(quality, abs=1e-5)


@pytest.mark.parametrize(
    ("yaw", "quality"), [(0, 1.0), (-35, 1.0), (52.5, 0.5), (80, 0.0), (-110, 0.0), (180, 0.0)]
)
def test_quality_by_pose_is_for_masks_and_not_for_hats(yaw, quality):
    (person,) = look(face(yaw=yaw), hat())
    assert face_mask(person).quality == pytest.approx(quality, abs=0.02)
    assert hard_hat(person).quality == 1.0


def test_a_head_seen_from_behind_says_everything_on_a_hat():
    (person,) = look(head())
    assert hard_hat(person).quality == 1.0
    assert face_mask(person).quality == 0.0


def test_quality_by_truncation_and_blur():
    (cut,) = look(face(x=5.0))
    assert face_mask(cut).quality == 0.0
    rows = detections([face()])
    blurred = Detections(
        rows.image_hw,
        rows.boxes_xyxy,
        rows.scores,
        rows.class_ids,
        face_mask_probs=rows.face_mask_probs,
        sharpness=np.array([0.25], np.float32),
    )
    assert face_mask(associate(blurred)[0]).quality == pytest.approx(0.25)


def test_the_nearer_of_two_overlapping_heads_is_judged():
    people = look(face(500, 300, 60), face(525, 300, 90))
    near = max(people, key=lambda person: person.head_xyxy[3] - person.head_xyxy[1])
    far = min(people, key=lambda person: person.head_xyxy[3] - person.head_xyxy[1])
    assert face_mask(near).quality == 1.0
    assert face_mask(far).quality < 0.1


def test_the_order_of_the_detections_does_not_matter():
    rows = [
        face(300),
        face(500),
        head(500),
        hat(500),
        body(500),
        head(700),
        hat(702),
        body(720),
        garment(300, 310),
    ]
    expected = look(*rows)
    rng = np.random.default_rng(1)
    for _ in range(10):
        assert look(*[rows[i] for i in rng.permutation(len(rows))]) == expected


def test_a_seated_person_and_a_neighbour_keep_their_own_bodies():
    people = look(head(500, 300), head(640, 310), body(640, 272), body(500, 262))
    assert [round(p.head_xyxy[0] + p.head_xyxy[2]) / 2 for p in people] == [
        pytest.approx((p.box_xyxy[0] + p.box_xyxy[2]) / 2, abs=2) for p in people
    ]


def test_what_is_hardly_seen_is_badly_judged():
    for score, quality in ((0.4, 0.0), (0.6, 0.5), (0.8, 1.0)):
        (person,) = look(face(score=score))
        assert face_mask(person).quality == pytest.approx(quality, abs=1e-6)
    (person,) = look(body(), face(score=0.3), hat())
    assert (face_mask(person).quality, hard_hat(person).quality) == (0.0, 1.0), (
        "the body and the hat are sure"
    )


def test_a_doubtful_bare_head_is_no_evidence_for_a_hat():
    (person,) = look(body(), head(score=0.3))
    assert hard_hat(person).score == 0.5
