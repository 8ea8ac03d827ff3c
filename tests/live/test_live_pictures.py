"""Live pictures: drawn only while somebody watches, without a face, with what the rules say of each person."""

import cv2
import numpy as np
import pytest
from judging.site_of_one import IMAGE_HW, camera_judge, face, frame

from models.pictures import ArrayPicture
from streamer.alerts.privacy import Blur
from streamer.frame import Frame
from streamer.judging.view import CameraView, SnapshotStyle
from streamer.live.desk import LiveDesk
from streamer.live.drawing import LONGEST_SIDE_PX, draw_live


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def judged(until_s: float = 3.0, **style):
    """A camera whose rule has been broken for a while: its latest frame, what was seen, the people, its view."""
    judge = camera_judge(**style)
    for number in range(round(until_s * 5) + 1):
        seen = frame(number / 5), face(number / 5)
        judge.look(*seen)
    return *seen, judge.tracks, judge.view


def noise(at_s: float) -> Frame:
    pixels = np.random.default_rng(0).integers(0, 256, (*IMAGE_HW, 3), np.uint8)
    plain = frame(at_s)
    return Frame("gate", 0, at_s, plain.captured_at, 0.0, ArrayPicture(pixels))


def decoded(picture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)


def test_a_look_tells_what_the_rules_say_of_each_person():
    look = draw_live(*judged()).look
    assert (look.camera, look.width, look.height) == ("gate", 640, 360)
    (person,) = look.people
    assert person.alert
    assert person.gear["face_mask"].state == "missing"
    assert person.gear["face_mask"].reason
    # the head of 60 pixels or a little more is twice as tall at the network's input
    assert person.head_px == pytest.approx(2 * (person.head_xyxy[3] - person.head_xyxy[1]) * IMAGE_HW[0])
    assert person.head_px > 100
    x1, y1, x2, y2 = person.box_xyxy
    assert 0 <= x1 < x2 <= 1
    assert y1 < person.head_xyxy[3] <= y2


def test_nobody_can_be_recognised_and_private_parts_are_black():
    view = CameraView(
        camera_id="gate", site="yard", topic_prefix="p", config_revision="r",
        privacy_polygons=(((0.8, 0.0), (1.0, 0.0), (1.0, 0.5), (0.8, 0.5)),),
    )  # fmt: skip
    _, detections, tracks, _ = judged()
    pixels = decoded(draw_live(noise(3.0), detections, tracks, view)).astype(float)
    x1, y1, x2, y2 = (round(float(value)) for value in detections.boxes_xyxy[0])
    # noise is rough everywhere, but where a head is only a few mean values are left
    assert np.abs(np.diff(pixels[y1:y2, x1:x2], axis=1)).mean() < 6
    assert np.abs(np.diff(pixels[200:300, 20:120], axis=1)).mean() > 15
    assert pixels[10:150, 530:630].max() < 40


def test_a_camera_that_blurs_nobody_shows_faces():
    _, detections, tracks, _ = judged()
    view = CameraView(
        camera_id="gate", site="yard", topic_prefix="p", config_revision="r",
        snapshots=SnapshotStyle(blur=Blur.NONE),
    )  # fmt: skip
    pixels = decoded(draw_live(noise(3.0), detections, tracks, view)).astype(float)
    x1, y1, x2, y2 = (round(float(value)) for value in detections.boxes_xyxy[0])
    assert np.abs(np.diff(pixels[y1:y2, x1:x2], axis=1)).mean() > 15


def test_large_pictures_are_made_small_and_small_ones_stay():
    seen, detections, tracks, view = judged()
    large = Frame("gate", 0, 0.0, seen.captured_at, 0.0, ArrayPicture(np.zeros((720, 1280, 3), np.uint8)))
    assert decoded(draw_live(large, detections, tracks, view)).shape == (360, LONGEST_SIDE_PX, 3)
    small = Frame("gate", 0, 0.0, seen.captured_at, 0.0, ArrayPicture(np.zeros((120, 160, 3), np.uint8)))
    assert decoded(draw_live(small, detections, tracks, view)).shape == (120, 160, 3)


def test_people_who_are_not_in_the_frame_are_not_shown():
    seen, detections, tracks, view = judged()
    later = Frame("gate", 99, 9.0, seen.captured_at + 0.2, 0.0, seen.picture)
    assert draw_live(later, detections, tracks, view).look.people == ()


def test_nothing_is_drawn_for_nobody(clock):
    desk = LiveDesk(clock=clock)
    look = judged()
    desk.take(*look)
    assert desk.watch("gate") is None
    desk.take(*look)
    assert desk.watch("gate").look.camera == "gate"
    assert desk.watch("yard") is None


def test_pictures_come_no_faster_than_a_screen_needs_them(clock):
    desk = LiveDesk(clock=clock)
    desk.watch("gate")
    drawn = 0
    for _ in range(50):
        before = desk.watch("gate")
        desk.take(*LOOK)
        drawn += desk.watch("gate") is not before
        clock.now += 0.1
    assert 10 <= drawn <= 13


def test_a_camera_that_nobody_asks_for_any_more_is_let_go(clock):
    desk = LiveDesk(clock=clock)
    desk.watch("gate")
    desk.take(*LOOK)
    clock.now += 30
    assert not desk.wants("gate")
    # its old picture is gone with it
    assert desk.watch("gate") is None
    desk.take(*LOOK)
    desk.keep_only(["yard"])
    assert desk.watch("gate") is None


def test_a_picture_of_long_ago_is_not_shown_to_whoever_comes_back(clock):
    # the camera delivered nothing meanwhile, so nobody took its picture away
    desk = LiveDesk(clock=clock)
    desk.watch("gate")
    desk.take(*LOOK)
    clock.now += 9
    assert desk.watch("gate") is not None
    clock.now += 30
    assert desk.watch("gate") is None


LOOK = judged()
