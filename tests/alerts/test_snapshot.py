"""Snapshots: privacy in the pixels, a budget in bytes, the same bytes for the same input, and what is drawn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer import drawing
from streamer.alerts.errors import SnapshotError
from streamer.alerts.privacy import Blur, black_out, blur_heads, heads_to_blur
from streamer.alerts.snapshot import SnapshotAnnotations, local_time_text, make_snapshot, missing_text

HW = (720, 1280)
VIOLATOR = (100.0, 200.0, 300.0, 700.0)
HEAD = (170.0, 200.0, 230.0, 270.0)
BYSTANDER = (800.0, 200.0, 1000.0, 700.0)
FACE = (870.0, 210.0, 930.0, 280.0)


def checkered(image_hw: tuple[int, int] = HW) -> np.ndarray:
    """Every pixel differs from its neighbours, so that a blur leaves nothing of the pattern."""
    y, x = np.mgrid[: image_hw[0], : image_hw[1]]
    return np.repeat((((x // 2 + y // 2) % 2) * 200 + 30).astype(np.uint8)[:, :, None], 3, axis=2)


def smooth(image_hw: tuple[int, int] = HW) -> np.ndarray:
    """A picture that JPEG keeps well."""
    y, x = np.mgrid[: image_hw[0], : image_hw[1]].astype(np.float32)
    return np.stack([x / image_hw[1] * 200, y / image_hw[0] * 200, np.full_like(x, 90)], axis=2).astype(
        np.uint8
    )


def notes(**changes) -> SnapshotAnnotations:
    values = {
        "violator_xyxy": VIOLATOR,
        "head_xyxy": HEAD,
        "missing": {"hard_hat": "missing"},
        "camera": "gate",
        "zone": "apron",
        "rule": "hard hats on the apron",
        "at": 1795245244.52,
        "timezone": "Europe/Brussels",
        "others_xyxy": [BYSTANDER],
        "faces_xyxy": [HEAD, FACE],
    }
    return SnapshotAnnotations(**{**values, **changes})


def decode(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def contrast(picture: np.ndarray, box: tuple[float, float, float, float]) -> float:
    """Mean difference of neighbouring pixels in the box."""
    x1, y1, x2, y2 = (int(value) for value in box)
    return float(np.abs(np.diff(picture[y1:y2, x1:x2].astype(np.int32), axis=1)).mean())


@pytest.mark.parametrize(
    ("blur", "violator_seen", "bystander_seen"),
    [(Blur.NONE, True, True), (Blur.BYSTANDERS, True, False), (Blur.EVERYONE, False, False)],
)
def test_faces_are_unrecognisable_as_configured(blur: Blur, violator_seen: bool, bystander_seen: bool):
    picture = decode(make_snapshot(checkered(), notes(blur=blur), max_bytes=10_000_000, quality=100))
    for box, seen in ((HEAD, violator_seen), (FACE, bystander_seen)):
        inner = (box[0] + 8, box[1] + 20, box[2] - 8, box[3] - 8)
        assert (contrast(picture, inner) > 40) == seen
        assert (contrast(picture, inner) < 10) != seen


def test_a_close_up_shows_no_more_of_a_face_than_the_picture():
    small = notes(head_xyxy=(170.0, 200.0, 200.0, 230.0), faces_xyxy=[(170.0, 200.0, 200.0, 230.0)])
    shown = decode(
        make_snapshot(checkered(), replace(small, blur=Blur.NONE), max_bytes=10_000_000, quality=100)
    )
    hidden = decode(
        make_snapshot(checkered(), replace(small, blur=Blur.EVERYONE), max_bytes=10_000_000, quality=100)
    )
    side = round(0.34 * HW[0])
    # the violator stands at the left, so the close-up is at the right
    middle = (HW[1] - side // 2 - 20, side // 2 - 20, HW[1] - side // 2 + 20, side // 2 + 20)
    assert contrast(shown, middle) > 5
    assert contrast(hidden, middle) < 2


def test_what_remains_of_a_blurred_head_does_not_depend_on_its_details():
    # two heads that differ in every pixel and agree in their coarse brightness become the same
    first, second = checkered((100, 100)), checkered((100, 100))
    second[:] = np.roll(second, 2, axis=1)
    assert np.abs(first.astype(int) - second.astype(int)).mean() > 100
    for picture in (first, second):
        blur_heads(picture, [(20.0, 20.0, 80.0, 80.0)])
    inside = np.s_[20:80, 20:80]
    assert np.abs(first[inside].astype(int) - second[inside].astype(int)).max() <= 12
    assert len(np.unique(first[inside])) < 60


def test_pixels_outside_the_heads_stay_as_they_are():
    picture, before = checkered(), checkered()
    blur_heads(picture, [FACE])
    changed = np.argwhere((picture != before).any(axis=2))
    assert changed[:, 1].min() >= FACE[0] - 15
    assert changed[:, 1].max() < FACE[2] + 15
    assert changed[:, 0].min() >= FACE[1] - 18
    assert changed[:, 0].max() < FACE[3] + 18


@given(st.tuples(*[st.floats(-400, 1700, allow_nan=False)] * 4))
@settings(max_examples=50)
def test_heads_that_reach_over_the_border_do_no_harm(corners):
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    blur_heads(checkered((90, 160)), [(x1, y1, x2, y2)])


def test_privacy_polygons_are_black_to_the_last_pixel():
    polygon = ((0.5, 0.25), (0.75, 0.25), (0.75, 0.5), (0.5, 0.5))
    frame = np.full((*HW, 3), 255, np.uint8)
    black_out(frame, [polygon])
    assert not frame[180:360, 640:960].any()
    assert frame[:178].all()
    hidden = notes(others_xyxy=(), faces_xyxy=(), privacy_polygons=[polygon])
    picture = decode(make_snapshot(checkered(), hidden, max_bytes=10_000_000, quality=100))
    assert picture[190:350, 650:900].max() < 12


def test_the_frame_itself_is_not_changed():
    frame = checkered()
    frame.setflags(write=False)
    make_snapshot(frame, notes(privacy_polygons=[((0, 0), (1, 0), (1, 1))]))
    assert np.array_equal(frame, checkered())


class TestHeadsToBlur:
    def chosen(self, policy: Blur = Blur.BYSTANDERS, **changes):
        values = {
            "faces_xyxy": [HEAD, FACE],
            "violator_xyxy": VIOLATOR,
            "violator_head_xyxy": HEAD,
            "others_xyxy": [BYSTANDER],
        }
        return heads_to_blur(policy, **{**values, **changes})

    def test_bystanders_leaves_out_the_violator_alone(self):
        assert self.chosen() == [FACE]

    def test_the_violators_face_within_the_head_is_known_as_such(self):
        face = (178.0, 215.0, 222.0, 262.0)
        assert self.chosen(faces_xyxy=[face, FACE]) == [FACE]

    def test_a_small_far_face_beside_the_violators_head_is_a_bystanders(self):
        far = (172.0, 202.0, 184.0, 216.0)
        assert far in self.chosen(faces_xyxy=[HEAD, far])

    def test_a_person_whose_face_was_not_found_is_blurred_where_it_must_be(self):
        (head,) = self.chosen(faces_xyxy=[HEAD])
        assert head[1] == BYSTANDER[1]
        assert head[3] == BYSTANDER[1] + 125
        assert BYSTANDER[0] <= head[0] < head[2] <= BYSTANDER[2]

    def test_everyone_includes_a_violator_whose_head_was_not_detected(self):
        heads = self.chosen(Blur.EVERYONE, faces_xyxy=[FACE], violator_head_xyxy=None)
        assert len(heads) == 2
        assert heads[1][1] == VIOLATOR[1]

    def test_none_blurs_nothing(self):
        assert self.chosen(Blur.NONE) == []


@pytest.mark.parametrize("max_bytes", [400_000, 100_000, 30_000, 12_000])
def test_the_budget_holds_and_quality_goes_before_size(max_bytes: int):
    rng = np.random.default_rng(1)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (*HW, 3), dtype=np.uint8), (0, 0), 1.2)
    jpeg = make_snapshot(frame, notes(), max_bytes=max_bytes)
    assert len(jpeg) <= max_bytes
    width = decode(jpeg).shape[1]
    if max_bytes == 400_000:
        assert width == 1280
    if max_bytes == 12_000:
        assert 160 <= width < 640


def test_a_budget_that_nothing_fits_into_is_an_error():
    with pytest.raises(SnapshotError, match="500 bytes"):
        make_snapshot(checkered(), notes(), max_bytes=500)


def test_the_same_input_gives_the_same_bytes():
    first = make_snapshot(smooth((1080, 1920)), notes())
    assert make_snapshot(smooth((1080, 1920)), notes()) == first
    assert make_snapshot(smooth((1080, 1920)), notes(camera="gate2")) != first


@pytest.mark.parametrize(
    "image_hw", [(2160, 3840), (1080, 1920), (360, 640), (640, 360), (96, 96), (40, 600)]
)
def test_every_size_of_picture_gets_a_readable_caption_below_it(image_hw: tuple[int, int]):
    frame = smooth(image_hw)
    small = notes(
        violator_xyxy=(0, 0, image_hw[1] / 2, image_hw[0]), head_xyxy=None, others_xyxy=(), faces_xyxy=()
    )
    picture = decode(make_snapshot(frame, small))
    scale = min(1.0, 1280 / max(image_hw))
    assert picture.shape[1] == round(image_hw[1] * scale)
    band = picture[round(image_hw[0] * scale) :]
    assert band.shape[0] >= 30
    # dark ground, light letters
    assert np.median(band) < 60
    assert band.max() > 200


def test_the_box_is_drawn_where_the_violator_is():
    picture = decode(make_snapshot(smooth(), notes(), max_bytes=1_000_000, quality=95)).astype(int)
    red = (picture[:, :, 0] > 180) & (picture[:, :, 1] < 90) & (picture[:, :, 2] < 90)
    rows, columns = np.nonzero(red[:720, :600])
    assert abs(columns.min() - VIOLATOR[0]) <= 4
    assert abs(rows.max() - VIOLATOR[3]) <= 4
    incorrect = decode(
        make_snapshot(smooth(), notes(missing={"face_mask": "incorrect"}), max_bytes=1_000_000)
    )
    left = incorrect[300:600, int(VIOLATOR[0])].mean(axis=0)
    assert left[0] > 180
    assert 120 < left[1] < 220


def test_boxes_beyond_the_border_do_no_harm():
    wild = notes(violator_xyxy=(-500.0, -300.0, 5000.0, 4000.0), head_xyxy=(-50.0, -60.0, 10.0, 20.0))
    assert make_snapshot(smooth(), wild)


def test_words_for_what_is_missing():
    assert missing_text({"hard_hat": "missing"}) == "Hard hat missing"
    assert missing_text({"face_mask": "incorrect"}) == "Face mask worn incorrectly"
    assert missing_text({"hard_hat": "missing", "face_mask": "incorrect"}) == (
        "Hard hat missing, face mask worn incorrectly"
    )


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (1795245244.52, "Europe/Brussels", "2026-11-21 08:14:04 CET"),
        (1782000000.0, "Europe/Brussels", "2026-06-21 02:00:00 CEST"),
        (1795245244.52, "UTC", "2026-11-21 07:14:04 UTC"),
        (1795245244.52, "America/Sao_Paulo", "2026-11-21 04:14:04 UTC-03"),
        (1795245244.52, "Asia/Kolkata", "2026-11-21 12:44:04 IST"),
        # the hour that comes twice is told by its zone
        (1792888200.0, "Europe/Brussels", "2026-10-25 02:30:00 CEST"),
        (1792891800.0, "Europe/Brussels", "2026-10-25 02:30:00 CET"),
    ],
)
def test_the_time_is_the_sites_own(at: float, zone: str, text: str):
    assert local_time_text(at, zone) == text


class TestDrawing:
    @pytest.mark.parametrize("text", ["Größe Łódź", "Шлем", "Ελλάδα", "安全帽", "ヘルメット", "한국어"])
    def test_letters_of_many_scripts_are_drawn_and_not_replaced(self, text: str):
        def drawn(written: str) -> np.ndarray:
            picture = np.zeros((60, 400, 3), np.uint8)
            drawing.draw_text(picture, written, left=5, top=5, text_px=40)
            return picture

        assert not np.array_equal(drawn(text), drawn("?" * len(text)))
        assert drawn(text).max() > 200

    @given(st.text(max_size=60), st.integers(0, 300))
    @settings(max_examples=60, deadline=None)
    def test_fitted_text_fits(self, text: str, width_px: int):
        fitted = drawing.fit_text(text, width_px=width_px, text_px=16)
        assert fitted == "" or drawing.text_width(fitted, text_px=16) <= width_px

    def test_control_characters_do_not_reach_the_picture(self):
        picture = np.zeros((60, 400, 3), np.uint8)
        plain = picture.copy()
        drawing.draw_text(picture, "a\n\tb\x00", left=5, top=5, text_px=40)
        drawing.draw_text(plain, "a b", left=5, top=5, text_px=40)
        assert np.array_equal(picture, plain)

    def test_labels_stay_inside_the_picture(self):
        picture = smooth((200, 300))
        boxes = [
            drawing.LabelledBox((280.0, -10.0, 320.0, 190.0), "hard hat missing", drawing.RED),
            drawing.LabelledBox((-40.0, 150.0, 20.0, 260.0), "face mask", drawing.GREEN, thin=True),
        ]
        drawing.draw_boxes(picture, boxes)
        plates = (picture == drawing.RED).all(axis=2).sum(), (picture == drawing.GREEN).all(axis=2).sum()
        assert min(plates) > 300
