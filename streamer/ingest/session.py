"""What one connection is given, beside its source: whom it tells, when it stops, what it counts."""

from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from models.structures import Picture
from streamer.frame import Frame
from streamer.ingest.counters import StreamCounters, StreamFormat


class ConnectionSink(Protocol):
    """Whom a connection tells. Called from the connection's thread; must return soon."""

    def opened(self, stream: StreamFormat) -> None:
        """The first good frame has come, or the format has changed: frames from now on are of this kind."""
        ...

    def progressed(self, received_mono_s: float, good_frames: int, left_out: int = 0) -> None:
        """A video packet came, and has completed so many good frames, due or not; ``left_out``: frames of it that the
        decoder left out on purpose.
        """
        ...

    def frame(self, frame: Frame) -> None:
        """A good frame that is due."""
        ...


class LookGate(Protocol):
    """Decides over frames that are due, in their order."""

    def passes(self, frame: Frame) -> bool:
        """Whether the frame is to be looked at; one that is not is counted and dropped."""
        ...


class StreamWatch(Protocol):
    """Looks after a camera. Called from the connection's thread; must return soon."""

    def connected(self, mono_s: float) -> None:
        """The first frame of a connection has come."""
        ...

    def packet(self, stamp_s: float, received_mono_s: float, ahead_s: float | None) -> None:
        """A video packet with this time stamp of the stream's clock came; ``ahead_s``: how many seconds the camera's
        time of day was ahead of ours then, or None where the stream does not tell it.
        """
        ...

    def frame(self, picture: Picture, received_mono_s: float) -> None:
        """A good frame that is due, before the gate."""
        ...


class Slot(Protocol):
    """Where a frame that was given waits to be looked at (``Mailbox``)."""

    @property
    def is_waiting(self) -> bool:
        """Whether a frame waits."""
        ...

    def freshen(self, frame: Frame) -> None:
        """Put a newer frame in the place of the one that waits, if it still does."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """One connection's surroundings.

    - ``fps``: frames per second that are wanted, or None for all; others are decoded but never converted.
    - ``phase``: of the grid of those that are wanted, see ``FrameSampler``.
    - ``gate``: holds back frames that are due, or None; whoever reads with ``read_frames`` gets all of them.
    - ``watch``: told of packets and frames, or None: nobody looks after the camera.
    - ``slot``: while a frame that was given waits there, the ones after it take its place, due or not: they are decoded
      anyway, and a verdict upon the present is worth more. None: whoever reads takes each frame at once.
    - ``stop``: set by another thread to end the connection at the next packet.
    """

    camera_id: str
    sink: ConnectionSink
    fps: float | None = None
    phase: float = 0.0
    gate: LookGate | None = None
    watch: StreamWatch | None = None
    slot: Slot | None = None
    stop: Event = field(default_factory=Event)
    counters: StreamCounters = field(default_factory=StreamCounters)
