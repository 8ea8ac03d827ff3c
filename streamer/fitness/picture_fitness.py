"""A camera's pictures, one by one, and what they say of its fitness."""

from collections import Counter, deque
from collections.abc import Collection, Iterator
from typing import Final

import cv2
import numpy as np

from streamer.fitness.findings import Code
from streamer.fitness.focus import Focus
from streamer.fitness.hysteresis import Hysteresis
from streamer.fitness.limits import LIMITS
from streamer.fitness.liveliness import Liveliness
from streamer.fitness.measures import Field, Grey, Light, blur_px, light_of, orientations
from streamer.fitness.view import LearnedView, ViewChange, ViewMatch

#: Longest side of the picture in which edges, light and changes are sought; blur needs the examined one itself.
SMALL_PX: Final = 160
#: Longest side of the picture that is examined. Larger shows finer blur and costs more.
EXAMINED_PX: Final = 640

#: Codes that pictures tell, in the order in which one excuses the others.
PICTURE_CODES: Final = (Code.FROZEN, Code.DARK, Code.BRIGHT, Code.COVERED, Code.MOVED, Code.DEFOCUSED)

#: A picture without edges whose light differs by less than this is of nothing, whatever was learned.
_PLAIN_LEVELS: Final = 25.0
_PLAIN_EDGES: Final = 0.01

#: So many pictures vote on what became of the view.
_VOTES: Final = 9

#: Pictures farther apart than this say nothing of the time between them.
_LONGEST_STEP_S: Final = 5.0


class PictureFitness:
    """Follows one camera. Times are seconds of any one clock; not thread-safe.

    ``examine`` about once a second; ``frozen_after_s``: see ``limits.FROZEN_AFTER_S``; ``ignored``: not looked for.
    """

    def __init__(self, *, frozen_after_s: float, ignored: Collection[Code] = ()) -> None:
        self._followed = {code: Hysteresis(LIMITS[code]) for code in PICTURE_CODES if code not in ignored}
        self._view = LearnedView()
        self._focus = Focus()
        self._liveliness = Liveliness(window_s=frozen_after_s)
        self._votes: deque[ViewChange] = deque(maxlen=_VOTES)
        self._shift_xy: tuple[float, float] | None = None
        self._last_s: float | None = None

    @property
    def knows_view(self) -> bool:
        """Whether the usual view has been learned."""
        return self._view.is_known

    @property
    def shift_xy(self) -> tuple[float, float] | None:
        """By how much of its width and height a view that moved was found moved, if it was found."""
        return self._shift_xy

    def connected(self, at_s: float) -> None:
        """The pictures that follow come from a new connection."""
        self._liveliness.forget_picture(at_s)
        self._last_s = None

    def learn_anew(self) -> None:
        """What is seen from now on is what this camera is to show."""
        self._view.forget()
        self._focus.forget()
        self._votes.clear()
        for follower in self._followed.values():
            follower.reset()

    def followed(self) -> Iterator[tuple[Code, Hysteresis]]:
        """The codes that are looked for, with how they stand."""
        return iter(self._followed.items())

    def examine(self, grey: Grey, at_s: float) -> None:
        """Take the next picture, uint8 (h, w), its longest side ``EXAMINED_PX`` (or less, where the camera's is)."""
        passed_s = min(max(at_s - self._last_s, 0.0), _LONGEST_STEP_S) if self._last_s is not None else 0.0
        self._last_s = at_s
        small = shrunk(grey)
        light = light_of(small)
        self._update(Code.DARK, light.high, at_s)
        self._update(Code.BRIGHT, light.white, at_s)
        share = self._liveliness.living_share(_exactly_shrunk(grey), at_s)
        self._update(Code.FROZEN, share, at_s)
        if self._is_blind(light):
            for code in (Code.COVERED, Code.MOVED, Code.DEFOCUSED):
                self._update(code, None, at_s)
            return
        field = orientations(small)
        match = self._view.match(field)
        if match is None or match.is_here:
            # what is before the lens is never in focus
            self._look_at_focus(grey, passed_s, at_s)
        self._look_at_view(field, match, light, passed_s, at_s)

    def _is_blind(self, light: Light) -> bool:
        """Whether it is too dark or bright to say anything of what is seen."""
        dark, bright = LIMITS[Code.DARK], LIMITS[Code.BRIGHT]
        return not dark.is_good(light.high) or not bright.is_good(light.white)

    def _look_at_focus(self, grey: Grey, passed_s: float, at_s: float) -> None:
        blur = blur_px(grey)
        focus = self._followed.get(Code.DEFOCUSED)
        if focus is None or self._is_on(Code.COVERED) or self._is_on(Code.MOVED):
            return
        self._update(Code.DEFOCUSED, None if blur is None else self._focus.ratio(blur, passed_s), at_s)

    def _look_at_view(
        self, field: Field, match: ViewMatch | None, light: Light, passed_s: float, at_s: float
    ) -> None:
        if light.high - light.low < _PLAIN_LEVELS and np.mean(field != 0) < _PLAIN_EDGES:
            self._votes.append(ViewChange.COVERED)
            self._tell_view(ViewChange.COVERED, 1.0, at_s)
            return
        if match is None:
            if not self._view.is_known or self._view_is_well():
                self._view.learn(field, passed_s)
            return
        if match.is_here and (self._is_on(Code.DEFOCUSED) or self._is_turning(Code.DEFOCUSED)):
            # edges that are blurred are weaker, and no example
            return
        self._votes.append(match.change)
        change = Counter(self._votes).most_common(1)[0][0]
        if match.change is ViewChange.MOVED:
            self._shift_xy = match.shift_xy
        self._tell_view(change, match.gone, at_s)
        if match.change in (ViewChange.NONE, ViewChange.OTHER_LIGHT):
            self._view.learn(field, passed_s, is_other_light=match.change is ViewChange.OTHER_LIGHT)

    def _tell_view(self, change: ViewChange, gone: float, at_s: float) -> None:
        """One of the two is told; what was told stays so until the view is back."""
        for code, reason in ((Code.COVERED, ViewChange.COVERED), (Code.MOVED, ViewChange.MOVED)):
            other = Code.MOVED if code is Code.COVERED else Code.COVERED
            if self._is_on(code):
                self._update(code, 0.0 if change is ViewChange.OTHER_LIGHT else gone, at_s)
            else:
                self._update(code, gone if change is reason and not self._is_on(other) else 0.0, at_s)

    def _view_is_well(self) -> bool:
        return not any(
            self._is_on(code) or self._is_turning(code) for code in (Code.COVERED, Code.MOVED, Code.DEFOCUSED)
        )

    def _update(self, code: Code, value: float | None, at_s: float) -> None:
        follower = self._followed.get(code)
        if follower is not None:
            follower.update(value, at_s)

    def _is_on(self, code: Code) -> bool:
        return code in self._followed and self._followed[code].is_on

    def _is_turning(self, code: Code) -> bool:
        return code in self._followed and self._followed[code].is_turning


def shrunk(grey: Grey) -> Grey:
    """The picture with ``SMALL_PX`` as its longest side."""
    return np.asarray(cv2.resize(grey, _small_size(grey), interpolation=cv2.INTER_AREA), np.uint8)


def _exactly_shrunk(grey: Grey) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(
        cv2.resize(grey.astype(np.float32), _small_size(grey), interpolation=cv2.INTER_AREA), np.float32
    )


def _small_size(grey: Grey) -> tuple[int, int]:
    height, width = grey.shape
    scale = SMALL_PX / max(height, width)
    return max(8, round(width * scale)), max(5, round(height * scale))
