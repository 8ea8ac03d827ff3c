"""One camera's place in the daemon: its connection and its mailbox, started and stopped together."""

from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

from streamer.fitness.camera_fitness import CameraFitness, StreamCondition
from streamer.fitness.findings import FindingChange, FitnessReport, FitnessState
from streamer.inference.demand import CameraDemand
from streamer.ingest.camera import CameraIngest
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.mailbox import Mailbox
from streamer.ingest.retry import RetryPolicy
from streamer.ingest.session import LookGate
from streamer.ingest.source import Source
from streamer.ingest.status import StreamState, StreamStatus
from streamer.service.heartbeats import Heartbeats, Pulse

#: Before the camera's name, as the stage is called.
STAGE_PREFIX: Final = "camera "


class LookTaker(Protocol):
    """Takes the looks that cameras ask for; ``streamer.inference.batcher.Batcher`` is one. Any thread may call."""

    def set_camera(self, demand: CameraDemand, mailbox: Mailbox) -> None:
        """Add a camera or change what a known one asks for; the mailbox may be a new one."""
        ...

    def remove_camera(self, camera_id: str) -> None:
        """Forget a camera, if known."""
        ...

    def frame_ready(self, camera_id: str) -> None:
        """A frame was put into a camera's mailbox."""
        ...


class CameraStation:
    """Reads one camera into the batcher. ``stop`` and a new station is how a camera's settings change."""

    def __init__(
        self,
        source: Source,
        *,
        demand: CameraDemand,
        retry: RetryPolicy,
        enabled: bool,
        batcher: LookTaker,
        hosts: HostBudget,
        heartbeats: Heartbeats,
        on_status: Callable[[str, StreamStatus], None],
        new_gate: Callable[[], LookGate] | None = None,
        fitness: CameraFitness | None = None,
        phase: float = 0.0,
    ) -> None:
        self.camera_id = demand.camera_id
        self.demand = demand
        self._batcher = batcher
        self._heartbeats = heartbeats
        self._fitness = fitness
        self._lock = Lock()
        self._stopped = False

        def connected_to(mailbox: Mailbox, pulse: Pulse, enabled: bool) -> CameraIngest:
            return CameraIngest(
                source,
                mailbox,
                hosts=hosts,
                retry=retry,
                fps=demand.fps,
                new_gate=new_gate,
                watch=fitness,
                phase=phase,
                enabled=enabled,
                pulse=pulse,
                on_status=on_status,
            )

        self._new_ingest = connected_to
        self._mailbox, self._pulse, self._ingest = self._new_connection(enabled)

    def start(self) -> None:
        """Ask the batcher for looks and begin to connect; returns at once."""
        self._batcher.set_camera(self.demand, self._mailbox)
        self._ingest.start()

    def restart(self) -> None:
        """Connect anew in other threads: the present ones hang or have ended. Waits for neither."""
        with self._lock:
            if self._stopped:
                return
            self._ingest.abandon()
            self._mailbox, self._pulse, self._ingest = self._new_connection(self._ingest.enabled)
            self.start()

    def request_stop(self) -> None:
        """Ask for the end and return at once."""
        self._ingest.request_stop()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End the connection and leave the batcher; whether all threads ended in time."""
        with self._lock:
            self._stopped = True
        # first: a thread that ends by intent is not to be mended
        self._heartbeats.remove(self._pulse)
        ended = self._ingest.stop(timeout_s)
        self._batcher.remove_camera(self.camera_id)
        return ended

    def _new_connection(self, enabled: bool) -> tuple[Mailbox, Pulse, CameraIngest]:
        mailbox = Mailbox(self.camera_id, notify=lambda: self._batcher.frame_ready(self.camera_id))
        pulse = self._heartbeats.add(f"{STAGE_PREFIX}{self.camera_id}")
        return mailbox, pulse, self._new_ingest(mailbox, pulse, enabled)

    def set_enabled(self, enabled: bool) -> None:
        """Switch the camera on or off until its settings change; on tries at once, also after refused credentials, and
        learns anew what the camera usually shows.
        """
        if enabled and self._fitness is not None:
            self._fitness.learn_anew()
        self._ingest.set_enabled(enabled)

    def status(self) -> StreamStatus:
        """How the camera stands now."""
        return self._ingest.status()

    def fitness(self) -> FitnessReport:
        """Whether the camera shows what it should."""
        return FitnessReport(FitnessState.OFF) if self._fitness is None else self._fitness.report()

    def attend_fitness(self, *, mono_s: float, at: float) -> list[FindingChange]:
        """Look after the camera, about once a second; see ``CameraFitness.attend``."""
        if self._fitness is None:
            return []
        stream, status = self._ingest.stream, self._ingest.status()
        condition = StreamCondition(
            is_online=status.state is StreamState.ONLINE,
            is_wanted=status.state is not StreamState.DISABLED,
            fps=status.fps,
            declared_fps=None if stream is None else stream.fps,
        )
        return self._fitness.attend(condition, mono_s=mono_s, at=at)
