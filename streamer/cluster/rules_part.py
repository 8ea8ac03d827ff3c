"""The part that judges: the rules of some cameras as on one machine, over the looks that inference parts send.

What it makes is kept here until the head has stored it. With its messages the head gets the state of every camera as of
just these messages; a part that takes over goes on from there, so that an episode is told once, whoever tells it.
"""

import logging
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Condition, Lock
from typing import Any, Final

from config import SiteSettings
from models.structures import Detections
from rules import EndReason, Suppression, Track, Violation
from streamer import wiring
from streamer.alerts.errors import SnapshotError
from streamer.alerts.privacy import Box, Polygon
from streamer.alerts.snapshot import SnapshotAnnotations
from streamer.attention import Attention
from streamer.cluster.errors import PeerError
from streamer.cluster.peer import Peer
from streamer.cluster.stuck import stuck_stage
from streamer.cluster.wire import (
    FrameKey,
    JudgedLook,
    LookReply,
    Moment,
    Orders,
    RulesOrder,
    RulesReport,
    SentLook,
)
from streamer.feedback.example import Example
from streamer.followed import FollowedHeads
from streamer.frame import Frame
from streamer.inference.results import InferenceResult, LookTimings, ResultQueue
from streamer.judging.alert_ids import random_alert_id
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.composer import ComposedAlert
from streamer.judging.judge import Judge
from streamer.judging.view import CameraView, SnapshotStyle
from streamer.redaction import install_redaction
from streamer.service.heartbeats import Heartbeats

_log = logging.getLogger(__name__)

#: A snapshot of a large frame, on a machine that has much to do. Meanwhile nothing else is judged or reported here.
_DRAW_S: Final = 2.0
#: Who did not answer is not asked for this long: alerts without pictures are worth more than a part that stands still.
_SHUNNED_S: Final = 5.0
#: Counts of people, sizes of heads and states without a new message are reported this often.
_COUNTS_EVERY_S: Final = 2.0
_STATES_EVERY_S: Final = 1.0
#: Judged looks that wait for the head; they are worth nothing later.
_LOOKS_KEPT: Final = 256
_NO_TIMINGS: Final = LookTimings(0.0, 0.0, 1, 0.0)


class FarPicture:
    """A picture of which only the size is here."""

    __slots__ = ("image_hw",)

    def __init__(self, image_hw: tuple[int, int]) -> None:
        self.image_hw = image_hw

    def rgb(self, size_hw: tuple[int, int] | None = None) -> Any:  # noqa: ARG002
        """Not here: raises ``SnapshotError``, as the other two do."""
        raise SnapshotError("the frame is on another machine")

    def part_rgb(self, box_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]) -> Any:  # noqa: ARG002
        """See ``rgb``."""
        raise SnapshotError("the frame is on another machine")

    def crop_rgb(self, box_xyxy: tuple[int, int, int, int]) -> Any:  # noqa: ARG002
        """See ``rgb``."""
        raise SnapshotError("the frame is on another machine")


class FarArtist:
    """A ``streamer.judging.artist.Artist``: has pictures drawn by the part that holds the frame.

    ``silent``: until when holders are left alone (monotonic s) that did not answer; all artists of a part share it.
    """

    def __init__(self, silent: dict[Peer, float]) -> None:
        self.holder: Peer | None = None
        self._silent = silent

    def snapshot(self, frame: Frame, notes: SnapshotAnnotations, style: SnapshotStyle) -> bytes:
        """See ``Artist``."""
        jpeg: bytes = self._drawn("snapshot", frame, notes, style)
        return jpeg

    def example(
        self,
        frame: Frame,
        *,
        violation: Violation,
        detections: Detections,
        hidden_heads: Sequence[Box],
        privacy_polygons: Sequence[Polygon],
        model_digests: Mapping[str, str],
    ) -> Example:
        """See ``Artist``."""
        facts = {
            "violation": violation,
            "detections": detections,
            "hidden_heads": hidden_heads,
            "privacy_polygons": privacy_polygons,
            "model_digests": model_digests,
        }
        example: Example = self._drawn("example", frame, facts)
        return example

    def _drawn(self, method: str, frame: Frame, *how: Any) -> Any:
        holder, now_s = self.holder, time.monotonic()
        if holder is None:
            raise SnapshotError("nobody holds the frame")
        if now_s < self._silent.get(holder, now_s):
            raise SnapshotError("whoever holds the frame did not answer just before")
        try:
            drawn = holder.call(method, _key(frame), *how, timeout_s=_DRAW_S)
        except PeerError as error:
            self._silent[holder] = time.monotonic() + _SHUNNED_S
            raise SnapshotError(f"whoever holds the frame does not answer: {error}") from error
        if drawn is None:
            raise SnapshotError("the frame is not held any more")
        return drawn


