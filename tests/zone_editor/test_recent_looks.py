"""The last minute of looks in memory: what comes out is what went in, and no more than fits is kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from judging.site_of_one import START, face

from models.structures import Category, Detections
from streamer.zone_editor.recent_looks import PackedLook, RecentLooks

FIELDS = ("boxes_xyxy", "scores", "class_ids", "landmarks_xy", "face_mask_probs", "sharpness", "row_scales")


def crowd(count: int, seed: int = 1, **parts: bool) -> Detections:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 500, (count, 2)).astype(np.float32)
    return Detections(
        image_hw=(720, 1280),
        boxes_xyxy=np.concatenate([corners, corners + 50], axis=1),
        scores=random.random(count, np.float32),
        class_ids=random.choice([int(each) for each in Category], count).astype(np.int32),
        input_scale=0.5,
        seg_masks=random.random((count, 28, 28), np.float32) if parts.get("seg_masks") else None,
        landmarks_xy=random.random((count, 5, 2), np.float32) if parts.get("landmarks_xy") else None,
        face_mask_probs=random.random((count, 3), np.float32) if parts.get("face_mask_probs") else None,
        sharpness=random.random(count, np.float32) if parts.get("sharpness") else None,
        row_scales=random.random(count, np.float32) + 0.1 if parts.get("row_scales") else None,
    )


@given(
    count=st.integers(0, 30),
    seed=st.integers(0, 1000),
    parts=st.dictionaries(st.sampled_from([*FIELDS[3:], "seg_masks"]), st.booleans()),
)
def test_a_look_comes_out_as_it_went_in(count: int, seed: int, parts: dict[str, bool]) -> None:
    before = crowd(count, seed, **parts)
    look = PackedLook.of(before, START)
    after = look.detections()
    assert (after.image_hw, after.input_scale, look.captured_at) == ((720, 1280), 0.5, START)
    for name in FIELDS:
        was, now = getattr(before, name), getattr(after, name)
        assert (was is None) == (now is None), name
        if was is not None:
            np.testing.assert_array_equal(was, now)
            assert was.dtype == now.dtype
    assert (before.seg_masks is None) == (after.seg_masks is None)
    if before.seg_masks is not None and after.seg_masks is not None:
        np.testing.assert_allclose(before.seg_masks, after.seg_masks, atol=0.002)
        np.testing.assert_array_equal(before.seg_masks >= 0.5, after.seg_masks >= 0.5)


def test_the_edge_of_a_shape_stays_where_it_was() -> None:
    edge = np.float32(0.5)
    levels = np.array(
        [np.nextafter(edge, np.float32(0)), edge, np.nextafter(edge, np.float32(1))], np.float32
    )
    masks = np.resize(levels, (1, 28, 28))
    before = Detections(
        image_hw=(9, 9), boxes_xyxy=[[0, 0, 1, 1]], scores=[1], class_ids=[Category.HARD_HAT], seg_masks=masks
    )
    after = PackedLook.of(before, START).detections()
    assert after.seg_masks is not None
    np.testing.assert_array_equal(after.seg_masks >= 0.5, masks >= 0.5)


def test_a_minute_is_kept_and_no_more() -> None:
    looks = RecentLooks()
    for number in range(400):
        looks.take("gate", face(number / 5), START + number / 5)
    kept = looks.of("gate")
    assert (kept[0].captured_at, kept[-1].captured_at) == (START + 399 / 5 - 60, START + 399 / 5)
    print(f"{len(kept)} looks at one person: {looks.taken_bytes / 1000:.0f} kB")
    assert looks.taken_bytes < 300_000
    looks.keep_only(["door"])
    assert looks.of("gate") == ()
    assert looks.taken_bytes == 0


def test_crowds_do_not_take_more_than_their_room() -> None:
    looks = RecentLooks(camera_bytes=100_000, all_bytes=150_000)
    for number in range(50):
        for camera in ("gate", "door"):
            looks.take(camera, crowd(40, number, seg_masks=True), START + number / 5)
    assert looks.taken_bytes <= 150_000
    assert looks.of("gate")[-1].captured_at == START + 49 / 5
    assert 1 <= len(looks.of("door")) < 50


def test_a_clock_that_was_set_back_begins_anew() -> None:
    looks = RecentLooks()
    looks.take("gate", face(0), START)
    looks.take("gate", face(0), START - 3600)
    assert [look.captured_at for look in looks.of("gate")] == [START - 3600]
