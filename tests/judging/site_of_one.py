"""One camera whose rule asks for a face mask, and frames with one face, for the tests of this folder."""

import numpy as np

from models.pictures import ArrayPicture
from models.structures import Category, Detections, Gear
from rules import CameraEngine, Rule
from streamer.frame import Frame
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.view import CameraView, SnapshotStyle

IMAGE_HW = (360, 640)
START = 1_700_000_000.0


def camera_judge(**style) -> CameraJudge:
    engine = CameraEngine(
        "gate",
        zones=[],
        rules=[Rule("masks", (Gear.FACE_MASK,), dwell_s=1.0, clear_s=1.0, cooldown_s=0.0)],
        timezone="UTC",
    )
    view = CameraView(
        camera_id="gate",
        site="yard",
        topic_prefix="ppewatch/yard",
        config_revision="sha256:abc",
        snapshots=SnapshotStyle(timezone="Europe/Brussels", **style),
        severities={"masks": "detection"},
    )
    judge = CameraJudge(engine, view, new_alert_id=lambda violation: violation.violation_id.replace("/", "-"))
    judge.model_digests = {"retinaface": "sha256:1"}
    return judge


def frame(at_s: float, *, camera_id: str = "gate", mono_s: float = 0.0) -> Frame:
    pixels = np.full((*IMAGE_HW, 3), 90, np.uint8)
    return Frame(camera_id, round(at_s * 5), at_s, START + at_s, mono_s, ArrayPicture(pixels))


def face(at_s: float, *, bare: bool = True) -> Detections:
    """A face of 60 pixels that walks to the right."""
    x = 200.0 + 20 * at_s
    probs = [[0.02, 0.97, 0.01]] if bare else [[0.97, 0.02, 0.01]]
    landmarks = [[[x + 16, 120], [x + 34, 120], [x + 25, 132], [x + 17, 145], [x + 33, 145]]]
    return Detections(
        image_hw=IMAGE_HW,
        boxes_xyxy=[[x, 100, x + 50, 160]],
        scores=[0.99],
        class_ids=[Category.FACE_WITHOUT_MASK if bare else Category.FACE_WITH_MASK],
        input_scale=2.0,
        landmarks_xy=landmarks,
        face_mask_probs=probs,
        sharpness=[1.0],
    )
