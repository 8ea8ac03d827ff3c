"""Whose heads are looked at again, and how the inference learns of them."""

import time

from judging.site_of_one import camera_judge, face, frame

from models.structures import PersonObservation
from rules.proportions import head_from_body
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
