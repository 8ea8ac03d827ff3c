"""The part that reads cameras: their stations as on one machine, with a sender in the place of the batcher."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from threading import Lock, Thread
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config import SiteSettings
from streamer import wiring
from streamer.alerts.errors import SnapshotError
from streamer.alerts.snapshot import SnapshotAnnotations
from streamer.cluster.held_frames import HeldFrames
from streamer.cluster.sender import Sender
from streamer.cluster.stuck import stuck_cameras
from streamer.cluster.wire import Cut, FrameKey, IngestOrder, IngestReport, Orders
from streamer.feedback.example import Example
from streamer.fitness.findings import FindingChange
from streamer.inference.demand import CameraDemand
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.mailbox import Mailbox
from streamer.ingest.sampler import phase_of
from streamer.ingest.video_picture import CACHED_PIXELS
from streamer.judging.artist import FrameArtist
from streamer.judging.view import SnapshotStyle
from streamer.redaction import install_redaction
from streamer.service.heartbeats import Heartbeats
from streamer.station import CameraStation

_log = logging.getLogger(__name__)

_ATTEND_EVERY_S: Final = 1.0


class IngestPart:
    """Reads the cameras that its orders name, sends their frames to be looked at, and draws from those it holds."""

    def __init__(self, site: SiteSettings) -> None:
        install_redaction(site.secrets())
        self._site = site
        self._lock = Lock()
        self._ordering = Lock()
        self._obeyed = 0
        self._heartbeats = Heartbeats()
        self._hosts = HostBudget(at_once=site.ingest.connecting_per_host)
        self._held = HeldFrames()
        self._sender = Sender(self._held, max_age_s=site.inference.max_age_s)
        self._artist = FrameArtist()
        self._orders: dict[str, IngestOrder] = {}
        self._stations: dict[str, CameraStation] = {}
        self._desks: dict[str, _Desk] = {}
        self._changes: list[tuple[str, FindingChange]] = []
        self._attended_s = 0.0

    def exchange(self, orders: Orders | None) -> IngestReport:
        """Take orders, if there are any, and report."""
        if orders is not None:
            with self._ordering:
                self._obey(orders)
        # another call may be taking in many cameras meanwhile: this one is to be answered at once
        with self._lock:
            self._attend()
            changes, self._changes = tuple(self._changes), []
        stations = dict(self._stations)
        return IngestReport(
            pid=os.getpid(),
            statuses={camera_id: station.status() for camera_id, station in stations.items()},
            fitness={camera_id: station.fitness() for camera_id, station in stations.items()},
            changes=changes,
        )

    def cut(self, key: FrameKey, cuts: Sequence[Cut]) -> list[NDArray[np.uint8]] | None:
        """Parts of a frame that is held, uint8 (H, W, 3); None when it is gone."""
        frame = self._held.get(key)
        if frame is None:
            return None
        return [
            frame.crop_rgb(cut.box_xyxy) if cut.size_hw is None else frame.part_rgb(cut.box_xyxy, cut.size_hw)
            for cut in cuts
        ]

    def small(self, key: FrameKey, size_hw: tuple[int, int]) -> NDArray[np.uint8] | None:
        """The whole of a frame that is held, uint8 (H, W, 3), at ``size_hw``, for a live picture; never larger than the
        network would see it. None when it is gone.
        """
        frame = self._held.get(key)
        if frame is None or size_hw[0] * size_hw[1] > CACHED_PIXELS:
            return None
        return frame.rgb(size_hw)

    def snapshot(self, key: FrameKey, notes: SnapshotAnnotations, style: SnapshotStyle) -> bytes | None:
        """The JPEG of a frame that is held, made private before it leaves; None when it is gone or none can be made."""
        frame = self._held.get(key)
        try:
            return None if frame is None else self._artist.snapshot(frame, notes, style)
        except SnapshotError as error:
            _log.error("camera %s: no snapshot: %s", key.camera_id, error)
            return None

    def example(self, key: FrameKey, facts: Mapping[str, Any]) -> Example | None:
        """A frame that is held as it is kept for a verdict, likewise."""
        frame = self._held.get(key)
        try:
            return None if frame is None else self._artist.example(frame, **facts)
        except SnapshotError as error:
            _log.error("camera %s: the frame is not kept: %s", key.camera_id, error)
            return None

    def finish(self) -> None:
        """Let every camera go."""
        with self._ordering:
            self._obey(Orders({}, number=self._obeyed))
        self._sender.close()

    def _obey(self, orders: Orders) -> None:
        if orders.number < self._obeyed:
            return
        self._obeyed = orders.number
        if orders.site is not None:
            install_redaction(orders.site.secrets())
            self._site = orders.site
        wanted: dict[str, IngestOrder] = dict(orders.cameras)
        for camera_id, known in list(self._orders.items()):
            order = wanted.get(camera_id)
            if order is None or order.revision != known.revision:
                self._let_go(camera_id)
        for camera_id, order in wanted.items():
            self._sender.set_looker(camera_id, order.looker)
            station, known_order = self._stations.get(camera_id), self._orders.get(camera_id)
            if station is None:
                self._take_in(camera_id, order)
            elif known_order is None or known_order.enabled != order.enabled:
                station.set_enabled(order.enabled)
            # one by one: where a camera cannot be taken in, the next orders find what is true of the others
            self._orders[camera_id] = order

    def _take_in(self, camera_id: str, order: IngestOrder) -> None:
        settings = self._site.cameras[camera_id]
        desk = self._desks[camera_id] = _Desk(self._sender)
        station = CameraStation(
            wiring.source_of(settings),
            demand=wiring.demand_of(self._site, camera_id),
            retry=wiring.retry_of(settings),
            enabled=order.enabled,
            batcher=desk,
            hosts=self._hosts,
            heartbeats=self._heartbeats,
            on_status=lambda _name, _status: None,
            new_gate=wiring.gates_of(settings, self._sender.attention(camera_id)),
            fitness=wiring.fitness_of(camera_id, settings),
            phase=phase_of(order.number),
        )
        self._stations[camera_id] = station
        station.start()

    def _let_go(self, camera_id: str) -> None:
        station = self._stations.pop(camera_id)
        self._orders.pop(camera_id)
        self._desks.pop(camera_id).leave(camera_id)
        self._sender.set_looker(camera_id, None)
        station.request_stop()
        # its connection may take seconds to end; the others are not to wait for it
        Thread(target=_end, args=(station,), name="let-go", daemon=True).start()

    def _attend(self) -> None:
        now_s = time.monotonic()
        if now_s - self._attended_s < _ATTEND_EVERY_S:
            return
        self._attended_s = now_s
        self._held.sweep()
        for camera_id in stuck_cameras(self._heartbeats):
            station = self._stations.get(camera_id)
            if station is not None:
                _log.error("camera %s: its thread hangs or has ended; it is connected anew", camera_id)
                station.restart()
        for camera_id, station in dict(self._stations).items():
            found = station.attend_fitness(mono_s=now_s, at=time.time())
            self._changes += [(camera_id, change) for change in found]


class _Desk:
    """One station's way to the sender. A station takes its time to end, and may then have a successor at the sender."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._lock = Lock()
        self._left = False

    def set_camera(self, demand: CameraDemand, mailbox: Mailbox) -> None:
        """See ``LookTaker``."""
        with self._lock:
            if not self._left:
                self._sender.set_camera(demand, mailbox)

    def remove_camera(self, camera_id: str) -> None:
        """See ``LookTaker``."""
        self.leave(camera_id)

    def frame_ready(self, camera_id: str) -> None:
        """See ``LookTaker``."""
        self._sender.frame_ready(camera_id)

    def leave(self, camera_id: str) -> None:
        """Nothing of this station is sent any more."""
        with self._lock:
            if not self._left:
                self._left = True
                self._sender.remove_camera(camera_id)


def _end(station: CameraStation) -> None:
    if not station.stop(5.0):
        _log.warning("camera %s did not let go in time", station.camera_id)