class RulesPart:
    """Judges the cameras that its orders name."""

    def __init__(self, site: SiteSettings) -> None:
        install_redaction(site.secrets())
        self._site = site
        self._lock = Lock()
        self._obeyed = 0
        self._heartbeats = Heartbeats()
        self._orders: dict[str, RulesOrder] = {}
        self._artists: dict[str, FarArtist] = {}
        self._silent: dict[Peer, float] = {}
        self._attention: dict[str, Attention] = {}
        self._heads: dict[str, FollowedHeads] = {}
        self._digests: Mapping[str, str] = {}
        self._made = Condition()
        self._alerts: deque[tuple[int, ComposedAlert]] = deque()
        self._held: list[tuple[str, Sequence[Suppression]]] = []
        self._last_number = 0
        self._counted_s = self._stated_s = 0.0
        self._results = ResultQueue(256)
        self._looks: deque[JudgedLook] = deque(maxlen=_LOOKS_KEPT)
        self._judge = Judge(
            results=self._results,
            on_look=self._looked,
            on_alert=self._keep,
            on_held=lambda camera_id, held: self._held.append((camera_id, tuple(held))),
            model_digests=lambda: dict(self._digests),
            pulse=self._heartbeats.add("rules"),
        )
        self._judge.start()

    def exchange(self, orders: Orders | None, stored: int = 0, wait_s: float = 0.0) -> RulesReport:
        """Take orders, if there are any, forget the messages up to number ``stored``, and report: at once where there
        are messages, else after ``wait_s``.
        """
        if orders is not None:
            with self._lock:
                self._obey(orders)
        with self._made:
            while self._alerts and self._alerts[0][0] <= stored:
                self._alerts.popleft()
            self._made.wait_for(lambda: self._alerts, wait_s)
        return self._report()

    def judge(self, looks: Sequence[SentLook], digests: Mapping[str, str]) -> LookReply:
        """Judge looks, in their order, soon; never waits for a snapshot."""
        self._digests = digests
        for look in looks:
            self._results.put(InferenceResult(_frame(look), look.detections, look.timings))
        named = {look.key.camera_id for look in looks}
        return LookReply(
            attention={name: self._attention[name].wanted for name in named if name in self._attention},
            heads={
                name: self._heads[name].boxes
                for name in named
                if name in self._heads and (camera := self._site.cameras.get(name)) and camera.tiles.follow
            },
        )

    def finish(self) -> None:
        """Judge what is there, and end every episode with ``shutdown``; the messages are for ``exchange``."""
        self._judge.stop(10.0)

    def _obey(self, orders: Orders) -> None:
        if orders.number < self._obeyed:
            return
        self._obeyed = orders.number
        if orders.site is not None:
            install_redaction(orders.site.secrets())
            self._site = orders.site
        wanted: dict[str, RulesOrder] = dict(orders.cameras)
        for camera_id in self._orders.keys() - wanted.keys():
            self._judge.remove_camera(camera_id, EndReason.RELOAD)
            del self._artists[camera_id]
        for camera_id, order in wanted.items():
            known = self._orders.get(camera_id)
            if known is None or known.revision != order.revision:
                self._take_in(camera_id, order)
            elif known.areas != order.areas:
                self._judge.set_areas(camera_id, order.areas)
            self._artists[camera_id].holder = order.holder
        self._orders = wanted

    def _take_in(self, camera_id: str, order: RulesOrder) -> None:
        site = self._site
        artist = self._artists[camera_id] = FarArtist(self._silent)
        view = replace(wiring.view_of(site, camera_id), keeps_examples=wiring.keeps_examples(site))
        judge = CameraJudge(
            wiring.engine_of(site, camera_id), view, new_alert_id=random_alert_id, artist=artist
        )
        judge.set_areas(order.areas)
        ended: list[ComposedAlert] = []
        since = None
        if order.state is not None:
            try:
                ended = judge.restore_state(order.state, time.time())
                since = time.time()
            except (ValueError, KeyError) as error:
                _log.error("camera %s: its episodes cannot be taken over: %s", camera_id, error)
        self._attention[camera_id], self._heads[camera_id] = Attention(), FollowedHeads()
        self._judge.set_camera(
            camera_id,
            judge,
            self._attention[camera_id],
            self._heads[camera_id] if site.cameras[camera_id].tiles.follow else None,
            zones=tuple(site.cameras[camera_id].zones),
            since=since,
        )
        for alert in ended:
            self._keep(alert)

    def _looked(
        self, frame: Frame, detections: Detections, tracks: Sequence[Track], view: CameraView
    ) -> None:
        order = self._orders.get(frame.camera_id)
        if order is not None and order.tells_looks:
            look = SentLook(
                _key(frame), frame.pts_s, Moment.of(frame.received_mono_s), detections, _NO_TIMINGS
            )
            self._looks.append(JudgedLook(look, tuple(tracks), view))

    def _keep(self, alert: ComposedAlert) -> None:
        with self._made:
            self._last_number += 1
            self._alerts.append((self._last_number, alert))
            self._made.notify_all()

    def _report(self) -> RulesReport:
        now_s = time.monotonic()
        states: dict[str, dict[str, Any]] = {}
        alerts = self._waiting()
        if alerts or now_s - self._stated_s >= _STATES_EVERY_S:
            states, alerts = self._judge.export_states(self._waiting)
            self._stated_s = now_s
        counting = now_s - self._counted_s >= _COUNTS_EVERY_S
        if counting:
            self._counted_s = now_s
        held, self._held = self._held, []
        looks = [self._looks.popleft() for _ in range(len(self._looks))]
        return RulesReport(
            pid=os.getpid(),
            alerts=alerts,
            states=states,
            held=held,
            looks=looks,
            compliance=self._judge.compliance() if counting else {},
            heads=self._judge.head_sizes() if counting else {},
            failures=self._judge.failures,
            stuck=stuck_stage(self._heartbeats),
        )

    def _waiting(self) -> list[tuple[int, ComposedAlert]]:
        with self._made:
            return list(self._alerts)


def _key(frame: Frame) -> FrameKey:
    return FrameKey(frame.camera_id, frame.index, frame.captured_at)


def _frame(look: SentLook) -> Frame:
    return Frame(
        camera_id=look.key.camera_id,
        index=look.key.index,
        pts_s=look.pts_s,
        captured_at=look.key.captured_at,
        received_mono_s=look.received.here(),
        picture=FarPicture(look.detections.image_hw),
    )
