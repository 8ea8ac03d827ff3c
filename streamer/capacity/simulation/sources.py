"""Cameras in simulated time: when their frames are there, decoded."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamer.capacity.simulation.agenda import Agenda
from streamer.capacity.simulation.processor import Cores
from streamer.ingest.sampler import FrameSampler

#: What a camera's frames do: ``(received_s, is_due)``.
Give = Callable[[float, bool], None]


def nobody(_received_s: float, _is_due: bool) -> None:
    """Whom a camera gives its frames before it has a place."""
    raise RuntimeError("a camera gave a frame before anybody was there to take it")


@dataclass(slots=True, kw_only=True)
class EveryFrame:
    """A stream of which each frame is decoded, one after the other, in a thread of its own.

    - ``live``: frames come at their moments, by up to ``jitter_s`` late; received counts from when the decoder takes
      one up. Else a recording that is paced: a frame is decoded as soon as the one before it was given, and given,
      and received, at its moment.
    """

    agenda: Agenda
    rng: random.Random
    stream_fps: float
    frame_s: Sequence[float]
    sampler: FrameSampler
    give: Give
    live: bool
    jitter_s: float = 0.0
    begin_s: float = 0.0
    _cores: Cores = field(init=False)
    _next: int = 0
    _waiting: int = 0
    _decoding: bool = False
    _life: int = 0
    _last_s: float = field(default=0.0)

    def start(self, cores: Cores) -> None:
        """Begin to send, decoded on ``cores``."""
        self._cores = cores
        self._life += 1
        self._next = self._waiting = 0
        self._decoding = False
        self.begin_s = self._last_s = self.agenda.now_s
        if self.live:
            self._arrive_later(self._life)
        else:
            self._decode_recorded(self._life)

    def stop(self) -> None:
        """The connection is gone."""
        self._life += 1

    def _moment_s(self) -> float:
        return self.begin_s + self._next / self.stream_fps

    def _cost_s(self) -> float:
        return self.frame_s[self.rng.randrange(len(self.frame_s))]

    def _arrive_later(self, life: int) -> None:
        moment_s = self._moment_s() + self.rng.random() * self.jitter_s
        self._last_s = max(self._last_s, moment_s)
        self.agenda.at(self._last_s, lambda: self._arrived(life))

    def _arrived(self, life: int) -> None:
        if life != self._life:
            return
        self._next += 1
        self._waiting += 1
        self._arrive_later(life)
        if not self._decoding:
            self._decode_live(life)

    def _decode_live(self, life: int) -> None:
        self._waiting -= 1
        self._decoding = True
        received_s = self.agenda.now_s

        def decoded() -> None:
            if life != self._life:
                return
            self._decoding = False
            self.give(received_s, self.sampler.due(received_s))
            if self._waiting:
                self._decode_live(life)

        self._cores.run(self._cost_s(), 1.0, decoded)

    def _decode_recorded(self, life: int) -> None:
        def decoded() -> None:
            if life == self._life:
                self.agenda.at(self._moment_s(), lambda: self._give_recorded(life))

        self._cores.run(self._cost_s(), 1.0, decoded)

    def _give_recorded(self, life: int) -> None:
        if life != self._life:
            return
        media_s = self._next / self.stream_fps
        self._next += 1
        self.give(self.agenda.now_s, self.sampler.due(media_s))
        self._decode_recorded(life)


@dataclass(slots=True, kw_only=True)
class DueFrames:
    """A stream of which only the frames that are due are followed; the load of the others is announced to its cores."""

    agenda: Agenda
    rng: random.Random
    fps: float
    frame_s: Sequence[float]
    give: Give
    jitter_s: float = 0.0
    _cores: Cores = field(init=False)
    _life: int = 0
    _moment_s: float = 0.0

    def start(self, cores: Cores) -> None:
        """Begin to send, decoded on ``cores``."""
        self._cores = cores
        self._life += 1
        self._moment_s = self.agenda.now_s + self.rng.random() / self.fps
        self._later(self._life)

    def stop(self) -> None:
        """The connection is gone."""
        self._life += 1

    def _later(self, life: int) -> None:
        self.agenda.at(self._moment_s + self.rng.random() * self.jitter_s, lambda: self._arrived(life))

    def _arrived(self, life: int) -> None:
        if life != self._life:
            return
        received_s = self.agenda.now_s
        self._moment_s += 1 / self.fps
        self._later(life)
        if self.rng.random() > self._cores.served_share:
            return

        def decoded() -> None:
            if life == self._life:
                self.give(received_s, True)

        self._cores.run(self.frame_s[self.rng.randrange(len(self.frame_s))], 1.0, decoded)
