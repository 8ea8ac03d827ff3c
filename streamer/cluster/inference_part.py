"""The part that looks: batcher and worker as on one machine, over the frames that ingest parts send."""

import logging
import os
from collections.abc import Sequence
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from config import SiteSettings
from models.pictures import ArrayPicture
from models.runtime.choice import chosen_runtime
from models.runtime.openvino_start import limit_threads
from streamer import wiring
from streamer.cluster.courier import Courier
from streamer.cluster.errors import PeerError
from streamer.cluster.peer import Peer
from streamer.cluster.sent_picture import SentPicture
from streamer.cluster.stuck import stuck_stage
from streamer.cluster.wire import (
    Cut,
    FrameKey,
    InferenceOrder,
    InferenceReport,
    LookReply,
    OfferReply,
    Orders,
    SentFrame,
)
from streamer.detector_factory import detector_factory
from streamer.followed import FollowedHeads
from streamer.frame import Frame
from streamer.inference.batcher import Batcher
from streamer.inference.worker import InferenceWorker
from streamer.ingest.mailbox import Mailbox
from streamer.redaction import install_redaction
from streamer.service.heartbeats import Heartbeats

_log = logging.getLogger(__name__)

#: Crops are a few kilobytes: who takes longer has no time for us.
_CUT_S = 1.0


class InferencePart:
    """Looks at the cameras that its orders name. ``threads``: those that the networks may use; None: all cores."""

    def __init__(self, site: SiteSettings, *, threads: int | None = None) -> None:
        install_redaction(site.secrets())
        if threads is not None and chosen_runtime(site.inference.device.value) == "openvino":
            limit_threads(threads)
        self._site = site
        self._lock = Lock()
        self._obeyed = 0
        self._heartbeats = Heartbeats()
        self._orders: dict[str, InferenceOrder] = {}
        self._mailboxes: dict[str, Mailbox] = {}
        self._heads: dict[str, FollowedHeads] = {}
        self._attention: dict[str, bool] = {}
        inference = site.inference
        self._batcher = Batcher(
            max_batch=inference.max_batch,
            max_age_s=inference.max_age_s,
            collect_window_s=inference.max_wait_s,
        )
        self._courier = Courier(
            digests=lambda: dict(self._worker.status().digests), on_reply=self._take_reply
        )
        self._worker = InferenceWorker(
            batcher=self._batcher,
            load_detector=detector_factory(lambda: self._site),
            sink=self._courier.put,
            device=str(inference.device),
            initial_sizes=wiring.expected_input_sizes(site),
            pulse=self._heartbeats.add("inference"),
        )
        self._worker.start()

    def exchange(self, orders: Orders | None) -> InferenceReport:
        """Take orders, if there are any, and report."""
        if orders is not None:
            with self._lock:
                self._obey(orders)
        return InferenceReport(
            pid=os.getpid(),
            models=self._worker.status(),
            looks=self._batcher.snapshot(),
            stuck=stuck_stage(self._heartbeats),
        )

    def offer(self, frames: Sequence[SentFrame]) -> OfferReply:
        """Put frames where the batcher finds them: one of each camera, the newest. Never waits for a look."""
        strangers = []
        for sent in frames:
            camera_id = sent.key.camera_id
            mailbox = self._mailboxes.get(camera_id)
            if mailbox is None:
                strangers.append(camera_id)
            else:
                mailbox.put(self._frame(sent))
        named = {sent.key.camera_id for sent in frames}
        return OfferReply(
            paces={
                camera_id: pace for camera_id, pace in self._batcher.paces().items() if camera_id in named
            },
            attention={name: self._attention[name] for name in named if name in self._attention},
            strangers=tuple(strangers),
        )

    def finish(self) -> None:
        """Look at nothing more, and deliver what was seen."""
        self._worker.stop(5.0)
        self._courier.close()

    def _obey(self, orders: Orders) -> None:
        if orders.number < self._obeyed:
            return
        self._obeyed = orders.number
        if orders.site is not None:
            install_redaction(orders.site.secrets())
            before, self._site = self._site, orders.site
            if not wiring.all_models_of(self._site) <= wiring.all_models_of(before):
                self._worker.rebuild()
        wanted: dict[str, InferenceOrder] = dict(orders.cameras)
        for camera_id in self._orders.keys() - wanted.keys():
            self._batcher.remove_camera(camera_id)
            del self._mailboxes[camera_id]
        for camera_id, order in wanted.items():
            known = self._orders.get(camera_id)
            if known is None or known.revision != order.revision:
                self._take_in(camera_id)
        self._orders = wanted
        self._courier.set_routes({camera_id: order.rules for camera_id, order in wanted.items()})

    def _take_in(self, camera_id: str) -> None:
        heads = self._heads.setdefault(camera_id, FollowedHeads())
        mailbox = Mailbox(camera_id, notify=partial(self._batcher.frame_ready, camera_id))
        self._batcher.set_camera(wiring.demand_of(self._site, camera_id, heads), mailbox)
        self._mailboxes[camera_id] = mailbox

    def _frame(self, sent: SentFrame) -> Frame:
        whole = sent.pixels.shape[:2] == sent.image_hw
        return Frame(
            camera_id=sent.key.camera_id,
            index=sent.key.index,
            pts_s=sent.pts_s,
            captured_at=sent.key.captured_at,
            received_mono_s=sent.received.here(),
            picture=ArrayPicture(sent.pixels)
            if whole
            else SentPicture(sent.key, sent.pixels, sent.image_hw, self._cut),
        )

    def _cut(self, key: FrameKey, cuts: Sequence[Cut]) -> list[NDArray[np.uint8]] | None:
        order = self._orders.get(key.camera_id)
        holder: Peer | None = None if order is None else order.holder
        if holder is None:
            return None
        try:
            found: list[NDArray[np.uint8]] | None = holder.call("cut", key, list(cuts), timeout_s=_CUT_S)
        except PeerError as error:
            _log.warning("camera %s: %d crops could not be had: %s", key.camera_id, len(cuts), error)
            return None
        return found

    def _take_reply(self, reply: LookReply) -> None:
        self._attention.update(reply.attention)
        for camera_id, boxes in reply.heads.items():
            heads = self._heads.get(camera_id)
            if heads is not None:
                heads.boxes = dict(boxes)
