"""From the cameras' mailboxes to the inference parts that look at their frames.

A frame is converted to the network's size here, beside the decoder, and crosses with others in one call. Nothing piles
up: a camera has one slot here and one there, in both the newest frame wins, and one call at a time goes to each part.
What the inference grants a camera under load slows its frames down here, so that none is converted in vain.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Final

from models.errors import PictureError
from models.letterbox import letterbox_geometry
from streamer.attention import Attention
from streamer.cluster.errors import PeerError
from streamer.cluster.held_frames import HeldFrames
from streamer.cluster.peer import Peer
from streamer.cluster.wire import FrameKey, Moment, OfferReply, SentFrame
from streamer.frame import Frame
from streamer.inference.batcher import Pace
from streamer.inference.demand import CameraDemand
from streamer.ingest.mailbox import Mailbox

_log = logging.getLogger(__name__)

#: Frames that cross in one call at most.
_MOST_AT_ONCE: Final = 8
#: Where not every frame is looked at, the next one is sent this share of the time between two looks before it is due,
#: at most so many seconds: later, and time that is spare would find nothing to look at; earlier, and it would be old.
_AHEAD: Final = 0.25
_MOST_AHEAD_S: Final = 0.3
#: A frame that waits for this share of the age at which it would be dropped is followed by a newer one.
_FRESH_SHARE: Final = 0.9
#: A part that answers later than this is not asked for a while; the head decides whether it is gone.
_ANSWER_S: Final = 3.0
_PAUSE_S: Final = 0.5


@dataclass(slots=True, eq=False)
class _Camera:
    demand: CameraDemand
    mailbox: Mailbox
    attention: Attention
    looker: Peer | None = None
    next_s: float = 0.0
    #: sent so much earlier along with one that is due: frames that come together are looked at together
    early_s: float = 0.0

    def keep_pace(self, pace: Pace, now_s: float, *, refresh_s: float) -> None:
        """A frame was taken: when the next one is wanted. One that may not have been looked at after ``refresh_s`` is
        followed by a newer one.
        """
        if pace.granted_fps >= 0.99 * self.demand.fps:
            self.next_s, self.early_s = now_s, 0.0
            return
        period_s = 1 / pace.granted_fps
        self.early_s = ahead_s = min(_AHEAD * period_s, _MOST_AHEAD_S)
        if pace.due_in_s > refresh_s:
            # it came just after a look, and will be too old for the next one
            self.next_s = now_s + pace.due_in_s - ahead_s
        else:
            self.next_s = now_s + pace.due_in_s + min(period_s - ahead_s, refresh_s)


class Sender:
    """A ``streamer.station.LookTaker`` whose looks happen elsewhere. Any thread may call.

    ``held`` keeps the whole frames of those that were sent. ``max_age_s``: older frames are dropped where they go.
    """

    def __init__(
        self, held: HeldFrames, *, max_age_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._held = held
        self._refresh_s = _FRESH_SHARE * max_age_s
        self._clock = clock
        self._changed = Condition()
        self._cameras: dict[str, _Camera] = {}
        self._attentions: dict[str, Attention] = {}
        self._lookers: dict[str, Peer | None] = {}
        self._threads: dict[Peer, Thread] = {}
        self._closed = False
        self.sent_frames = 0

    def set_camera(self, demand: CameraDemand, mailbox: Mailbox) -> None:
        """See ``LookTaker``."""
        with self._changed:
            camera_id = demand.camera_id
            attention = self._attentions.setdefault(camera_id, Attention())
            self._cameras[camera_id] = _Camera(demand, mailbox, attention, self._lookers.get(camera_id))
            self._changed.notify_all()

    def remove_camera(self, camera_id: str) -> None:
        """See ``LookTaker``."""
        with self._changed:
            self._cameras.pop(camera_id, None)
        self._held.drop(camera_id)

    def frame_ready(self, camera_id: str) -> None:  # noqa: ARG002 - whoever is free takes what waits
        """See ``LookTaker``."""
        with self._changed:
            self._changed.notify_all()

    def attention(self, camera_id: str) -> Attention:
        """What the judging says to a camera's gate."""
        with self._changed:
            return self._attentions.setdefault(camera_id, Attention())

    def set_looker(self, camera_id: str, looker: Peer | None) -> None:
        """Frames of a camera go to ``looker`` from now on; None: nowhere, the newest one waits."""
        with self._changed:
            self._lookers[camera_id] = looker
            camera = self._cameras.get(camera_id)
            if camera is not None and camera.looker != looker:
                camera.looker, camera.next_s = looker, 0.0
            if looker is not None and looker not in self._threads:
                thread = Thread(target=self._run, args=(looker,), name="sender", daemon=True)
                self._threads[looker] = thread
                thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self, looker: Peer) -> None:
        """Send to one part as long as some camera is looked at there."""
        while True:
            with self._changed:
                while not self._closed and not (due := self._due(looker)):
                    if looker not in self._lookers.values():
                        self._threads.pop(looker, None)
                        return
                    self._changed.wait(self._wait_s(looker))
                if self._closed:
                    return
            try:
                frames = [sent for camera in due if (sent := self._taken(camera)) is not None]
                took = not frames or self._offer(looker, frames)
            except Exception:  # noqa: BLE001 - the thread that sends for many cameras must outlive any frame
                _log.exception("frames could not be sent: an error of our own")
                took = False
            if not took:
                time.sleep(_PAUSE_S)

    def _due(self, looker: Peer) -> list[_Camera]:
        now_s = self._clock()
        waiting = [
            camera
            for camera in self._cameras.values()
            if camera.looker == looker and camera.mailbox.is_waiting
        ]
        if not any(camera.next_s <= now_s for camera in waiting):
            return []
        found = [camera for camera in waiting if camera.next_s - camera.early_s <= now_s]
        return sorted(found, key=lambda camera: camera.next_s)[:_MOST_AT_ONCE]

    def _wait_s(self, looker: Peer) -> float:
        now_s = self._clock()
        dues_s = [
            camera.next_s - now_s
            for camera in self._cameras.values()
            if camera.looker == looker and camera.mailbox.is_waiting
        ]
        return min([0.5, *(max(0.001, due_s) for due_s in dues_s)])

    def _taken(self, camera: _Camera) -> SentFrame | None:
        """The camera's newest frame, converted and held."""
        frame = camera.mailbox.take()
        if frame is None:
            return None
        try:
            sent = _sent(frame, camera.demand)
        except PictureError as error:
            _log.warning("a frame of camera %s cannot be converted: %s", frame.camera_id, error)
            return None
        self._held.hold(sent.key, frame)
        return sent

    def _offer(self, looker: Peer, frames: list[SentFrame]) -> bool:
        """Whether the part took them."""
        try:
            reply: OfferReply = looker.call("offer", frames, timeout_s=_ANSWER_S)
        except PeerError as error:
            _log.warning("%d frames could not be sent to the models: %s", len(frames), error)
            return False
        self.sent_frames += len(frames)
        with self._changed:
            now_s = self._clock()
            for camera_id, pace in reply.paces.items():
                camera = self._cameras.get(camera_id)
                if camera is not None and camera.looker == looker:
                    camera.keep_pace(pace, now_s, refresh_s=self._refresh_s)
        for camera_id, wanted in reply.attention.items():
            self.attention(camera_id).wanted = wanted
        return len(reply.strangers) < len(frames)


def _sent(frame: Frame, demand: CameraDemand) -> SentFrame:
    content_hw = letterbox_geometry(frame.image_hw, demand.input_hw(frame.image_hw)).content_hw
    smaller = content_hw[0] * content_hw[1] < frame.image_hw[0] * frame.image_hw[1]
    return SentFrame(
        key=FrameKey(frame.camera_id, frame.index, frame.captured_at),
        pts_s=frame.pts_s,
        received=Moment.of(frame.received_mono_s),
        image_hw=frame.image_hw,
        pixels=frame.rgb(content_hw if smaller else None),
    )
