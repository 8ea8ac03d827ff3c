"""Whether enough frames come: as many as the rules want, or as the camera gives when it is well."""

from math import exp
from typing import Final

#: A drop to this part of what was usual is told even where the rules want less. At night cameras expose for longer and
#: halve their rate, some twice; that is no defect.
_USUAL_PART: Final = 0.25
_FOLLOW_S: Final = 3600.0


class FrameRate:
    """Compares frames per second that come with those that are wanted and those that were usual."""

    def __init__(self, wanted_fps: float) -> None:
        self._wanted_fps = wanted_fps
        self._usual_fps: float | None = None

    def share(self, fps: float, declared_fps: float | None, passed_s: float) -> float:
        """Frames that come over those that are needed; 1 is enough.

        Needed are the wanted ones, but no more than the camera declares: a camera of 4 a second that is looked at 5
        times is as well as it can be. ``passed_s``: the time since the last time this was asked.
        """
        needed = min(self._wanted_fps, declared_fps) if declared_fps else self._wanted_fps
        if self._usual_fps is None:
            self._usual_fps = max(fps, declared_fps or 0.0)
        share = min(fps / needed, fps / max(_USUAL_PART / 0.6 * self._usual_fps, 1e-6))
        if share > 0.8:
            self._usual_fps += (1 - exp(-passed_s / _FOLLOW_S)) * (fps - self._usual_fps)
        return share
