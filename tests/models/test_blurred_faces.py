"""Faces of the demo clip are found, and no more once they are blurred and encoded as published."""

import av
import cv2
import numpy as np
import pytest

from models.errors import WeightsError
from models.letterbox import input_hw_for
from models.loading import load_default_detector, weights_paths
from models.pictures import ArrayPicture
from models.structures import Detections
from streamer.alerts.privacy import Blur
from streamer.alerts.snapshot import SnapshotAnnotations, make_snapshot
from streamer.demo.site import CLIP
from streamer.judging.shown import heads_shown

SECONDS = (7.0, 10.5)
#: At the size of the frame and at the most quality: the blur alone has to hide.
FULL = {"max_bytes": 10_000_000, "longest_side_px": 4096, "quality": 100}


def frames_at(seconds: tuple[float, ...]) -> list[np.ndarray]:
    found, wanted = [], list(seconds)
    with av.open(str(CLIP)) as clip:
        for frame in clip.decode(video=0):
            if wanted and frame.time >= wanted[0]:
                found.append(frame.to_ndarray(format="rgb24"))
                wanted.pop(0)
    return found


def published(frame: np.ndarray, seen: Detections, blur: Blur) -> np.ndarray:
    """The picture of the snapshot, as a subscriber decodes it, without the caption below it."""
    height, width = frame.shape[:2]
    notes = SnapshotAnnotations(
        violator_xyxy=(0.0, 0.0, width, height),
        missing={},
        camera="gate",
        rule="masks",
        at=0.0,
        timezone=None,
        faces_xyxy=heads_shown(seen),
        # no close-up, which would lie on the picture
        head_xyxy=(0.0, 0.0, width, height),
        blur=blur,
    )
    jpeg = make_snapshot(frame, notes, **FULL)
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:height, :, ::-1].copy()


def test_blurred_faces_are_not_found_again():
    try:
        weights_paths()
    except WeightsError as error:
        pytest.skip(f"needs the shipped weights: {error}")
    detector = load_default_detector(device="cpu", score_threshold=0.3, models=["retinaface"])
    frames = frames_at(SECONDS)
    input_hw = input_hw_for(frames[0].shape[:2], 1280)

    def look(pictures: list[np.ndarray]) -> list[Detections]:
        return [detector.detect([ArrayPicture(picture)], input_hw)[0] for picture in pictures]

    first = look(frames)
    faces = [len(seen) for seen in first]
    assert sum(faces) >= 4
    # the way through the snapshot alone costs no face
    shown = look([published(frame, seen, Blur.NONE) for frame, seen in zip(frames, first, strict=True)])
    assert [len(seen) for seen in shown] == faces
    hidden = look([published(frame, seen, Blur.EVERYONE) for frame, seen in zip(frames, first, strict=True)])
    assert [len(seen) for seen in hidden] == [0] * len(frames)
