"""The shipped detector sees the demo clip as it is meant: who is bare-faced, and who wears a mask."""

import av
import pytest

from models.errors import WeightsError
from models.letterbox import input_hw_for
from models.loading import load_default_detector, weights_paths
from models.pictures import ArrayPicture
from models.structures import Category
from rules import Tuning
from streamer.demo.scene import SCENE_HW
from streamer.demo.site import CLIP

BARE, WORN = Category.FACE_WITHOUT_MASK, Category.FACE_WITH_MASK

#: Seconds into the clip, and what the faces from left to right are.
TRUTH = {
    0.0: [],
    3.0: [BARE],
    5.0: [BARE],
    7.0: [BARE, WORN],
    8.0: [BARE, WORN],
    10.5: [WORN, WORN],
    12.0: [WORN, WORN],
    16.0: [],
    20.0: [WORN],
    22.0: [WORN],
    24.0: [WORN],
}


def test_bare_faces_and_drawn_masks_are_told_apart_with_certainty() -> None:
    try:
        weights_paths()
    except WeightsError as error:
        pytest.skip(f"needs the shipped weights: {error}")
    # what may start a track; what is less sure is no person by itself
    detector = load_default_detector(
        device="cpu", score_threshold=Tuning().start_score, models=["retinaface"]
    )
    input_hw = input_hw_for(SCENE_HW, 960)
    with av.open(str(CLIP)) as container:
        for frame in container.decode(video=0):
            expected = TRUTH.get(round(float(frame.time), 3))
            if expected is None:
                continue
            (seen,) = detector.detect([ArrayPicture(frame.to_ndarray(format="rgb24"))], input_hw)
            order = seen.boxes_xyxy[:, 0].argsort()
            assert [Category(class_id) for class_id in seen.class_ids[order]] == expected, frame.time
            if expected:
                assert seen.face_mask_probs is not None
                assert (seen.face_mask_probs.max(axis=1) > 0.8).all(), frame.time
