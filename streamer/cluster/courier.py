"""From the inference to the rules: looks, in order, a few in one call."""

import logging
from collections.abc import Callable, Mapping
from threading import Event, Lock, Thread
from typing import Final

from streamer.cluster.errors import PeerError
from streamer.cluster.peer import Peer
from streamer.cluster.wire import FrameKey, LookReply, Moment, SentLook
from streamer.inference.results import InferenceResult, ResultQueue

_log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 16
_ANSWER_S: Final = 3.0
_IDLE_WAIT_S: Final = 0.5


class Courier:
    """Takes looks of cameras to the rules parts that judge them, with a thread and a bounded queue for each.

    Rules that fall behind lose the oldest looks (``ResultQueue``), and hold nobody up. ``digests`` says which weights
    are in use; ``on_reply`` gets what the rules say of cameras.
    """

    def __init__(
        self, *, digests: Callable[[], Mapping[str, str]], on_reply: Callable[[LookReply], None]
    ) -> None:
        self._digests = digests
        self._on_reply = on_reply
        self._lock = Lock()
        self._routes: dict[str, Peer] = {}
        self._lanes: dict[Peer, ResultQueue] = {}
        self._stop = Event()

    def set_routes(self, routes: Mapping[str, Peer | None]) -> None:
        """Who judges which camera from now on; looks at others are dropped."""
        with self._lock:
            self._routes = {camera_id: peer for camera_id, peer in routes.items() if peer is not None}
            present = set(self._routes.values())
            for peer in self._lanes.keys() - present:
                self._lanes.pop(peer).close()
            for peer in present - self._lanes.keys():
                lane = self._lanes[peer] = ResultQueue()
                Thread(target=self._run, args=(peer, lane), name="courier", daemon=True).start()

    def put(self, result: InferenceResult) -> None:
        """A look ended; never blocks."""
        with self._lock:
            peer = self._routes.get(result.frame.camera_id)
            lane = None if peer is None else self._lanes.get(peer)
        if lane is not None:
            lane.put(result)

    def close(self) -> None:
        """Deliver what waits, and end."""
        self._stop.set()
        with self._lock:
            for lane in self._lanes.values():
                lane.close()

    def _run(self, peer: Peer, lane: ResultQueue) -> None:
        while not (lane.closed and not len(lane)):
            first = lane.get(_IDLE_WAIT_S)
            if first is None:
                continue
            looks = [_sent(first)]
            while len(lane) and len(looks) < _MOST_AT_ONCE:
                more = lane.get(0.0)
                if more is not None:
                    looks.append(_sent(more))
            try:
                self._on_reply(peer.call("judge", looks, dict(self._digests()), timeout_s=_ANSWER_S))
            except PeerError as error:
                _log.warning("%d looks could not be judged: %s", len(looks), error)
                self._stop.wait(_IDLE_WAIT_S)


def _sent(result: InferenceResult) -> SentLook:
    frame = result.frame
    return SentLook(
        key=FrameKey(frame.camera_id, frame.index, frame.captured_at),
        pts_s=frame.pts_s,
        received=Moment.of(frame.received_mono_s),
        detections=result.detections,
        timings=result.timings,
    )
