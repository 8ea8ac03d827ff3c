"""What the parts of a site report, put together to what one machine would say of itself."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Lock
from typing import Final, TypeVar

from rules import Compliance
from streamer.cluster.wire import InferenceReport, IngestReport, RulesReport
from streamer.fitness.findings import FindingChange, FitnessReport, FitnessState
from streamer.fitness.head_sizes import ZoneHeads
from streamer.inference.batcher import BatcherSnapshot
from streamer.inference.camera_looks import CameraLooks
from streamer.inference.worker_status import WorkerReason, WorkerState, WorkerStatus
from streamer.ingest.status import StreamState, StreamStatus

_T = TypeVar("_T")

#: A camera whose part has not been heard of, in the words of ``docs/reason-codes.md``.
MOVING_CODE: Final = "moving"
_MOVING: Final = "its machine is not heard of; another takes it over"
_STARTING: Final = "no part reads it yet"


class FarStation:
    """A ``streamer.site_watch.Station``: one camera as its ingest part last reported it. Any thread may call."""

    def __init__(self, camera_id: str, *, enabled: bool, on_enabled: Callable[[str, bool], None]) -> None:
        self.camera_id = camera_id
        self.enabled = enabled
        self._on_enabled = on_enabled
        self._lock = Lock()
        self._status = StreamStatus(StreamState.CONNECTING, "starting", _STARTING, time.time(), 0.0, None, 0)
        self._fitness = FitnessReport(FitnessState.UNKNOWN)
        self._changes: list[FindingChange] = []
        self._heard_s = time.monotonic()

    def status(self) -> StreamStatus:
        """See ``Station``."""
        with self._lock:
            return self._status

    def fitness(self) -> FitnessReport:
        """See ``Station``."""
        with self._lock:
            return self._fitness

    def attend_fitness(self, *, mono_s: float, at: float) -> list[FindingChange]:  # noqa: ARG002
        """What the part that reads the camera has found since the last call."""
        with self._lock:
            changes, self._changes = self._changes, []
            return changes

    def set_enabled(self, enabled: bool) -> None:
        """See ``Station``."""
        self.enabled = enabled
        self._on_enabled(self.camera_id, enabled)

    def take(self, status: StreamStatus, fitness: FitnessReport, changes: Iterable[FindingChange]) -> bool:
        """A report came; whether state or reason are others than before."""
        with self._lock:
            before, self._status = self._status, status
            self._fitness = fitness
            self._changes += changes
            return (before.state, before.code) != (status.state, status.code)

    def moving(self) -> None:
        """The part that read it is gone."""
        with self._lock:
            old = self._status
            if old.state is not StreamState.DISABLED:
                self._status = StreamStatus(
                    StreamState.CONNECTING,
                    MOVING_CODE,
                    _MOVING,
                    time.time(),
                    0.0,
                    old.last_frame_age_s,
                    old.reconnects,
                    old.held_looks,
                )


class Accounts:
    """The latest report of every part, by its id, as far as it speaks of the cameras that are there. Any thread may
    call.
    """

    def __init__(self, camera_ids: Iterable[str]) -> None:
        self._lock = Lock()
        self._kept = frozenset(camera_ids)
        self._inference: dict[str, InferenceReport] = {}
        self._compliance: dict[str, Sequence[Compliance]] = {}
        self._heads: dict[str, Sequence[ZoneHeads]] = {}
        self._failures: dict[str, int] = {}
        self._limited: dict[str, bool] = {}

    def take_inference(self, part_id: str, report: InferenceReport) -> list[str]:
        """A report came; the cameras that are from now on looked at less than they wish, or as often again, and those
        of which nothing was known yet.
        """
        changed = []
        with self._lock:
            self._inference[part_id] = report
            for looks in report.looks.cameras:
                limited = looks.granted_fps < 0.95 * looks.wanted_fps
                if self._limited.get(looks.camera_id) is not limited:
                    self._limited[looks.camera_id] = limited
                    changed.append(looks.camera_id)
        return changed

    def take_rules(self, part_id: str, report: RulesReport) -> None:
        """A report came."""
        with self._lock:
            # a report may have been under way while a camera was removed
            self._compliance.update(_only(report.compliance, self._kept))
            self._heads.update(_only(report.heads, self._kept))
            self._failures[part_id] = report.failures

    def forget_part(self, part_id: str) -> None:
        """A part is gone; looks that it lost stay counted."""
        with self._lock:
            self._inference.pop(part_id, None)

    def keep_only(self, camera_ids: Iterable[str]) -> None:
        """Forget the cameras that are no longer there."""
        kept = frozenset(camera_ids)
        with self._lock:
            self._kept = kept
            for book in (self._compliance, self._heads, self._limited):
                for camera_id in book.keys() - kept:
                    del book[camera_id]

    def models(self) -> WorkerStatus:
        """The models of all parts as one worker: at work while one of them is."""
        with self._lock:
            found = [report.models for report in self._inference.values()]
        if not found:
            return WorkerStatus(
                state=WorkerState.LOADING, reason=WorkerReason.NONE, device="", since_mono_s=time.monotonic()
            )
        working = [status for status in found if status.working]
        ill = [status for status in found if status.state is not WorkerState.READY]
        first = (working or found)[0]
        worst = ill[0] if ill and working and ill[0].reason is not WorkerReason.NONE else first
        return WorkerStatus(
            state=WorkerState.DEGRADED if worst is not first else first.state,
            reason=worst.reason,
            device=first.device,
            detail=worst.detail,
            since_mono_s=first.since_mono_s,
            batches=sum(status.batches for status in found),
            frames=sum(status.frames for status in found),
            failures=sum(status.failures for status in found),
            poison_frames=sum(status.poison_frames for status in found),
            lost_frames=sum(status.lost_frames for status in found),
            rebuilds=sum(status.rebuilds for status in found),
            batch_limits=tuple({limit: None for status in found for limit in status.batch_limits}),
            cameras_aside=tuple(name for status in found for name in status.cameras_aside),
            digests=first.digests,
        )

    def looks(self) -> BatcherSnapshot:
        """The looks of all cameras; the load of the part that has most to do."""
        with self._lock:
            found = [report.looks for report in self._inference.values()]
        cameras: dict[str, CameraLooks] = {}
        for snapshot in found:
            for looks in snapshot.cameras:
                cameras[looks.camera_id] = looks
        return BatcherSnapshot(
            load=max((snapshot.load for snapshot in found), default=0.0),
            overloaded=any(snapshot.overloaded for snapshot in found),
            cameras=tuple(cameras[name] for name in sorted(cameras)),
        )

    def compliance(self) -> Mapping[str, Sequence[Compliance]]:
        """The counts of people, by camera."""
        with self._lock:
            return dict(self._compliance)

    def head_sizes(self) -> Mapping[str, Sequence[ZoneHeads]]:
        """How large heads are at the network's input, by camera."""
        with self._lock:
            return dict(self._heads)

    @property
    def judging_failures(self) -> int:
        """Looks lost to exceptions of the rules."""
        with self._lock:
            return sum(self._failures.values())


def take_ingest(stations: Mapping[str, FarStation], report: IngestReport) -> list[str]:
    """A report of an ingest part came; the cameras whose state is another one."""
    changed = []
    for camera_id, status in report.statuses.items():
        station = stations.get(camera_id)
        if station is None:
            continue
        own = [change for name, change in report.changes if name == camera_id]
        if station.take(status, report.fitness[camera_id], own):
            changed.append(camera_id)
    return changed


def _only(told: Mapping[str, _T], kept: Collection[str]) -> dict[str, _T]:
    return {camera_id: of_it for camera_id, of_it in told.items() if camera_id in kept}
