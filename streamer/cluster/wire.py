"""What crosses between the parts: plain values, which Ray's own transport serialises.

Clocks: ``captured_at`` is UTC and means the same everywhere, as far as the machines' clocks agree. A monotonic time
means something on one machine only, so it crosses with the machine's name (``Moment``).
"""

import copyreg
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from config import SiteSettings
from models.structures import Detections
from rules import Compliance, Suppression, SuppressionArea, Track
from streamer.cluster.peer import Peer
from streamer.fitness.findings import FindingChange, FitnessReport
from streamer.fitness.head_sizes import ZoneHeads
from streamer.followed import Box
from streamer.inference.batcher import BatcherSnapshot, Pace
from streamer.inference.results import LookTimings
from streamer.inference.worker_status import WorkerStatus
from streamer.ingest.status import StreamStatus
from streamer.judging.composer import ComposedAlert
from streamer.judging.view import CameraView

# The value types keep their mappings behind read-only views, which Python does not serialise by itself.
copyreg.pickle(MappingProxyType, lambda view: (MappingProxyType, (dict(view),)))

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@cache
def this_machine() -> str:
    """Names the machine, and this start of it: one monotonic clock."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


@dataclass(frozen=True, slots=True)
class Moment:
    """A monotonic time of the machine ``machine``, sent when it was ``age_s`` ago."""

    machine: str
    mono_s: float
    age_s: float

    @classmethod
    def of(cls, mono_s: float) -> "Moment":
        """A time of this machine."""
        return cls(this_machine(), mono_s, max(0.0, time.monotonic() - mono_s))

    def here(self) -> float:
        """The same on this machine's clock; what the way took is lost between machines."""
        return self.mono_s if self.machine == this_machine() else time.monotonic() - self.age_s


@dataclass(frozen=True, slots=True)
class LaneAddress:
    """Where a part can be called from its own machine (``streamer.cluster.lane``)."""

    machine: str
    name: str


@dataclass(frozen=True, slots=True)
class FrameKey:
    """Names one frame of a site."""

    camera_id: str
    index: int
    captured_at: float


@dataclass(frozen=True, slots=True, eq=False)
class SentFrame:
    """A frame on its way to the models.

    - ``pixels``: uint8 (H, W, 3), RGB: at the size in which it lies in the network's input, or the whole picture where
      that is no larger.
    - ``image_hw``: of the whole picture.
    """

    key: FrameKey
    pts_s: float | None
    received: Moment
    image_hw: tuple[int, int]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class OfferReply:
    """What an inference part says to frames.

    - ``paces``: how often each camera is looked at under the present load, and when the frame that was sent is due.
    - ``attention``: whether every look at a camera that is due must happen now.
    - ``strangers``: cameras that are not looked at there.
    """

    paces: Mapping[str, Pace] = field(default_factory=dict)
    attention: Mapping[str, bool] = field(default_factory=dict)
    strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SentLook:
    """What was seen in one frame, on its way to the rules."""

    key: FrameKey
    pts_s: float | None
    received: Moment
    detections: Detections
    timings: LookTimings


@dataclass(frozen=True, slots=True)
class LookReply:
    """What the rules say of cameras: whether every look must happen, and at which heads to look again."""

    attention: Mapping[str, bool] = field(default_factory=dict)
    heads: Mapping[str, Mapping[int, Box]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a frame: ``box_xyxy`` as ``Picture.crop_rgb`` takes it, or scaled to ``size_hw`` as ``part_rgb``."""

    box_xyxy: tuple[int, int, int, int]
    size_hw: tuple[int, int] | None = None


# -- what the head asks of a part, as a whole, and what the part reports -------------------------------------


@dataclass(frozen=True, slots=True)
class IngestOrder:
    """One camera of an ingest part: ``looker`` is the inference part for its frames (None: none for now).

    Another ``revision`` means other settings: the camera starts anew.
    """

    revision: int
    enabled: bool
    number: int
    looker: Peer | None


@dataclass(frozen=True, slots=True)
class InferenceOrder:
    """One camera of an inference part: who holds its frames, and whose rules judge it."""

    revision: int
    holder: Peer | None
    rules: Peer | None


@dataclass(frozen=True, slots=True)
class RulesOrder:
    """One camera of a rules part.

    - ``tells_looks``: the head wants every look that was judged.
    - ``state``: that of the part that had it before (``CameraJudge.export_state``).
    """

    revision: int
    holder: Peer | None
    areas: tuple[SuppressionArea, ...] = ()
    tells_looks: bool = False
    state: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Orders:
    """Everything that a part is to do from now on. ``site`` comes when it changed. Of two orders that with the higher
    ``number`` counts, whichever comes first.
    """

    cameras: Mapping[str, Any]
    site: SiteSettings | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class IngestReport:
    """Of each camera; ``changes`` are findings that began or ended since the report before.

    ``stuck`` names what hangs. ``lane``: where others of its machine call the part best.
    """

    pid: int
    statuses: Mapping[str, StreamStatus]
    fitness: Mapping[str, FitnessReport]
    changes: Sequence[tuple[str, FindingChange]] = ()
    stuck: str = ""
    lane: LaneAddress | None = None


@dataclass(frozen=True, slots=True)
class InferenceReport:
    """How the models and the looks stand; ``stuck`` and ``lane`` as in ``IngestReport``."""

    pid: int
    models: WorkerStatus
    looks: BatcherSnapshot
    stuck: str = ""
    lane: LaneAddress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JudgedLook:
    """A look as the rules left it, for those who draw or count."""

    look: SentLook
    tracks: tuple[Track, ...]
    view: CameraView


@dataclass(frozen=True, slots=True)
class RulesReport:
    """What the rules have to tell.

    - ``alerts``: those that the head has not yet stored, by number, in order.
    - ``states``: of each camera, as it was once just these alerts had been made.
    - ``looks``: judged looks that the head wants.
    - ``compliance``, ``heads``: empty in most reports.
    - ``stuck``, ``lane``: as in ``IngestReport``.
    """

    pid: int
    alerts: Sequence[tuple[int, ComposedAlert]]
    states: Mapping[str, Mapping[str, Any]]
    held: Sequence[tuple[str, Sequence[Suppression]]] = ()
    looks: Sequence[JudgedLook] = ()
    compliance: Mapping[str, Sequence[Compliance]] = field(default_factory=dict)
    heads: Mapping[str, Sequence[ZoneHeads]] = field(default_factory=dict)
    failures: int = 0
    stuck: str = ""
    lane: LaneAddress | None = None


Report = IngestReport | InferenceReport | RulesReport
