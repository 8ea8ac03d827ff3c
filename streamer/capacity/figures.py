"""What a machine costs per frame, look and camera: measured once, kept as JSON, read by plan and simulation."""

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from streamer.errors import StreamerError

SCHEMA: Final = 1

_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

Milliseconds = Annotated[float, Field(ge=0, le=1e7)]
Samples = Annotated[tuple[Milliseconds, ...], Field(min_length=1, max_length=4096)]
Pixels = Annotated[int, Field(ge=1, le=100_000)]
Size = tuple[Pixels, Pixels]


class FiguresError(StreamerError):
    """Figures that cannot be read, or that do not hold what is asked of them; the message says which."""


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class MachineDescription:
    """What was measured. ``accelerator``: a graphics device on which the networks run; None: the processor."""

    processor: str
    cores: Annotated[int, Field(ge=1, le=4096)]
    memory_mb: Annotated[float, Field(gt=0)]
    accelerator: str | None = None


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class DecodeCost:
    """Processor milliseconds of frames of one kind of stream, from packet to frame, in one thread.

    ``megabits_s``: what such a stream sends.
    """

    codec: str
    image_hw: Size
    fps: Annotated[float, Field(gt=0, le=240)]
    megabits_s: Annotated[float, Field(ge=0)]
    frame_ms: Samples

    @property
    def mean_ms(self) -> float:
        """Mean of a frame."""
        return statistics.fmean(self.frame_ms)


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class BatchCost:
    """What a batch of ``count`` pictures takes, from frames to detections.

    - ``wall_ms``: by the clock, while nothing else runs.
    - ``processor_ms``: of all threads together; of networks on a graphics device what remains for the processor.
    """

    models: Annotated[tuple[str, ...], Field(min_length=1)]
    input_hw: Size
    count: Annotated[int, Field(ge=1, le=1024)]
    wall_ms: Samples
    processor_ms: Samples

    @property
    def wall_mean_ms(self) -> float:
        """Mean of a batch by the clock."""
        return statistics.fmean(self.wall_ms)

    @property
    def processor_mean_ms(self) -> float:
        """Mean processor time of a batch."""
        return statistics.fmean(self.processor_ms)

    @property
    def threads(self) -> float:
        """How many cores a batch keeps busy, at least 1: of the tenth of the batches that were disturbed least."""
        pairs = zip(self.processor_ms, self.wall_ms, strict=False)
        busy = sorted(processor / wall for processor, wall in pairs if wall > 0)
        return max(1.0, statistics.fmean(busy[-max(1, len(busy) // 10) :])) if busy else 1.0


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class HostCost:
    """Processor milliseconds of what stands around decoding and looking, measured in the running daemon.

    - ``look_ms``: of each look in the thread that runs the batches, beside the batch itself.
    - ``verdict_ms``: of each look in the rules' thread: rules, drawing, storing.
    - ``frame_ms``: of each frame in the camera's thread, beside decoding it.
    - ``second_ms``: of each second, whatever the cameras: status, supervision, broker.
    - ``idle_look_ms``: of each look after which there is nothing to look at: threads of the networks that wait for a
      while before they sleep. It delays nobody but takes a core.
    """

    look_ms: Milliseconds
    verdict_ms: Samples
    frame_ms: Milliseconds
    second_ms: Milliseconds
    idle_look_ms: Milliseconds = 0.0

    @property
    def verdict_mean_ms(self) -> float:
        """Mean processor time of the rules for a look."""
        return statistics.fmean(self.verdict_ms)

    @property
    def around_look_ms(self) -> float:
        """Mean processor time of a look beside its batch."""
        return self.look_ms + self.verdict_mean_ms


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class MemoryCost:
    """Resident megabytes: of a daemon with its models and no camera, and of each camera of the largest stream."""

    daemon_mb: Annotated[float, Field(ge=0)]
    camera_mb: Annotated[float, Field(ge=0)]


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class MachineFigures:
    """All that was measured on one machine.

    ``origin``: the command that measured it and when, or in words where figures were assumed. ``others_share``: what
    other processes took of the machine meanwhile; above a tenth the times by the clock are not to be relied on.
    """

    schema_version: Annotated[int, Field(ge=SCHEMA, le=SCHEMA)] = SCHEMA
    origin: str
    machine: MachineDescription
    others_share: Annotated[float, Field(ge=0, le=1)]
    decode: tuple[DecodeCost, ...]
    batches: Annotated[tuple[BatchCost, ...], Field(min_length=1)]
    host: HostCost
    memory: MemoryCost

    def decode_of(self, codec: str, image_hw: tuple[int, int]) -> DecodeCost:
        """The measured stream of this codec that is nearest in pixels. Raises ``FiguresError``."""
        same = [one for one in self.decode if one.codec == codec]
        if not same:
            known = ", ".join(sorted({one.codec for one in self.decode})) or "none"
            raise FiguresError(f"decoding of {codec} was not measured on this machine (measured: {known})")
        pixels = image_hw[0] * image_hw[1]
        return min(same, key=lambda one: abs(one.image_hw[0] * one.image_hw[1] - pixels))

    def decode_ms(self, codec: str, image_hw: tuple[int, int]) -> tuple[float, ...]:
        """Processor milliseconds of single frames, scaled by pixels where this size was not measured."""
        near = self.decode_of(codec, image_hw)
        scale = _pixels_by(image_hw, near.image_hw)
        return tuple(scale * one for one in near.frame_ms)

    def frame_mean_ms(self, codec: str, image_hw: tuple[int, int]) -> float:
        """Mean processor milliseconds of a frame in the camera's thread, scaled likewise."""
        near = self.decode_of(codec, image_hw)
        return _pixels_by(image_hw, near.image_hw) * near.mean_ms + self.host.frame_ms

    def megabits_s(self, codec: str, image_hw: tuple[int, int], fps: float) -> float:
        """What such a stream sends, in proportion to pixels and frames."""
        near = self.decode_of(codec, image_hw)
        return near.megabits_s * _pixels_by(image_hw, near.image_hw) * fps / near.fps

    def alone_ms(self, batch: BatchCost) -> float:
        """Mean milliseconds by the clock of a batch that nothing disturbs."""
        if self.machine.accelerator is not None:
            return batch.wall_mean_ms
        return batch.processor_mean_ms / batch.threads

    def batches_of(self, models: frozenset[str], input_hw: tuple[int, int]) -> dict[int, BatchCost]:
        """Batches of these models and input by their size, scaled by pixels where the input was not measured.

        Raises ``FiguresError`` where these models were not measured together.
        """
        same = [one for one in self.batches if frozenset(one.models) == models]
        if not same:
            known = sorted({" ".join(one.models) for one in self.batches})
            raise FiguresError(
                f"looks by {' '.join(sorted(models))} were not measured on this machine (measured: {', '.join(known)})"
            )
        pixels = input_hw[0] * input_hw[1]
        nearest = min((one.input_hw for one in same), key=lambda hw: abs(hw[0] * hw[1] - pixels))
        scale = _pixels_by(input_hw, nearest)
        return {
            one.count: BatchCost(
                models=one.models,
                input_hw=input_hw,
                count=one.count,
                wall_ms=tuple(scale * ms for ms in one.wall_ms),
                processor_ms=tuple(scale * ms for ms in one.processor_ms),
            )
            for one in sorted(same, key=lambda one: one.count)
            if one.input_hw == nearest
        }


def _pixels_by(image_hw: tuple[int, int], other_hw: tuple[int, int]) -> float:
    return image_hw[0] * image_hw[1] / (other_hw[0] * other_hw[1])


_FILE: Final = TypeAdapter(MachineFigures)


def write_figures(path: Path, figures: MachineFigures) -> None:
    """Write ``path`` anew, whole or not at all."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def read_figures(path: Path) -> MachineFigures:
    """The figures in ``path``. Raises ``FiguresError`` where they are none, ``OSError`` where there is no file."""
    try:
        return _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise FiguresError(
            f"{path}: no figures of `ppewatch bench capacity`: {place}: {first['msg']}"
        ) from None
