"""Holds back the looks at a camera in whose picture nothing moves. Why so: docs/adr/0072-motion-gate.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import PictureError
from models.structures import Picture
from streamer.attention import Attention
from streamer.frame import Frame
from streamer.ingest.motion import MotionDetector
from streamer.ingest.video_picture import VideoPicture

#: Longest side of the picture in which motion is sought: a person of 60 pixels in 1080p has 5 there.
_GREY_LONGEST_PX: Final = 160

#: Frames that come as often as the forced looks jitter: none is to wait for the one after it.
_TOLERANCE_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionPolicy:
    """When a look may be held back.

    - ``min_area``: part of the picture that has to change to count as motion.
    - ``hold_s``: every look that is due happens for so long after the last motion.
    - ``look_every_s``: at least one look in this time, whatever moves: so people who stand still are found.
    """

    min_area: float
    hold_s: float
    look_every_s: float


class MotionGate:
    """Decides for the frames of one connection, in their order, by their ``captured_at``; one thread only.

    ``attention`` is the judging's word that nothing may be held back.
    """

    def __init__(self, policy: MotionPolicy, attention: Attention) -> None:
        self._policy = policy
        self._attention = attention
        self._detector = MotionDetector()
        self._moved_s = float("-inf")
        self._passed_s = float("-inf")

    def passes(self, frame: Frame) -> bool:
        """Whether this frame, which is due, is to be looked at.

        Every frame takes part in the background. A picture that cannot be read passes: the look says why.
        """
        now_s = frame.captured_at
        try:
            moves = self._detector.changed_share(_grey(frame.picture), now_s) >= self._policy.min_area
        except PictureError:
            return True
        if moves:
            self._moved_s = now_s
        passes = (
            self._attention.wanted
            or now_s - self._moved_s <= self._policy.hold_s
            or now_s - self._passed_s >= self._policy.look_every_s - _TOLERANCE_S
        )
        if passes:
            self._passed_s = now_s
        return passes


def motion_gates(policy: MotionPolicy, attention: Attention) -> Callable[[], MotionGate]:
    """Makes a gate for each connection of a camera: another connection may show another scene."""
    return lambda: MotionGate(policy, attention)


def _grey(picture: Picture) -> NDArray[np.uint8]:
    """The picture in grey, uint8 (h, w), its longest side 160 pixels; without RGB where it is video."""
    height, width = picture.image_hw
    scale = _GREY_LONGEST_PX / max(height, width)
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    if isinstance(picture, VideoPicture):
        return picture.grey(size_hw)
    return np.asarray(cv2.cvtColor(picture.rgb(size_hw), cv2.COLOR_RGB2GRAY), np.uint8)
