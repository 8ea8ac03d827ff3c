"""From a judged frame to what a screen shows of it."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from models.structures import Detections
from rules import Track
from streamer.alerts.errors import SnapshotError
from streamer.alerts.privacy import Blur, heads_to_blur, made_private
from streamer.frame import Frame
from streamer.judging.shown import bodies_shown, heads_shown
from streamer.judging.view import CameraView
from streamer.live.look import Box, LiveGear, LiveLook, LivePerson, LivePicture

#: Longest side of the pictures in pixels: a wall of cameras on a desk's screen, or one on a phone's.
LONGEST_SIDE_PX: Final = 640
_QUALITY: Final = 75


def draw_live(frame: Frame, detections: Detections, tracks: Sequence[Track], view: CameraView) -> LivePicture:
    """The picture and the people of whom a rule asks something, as the rules have just left them.

    Privacy polygons are black and, unless the camera blurs nobody, every head is made unrecognisable: on a live picture
    all are bystanders. Raises ``SnapshotError`` when the picture cannot be encoded.
    """
    height, width = frame.image_hw
    scale = min(1.0, LONGEST_SIDE_PX / max(height, width))
    shown_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    hidden: list[Box] = []
    if view.snapshots.blur is not Blur.NONE:
        ratio_xy = (shown_hw[1] / width, shown_hw[0] / height)
        heads = heads_to_blur(
            Blur.EVERYONE,
            faces_xyxy=heads_shown(detections),
            violator_xyxy=None,
            violator_head_xyxy=None,
            others_xyxy=[track.observation.box_xyxy for track in _seen(tracks, frame)],
            bodies_xyxy=bodies_shown(detections),
        )
        hidden = [_scaled(box, ratio_xy) for box in heads]
    rgb = made_private(frame.rgb(shown_hw), heads_xyxy=hidden, polygons=view.privacy_polygons)
    done, jpeg = cv2.imencode(
        ".jpg", np.ascontiguousarray(rgb[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    if not done:
        raise SnapshotError("the picture cannot be encoded as JPEG")
    relative = (1 / width, 1 / height)
    people = tuple(
        _person(track, relative, detections.input_scale)
        for track in _seen(tracks, frame)
        if track.is_relevant and not track.is_static
    )
    look = LiveLook(
        camera=frame.camera_id, at=frame.captured_at, width=shown_hw[1], height=shown_hw[0], people=people
    )
    return LivePicture(look, jpeg.tobytes())


def _seen(tracks: Sequence[Track], frame: Frame) -> list[Track]:
    return [track for track in tracks if track.last_seen_at == frame.captured_at]


def _person(track: Track, relative_xy: tuple[float, float], input_scale: float) -> LivePerson:
    observation = track.observation
    head = observation.head_xyxy
    return LivePerson(
        track_id=track.track_id,
        box_xyxy=_scaled(observation.box_xyxy, relative_xy),
        head_xyxy=None if head is None else _scaled(head, relative_xy),
        head_px=None if head is None else (head[3] - head[1]) * input_scale,
        gear={
            str(gear): LiveGear(state=str(verdict.state), score=verdict.score, reason=verdict.reason)
            for gear, verdict in track.gear.items()
        },
        zones=track.zones,
        alert=bool(track.violation_ids),
    )


def _scaled(box: Box, ratio_xy: tuple[float, float]) -> Box:
    return (box[0] * ratio_xy[0], box[1] * ratio_xy[1], box[2] * ratio_xy[0], box[3] * ratio_xy[1])
