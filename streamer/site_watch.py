"""What the daemon needs of whatever watches a site's cameras, on this machine or on many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from config import SiteSettings
from models.structures import Detections
from rules import Compliance, Suppression, SuppressionArea, Track
from streamer.fitness.findings import FindingChange, FitnessReport
from streamer.fitness.head_sizes import ZoneHeads
from streamer.frame import Frame
from streamer.inference.batcher import BatcherSnapshot
from streamer.inference.worker_status import WorkerStatus
from streamer.ingest.status import StreamStatus
from streamer.judging.composer import ComposedAlert
from streamer.judging.view import CameraView
from streamer.service.heartbeats import Heartbeats


class Station(Protocol):
    """One camera's place; ``streamer.station.CameraStation`` is one. Any thread may call."""

    camera_id: str

    def status(self) -> StreamStatus:
        """How the camera stands now."""
        ...

    def fitness(self) -> FitnessReport:
        """Whether the camera shows what it should."""
        ...

    def attend_fitness(self, *, mono_s: float, at: float) -> list[FindingChange]:
        """Look after the camera, about once a second; what has begun and ended."""
        ...

    def set_enabled(self, enabled: bool) -> None:
        """Switch the camera on or off until its settings change."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvents:
    """Whom a watch tells, from its own threads.

    - ``on_alert``: every message of the rules, in order.
    - ``on_held``: by camera, the episodes that suppression areas held back.
    - ``on_look``: every judged look at a camera of which ``wants_looks``.
    - ``on_camera``: a camera's state changed. ``on_models``: that of the models did.
    """

    on_alert: Callable[[ComposedAlert], None]
    on_held: Callable[[str, Sequence[Suppression]], None]
    on_look: Callable[[Frame, Detections, Sequence[Track], CameraView], None]
    on_camera: Callable[[str], None]
    on_models: Callable[[], None]
    wants_looks: Callable[[str], bool] = lambda _camera_id: True


class SiteWatch(Protocol):
    """Cameras, models and rules of one site. ``stages`` of the heartbeats are its own to mend, by ``mend``."""

    @property
    def stations(self) -> Mapping[str, Station]:
        """Every configured camera, in the order of the configuration."""
        ...

    def start(self) -> None:
        """Start the models and the rules, then every camera; returns soon."""
        ...

    def models(self) -> WorkerStatus:
        """How the models stand."""
        ...

    def wait_ready(self, timeout_s: float) -> WorkerStatus:
        """Wait until frames can be looked at, or every device failed once, or time is up; the status then."""
        ...

    def looks(self) -> BatcherSnapshot:
        """What every camera got of the inference, and the load."""
        ...

    def compliance(self) -> Mapping[str, Sequence[Compliance]]:
        """The counts of people, by camera."""
        ...

    def head_sizes(self) -> Mapping[str, Sequence[ZoneHeads]]:
        """How large heads are at the network's input, by camera."""
        ...

    @property
    def judging_failures(self) -> int:
        """Looks lost to exceptions of the rules."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """What it adds to the site's ``stats`` message, by part of the message."""
        ...

    def set_areas(self, camera_id: str, areas: Iterable[SuppressionArea]) -> None:
        """Open no episodes in these places of a camera from its next look on."""
        ...

    def reload(self, site: SiteSettings, changed: Sequence[str]) -> None:
        """Go on with ``site``: cameras that are gone are dropped, those ``changed`` (or new) start anew."""
        ...

    def restart_camera(self, camera_id: str) -> None:
        """Connect to a camera anew, if it is known."""
        ...

    def revive(self, stage: str) -> bool:
        """Go on in another thread where that of ``stage`` (``inference``, ``rules``) has ended; False: it cannot."""
        ...

    def request_stop(self) -> None:
        """Ask the cameras for their end and return at once."""
        ...

    def stop(self, left_s: Callable[[float], float]) -> None:
        """End cameras, models and rules, in this order; every open episode ends with ``shutdown``.

        ``left_s(most)`` says how long a part may take that takes ``most`` at most.
        """
        ...


#: Makes the watch of a site: settings, signs of life, whom to tell, and the suppression areas of a camera.
WatchMaker = Callable[
    [SiteSettings, Heartbeats, WatchEvents, Callable[[str], Iterable[SuppressionArea]]], SiteWatch
]
