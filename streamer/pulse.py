"""Signs of life, as the stages give them. ``streamer.service.heartbeats`` keeps the book of all stages."""

from typing import Protocol


class Pulse(Protocol):
    """What a stage's thread holds; ``streamer.service.heartbeats.Pulse`` is one."""

    def beat(self) -> None:
        """Say that the stage is alive."""
        ...

    def allow(self, seconds: float) -> None:
        """Announce that the next sign of life may take this long."""
        ...


class NoPulse:
    """For a stage that nobody looks after."""

    def beat(self) -> None:
        """See ``Pulse``."""

    def allow(self, seconds: float) -> None:
        """See ``Pulse``."""
