"""Frames that the models fail on although they are well: whose fault is that?"""

from collections import deque
from collections.abc import Collection
from enum import Enum, auto
from typing import Final

#: This many frames at fault within the window: it is not single frames.
_LIMIT: Final = 8
_WINDOW_S: Final = 60.0


class Blame(Enum):
    """What many frames at fault say."""

    NOBODY = auto()
    MODELS = auto()
    CAMERAS = auto()


class PoisonWatch:
    """Who is to blame for frames at fault. Times are monotonic seconds, passed in.

    Eight within a minute put the models under suspicion: a part of them that a blank picture does not reach, say the
    classifier of faces, may be what is broken. Where newly built ones fail as well, on pictures of some cameras and not
    on those of others, it is the pictures: these cameras are set aside and tried every ``try_every_s``, and the
    others are looked at. A look that succeeds takes a camera back.
    """

    def __init__(self, *, try_every_s: float = 10.0) -> None:
        self._try_every_s = try_every_s
        self._failed: deque[tuple[float, str]] = deque()
        self._fine: set[str] = set()
        self._suspected_s: float | None = None
        self._try_at_s: dict[str, float] = {}

    @property
    def aside(self) -> tuple[str, ...]:
        """The cameras that are set aside."""
        return tuple(sorted(self._try_at_s))

    def built(self) -> None:
        """The models are others now."""
        self._failed.clear()
        self._fine.clear()

    def may_try(self, camera_id: str, now_s: float) -> bool:
        """Whether to look at a frame of this camera; for one that is set aside this is its try."""
        try_at_s = self._try_at_s.get(camera_id)
        if try_at_s is None:
            return True
        if now_s < try_at_s:
            return False
        self._try_at_s[camera_id] = now_s + self._try_every_s
        return True

    def fine(self, camera_id: str) -> bool:
        """A look succeeded; whether that took the camera back."""
        self._fine.add(camera_id)
        return self._try_at_s.pop(camera_id, None) is not None

    def failed(self, camera_id: str, now_s: float) -> Blame:
        """The models failed on a frame of this camera alone: CAMERAS where some are newly set aside for it."""
        if camera_id in self._try_at_s:
            return Blame.NOBODY
        self._failed.append((now_s, camera_id))
        while self._failed[0][0] < now_s - _WINDOW_S:
            self._failed.popleft()
        if len(self._failed) < _LIMIT:
            return Blame.NOBODY
        cameras = {name for _, name in self._failed}
        suspected_s, self._suspected_s = self._suspected_s, now_s
        self._failed.clear()
        if suspected_s is None or now_s - suspected_s > _WINDOW_S or not self._fine - cameras:
            return Blame.MODELS
        self._try_at_s |= dict.fromkeys(cameras, now_s + self._try_every_s)
        return Blame.CAMERAS

    def keep_only(self, camera_ids: Collection[str]) -> bool:
        """Forget the other cameras; whether one of them was set aside."""
        gone = [name for name in self._try_at_s if name not in camera_ids]
        for name in gone:
            del self._try_at_s[name]
        return bool(gone)
