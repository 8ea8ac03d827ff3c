"""What a decoder may leave out when fewer frames are wanted than come. Why so: docs/adr/0071-way-of-a-frame.md."""

from collections import deque
from itertools import pairwise
from typing import Final, Literal

Level = Literal["DEFAULT", "NONREF", "NONKEY"]

#: Codecs whose frames build upon each other and whose decoders can leave out those upon which none does.
SKIPPABLE_CODECS: Final = frozenset({"h264", "hevc"})

#: A gap between frames may take this part of the wanted interval: looks then keep their rate, and come early or late
#: by about half an interval at most, as the sampler allows them.
_LONGEST_GAP: Final = 0.6

#: Time stamps are rounded to milliseconds and less.
_TOLERANCE_S: Final = 0.003

#: Looks at a stream for so long before anything is left out.
_WATCH_S: Final = 2.0

#: After leaving out left too little, everything is decoded for so long; each time twice as long.
_FIRST_PAUSE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 3600.0

#: A decoder that gives nothing for so long beyond an interval leaves everything out.
_SILENCE_S: Final = 1.0

#: Key frames are relied upon once so many intervals between them have been as even as they must be.
_KEY_INTERVALS: Final = 10


class FrameSkipping:
    """Chooses the level at which one connection's stream is decoded, as libav names it; no threads, no libav.

    - ``DEFAULT``: everything, at first and whenever less would not do.
    - ``NONREF``: without the frames on which no other builds. Tried when frames come much closer than they are wanted;
      a gap that is too long ends it, for a while.
    - ``NONKEY``: key frames alone, where they come as often as frames are wanted, evenly, and the stream is not
      reordered (a decoder that reorders gives a key frame only with a later one). A late one ends it for good; frames
      come again from the next key frame on.

    ``fps``: wanted frames per second, above 0. Times are seconds of the stream's own clock; without them, or when they
    leave a hole or go back, everything is decoded.
    """

    def __init__(self, fps: float) -> None:
        self.level: Level = "DEFAULT"
        self._interval_s = 1.0 / fps
        self._longest_gap_s = _LONGEST_GAP / fps + _TOLERANCE_S
        self._wait_s = _WATCH_S
        self._may_skip_at_s: float | None = None
        self._gaps: deque[float] = deque(maxlen=25)
        self._last_frame_s: float | None = None
        self._key_times_s: deque[float] = deque(maxlen=_KEY_INTERVALS + 1)
        self._key_frames_fail = False
        self._is_stopped = False

    def before(self, at_s: float | None, *, is_key: bool, reorders: bool) -> Level:
        """The level at which the next packet is to be decoded.

        ``at_s``: its time in decoding order; ``reorders``: whether frames come out in another order than they go in.
        """
        if at_s is None:
            self._key_frames_fail = True
            return self._fall_back(0.0, is_key=is_key)
        if self._is_stopped:
            return self._fall_back(at_s, is_key=is_key)
        if self._may_skip_at_s is None:
            self._may_skip_at_s = at_s + self._wait_s
        if is_key:
            self._key_times_s.append(at_s)
        if self.level == "NONKEY":
            self._mind_key_frames(at_s, is_key=is_key, reorders=reorders)
        elif is_key and not reorders and self._key_frames_do():
            self.level = "NONKEY"
        elif self.level == "NONREF" and at_s - (self._last_frame_s or at_s) > self._interval_s + _SILENCE_S:
            self._fall_back(at_s, is_key=is_key)
        elif self.level == "DEFAULT" and at_s >= self._may_skip_at_s and self._come_close():
            self.level = "NONREF"
        return self.level

    def gave(self, at_s: float | None) -> None:
        """The decoder gave a frame of this time, good or not."""
        before_s, self._last_frame_s = self._last_frame_s, at_s
        if at_s is None or before_s is None:
            return
        gap_s = at_s - before_s
        self._gaps.append(gap_s)
        if self.level == "NONREF" and not 0 <= gap_s <= self._longest_gap_s:
            self._fall_back(at_s, is_key=False)

    def stop(self) -> None:
        """Leave nothing out any more in this connection, from the next packet, or key frame, on."""
        self._is_stopped = self._key_frames_fail = True

    def begin_again(self) -> None:
        """The recording starts over, and its time with it."""
        self._last_frame_s = None
        self._key_times_s.clear()
        self._may_skip_at_s = None

    def _come_close(self) -> bool:
        """Whether frames come so close that every other one would do."""
        gaps = self._gaps
        return len(gaps) == gaps.maxlen and min(gaps) > 0 and 2 * max(gaps) <= self._longest_gap_s

    def _key_frames_do(self) -> bool:
        """Whether key frames alone have come as often as frames are wanted for a good while."""
        times = self._key_times_s
        if self._key_frames_fail or len(times) < _KEY_INTERVALS + 1:
            return False
        gaps = [later - earlier for earlier, later in pairwise(times)]
        even = max(gaps) - min(gaps) <= 0.02 * self._interval_s + _TOLERANCE_S
        shortest, longest = min(gaps), max(gaps)
        is_the_rate = shortest >= 0.95 * self._interval_s and longest <= self._interval_s + _TOLERANCE_S
        return even and shortest > 0 and (longest <= self._longest_gap_s or is_the_rate)

    def _mind_key_frames(self, at_s: float, *, is_key: bool, reorders: bool) -> None:
        times = self._key_times_s
        since_s = at_s - (times[-2] if is_key and len(times) > 1 else times[-1])
        late = not 0 <= since_s <= max(self._longest_gap_s, self._interval_s + _TOLERANCE_S)
        self._key_frames_fail |= late or reorders
        if self._key_frames_fail:
            self._fall_back(at_s, is_key=is_key)

    def _fall_back(self, at_s: float, *, is_key: bool) -> Level:
        """Decode everything: at once, but from key frames alone only as the next one comes."""
        if self.level == "NONREF" or (self.level == "NONKEY" and is_key):
            self.level = "DEFAULT"
            self._gaps.clear()
            self._wait_s = min(max(_FIRST_PAUSE_S, 2 * self._wait_s), _LONGEST_PAUSE_S)
            self._may_skip_at_s = at_s + self._wait_s
        return self.level
