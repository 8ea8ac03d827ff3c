"""Whose heads are looked at again, and how the inference learns of them."""

import time

from judging.site_of_one import camera_judge, face, frame

from models.structures import Category, Detections, PersonObservation
from rules.proportions import head_from_body, head_from_face
from rules.track import Track, TrackState
from streamer.followed import FollowedHeads
from streamer.inference.results import InferenceResult, LookTimings, ResultQueue
from streamer.judging.heads_to_follow import heads_to_follow
from streamer.judging.judge import Judge
from streamer.service.heartbeats import Heartbeats

BODY, HEAD = (100.0, 100.0, 150.0, 300.0), (115.0, 100.0, 135.0, 126.0)


def track(track_id: int, *, head=HEAD, state=TrackState.CONFIRMED, **fields) -> Track:
    return Track("gate", track_id, state, 0.0, 1.0, PersonObservation(BODY, head, 0.9), **fields)


def test_heads_of_those_of_whom_something_is_asked_and_of_newcomers():
    tracks = [
        track(1, is_relevant=True),
        track(2),
        track(3, state=TrackState.TENTATIVE),
        track(4, is_relevant=True, is_static=True),
        track(5, is_relevant=True, head=None),
        track(6, is_relevant=True, state=TrackState.LOST),
    ]
    found = heads_to_follow(tracks)
    assert set(found) == {1, 3, 5, 6}
    assert found[1] == HEAD
    assert found[5] == head_from_body(BODY), "a head that was not seen is sought where it must be"


def test_what_may_be_a_head_is_named_once_and_where_no_track_is():
    boxes = {
        Category.FACE_WITHOUT_MASK: (300.0, 100.0, 320.0, 124.0),
        Category.BARE_HEAD: (298.0, 92.0, 322.0, 125.0),
        Category.PERSON: (400.0, 100.0, 450.0, 300.0),
        Category.HARD_HAT: (500.0, 100.0, 520.0, 120.0),
        Category.FACE_MASK: (600.0, 100.0, 620.0, 120.0),
        Category.HAT: HEAD,
    }
    scores = [0.3, 0.25, 0.45, 0.4, 0.9, 0.5]
    seen = Detections((1080, 1920), list(boxes.values()), scores, [int(kind) for kind in boxes])
    found = heads_to_follow([track(7, is_relevant=True)], seen)
    assert list(found) == [7, 0, -1, -2]
    assert found[0] == head_from_body(boxes[Category.PERSON])
    assert found[-1] == boxes[Category.HARD_HAT]
    assert found[-2] == head_from_face(boxes[Category.FACE_WITHOUT_MASK]), "the bare head is the same"
    assert set(heads_to_follow([track(7, is_static=True)], seen)) == {0, -1, -2}, (
        "static things are not looked at"
    )


def test_the_judge_tells_where_the_heads_are_after_each_look():
    heads, results = FollowedHeads(), ResultQueue()
    judge = Judge(
        results=results,
        on_alert=lambda alert: None,
        model_digests=dict,
        pulse=Heartbeats().add("rules"),
    )
    judge.set_camera("gate", camera_judge(), heads=heads)
    judge.start()
    try:
        for number in range(4):
            seen = face(number / 5)
            results.put(InferenceResult(frame(number / 5), seen, LookTimings(0.0, 0.0, 1, 0.0)))
            until = time.monotonic() + 5
            while time.monotonic() < until and not _on(heads, seen.boxes_xyxy[0]):
                time.sleep(0.005)
            assert _on(heads, seen.boxes_xyxy[0]), "the head around the face that was just seen"
    finally:
        judge.stop()


def _on(heads: FollowedHeads, face_xyxy) -> bool:
    boxes = list(heads.boxes.values())
    return len(boxes) == 1 and boxes[0][0] <= face_xyxy[0] + 1 and boxes[0][2] >= face_xyxy[2] - 1
