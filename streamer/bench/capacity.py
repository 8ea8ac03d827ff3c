"""What this machine costs per frame, look and camera: the figures that ``ppewatch plan`` and ``simulate`` reckon with.

Frames and batches are measured alone, what stands around them in the running daemon: processor time of its threads by
purpose, less what the frames and batches take alone.
"""

import importlib.metadata
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

import av

from models.detector import RunsBeside
from models.letterbox import default_input_size, input_hw_for
from streamer.bench.broker import bench_broker
from streamer.bench.clips import camera_clip
from streamer.bench.daemon_child import DaemonChild
from streamer.bench.load import Load, Outcome, run_apart
from streamer.bench.others import watched_others
from streamer.bench.ratios import processor_name
from streamer.bench.sites import write_site
from streamer.capacity.figures import (
    BatchCost,
    DecodeCost,
    HostCost,
    MachineDescription,
    MachineFigures,
    MemoryCost,
)
from streamer.detector_loading import load_detector
from streamer.frame import Frame
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source

#: Rows and columns of streams that are measured when no recording is given.
STREAMS_HW: Final = ((720, 1280), (1080, 1920))

#: Single measurements that are kept of frames and of batches.
_FRAMES: Final = 200
_LOOKS_FPS: Final = 2.0
#: More looks a second of each camera than any machine does.
_TOO_MANY_FPS: Final = 25.0


def measure_capacity(
    clip: Path,
    *,
    models: Sequence[Collection[str]],
    streams: Sequence[Path] = (),
    input_sizes_px: Sequence[int] = (),
    batch_sizes: Sequence[int] | None = None,
    repeats: int = 40,
    seconds: float = 12.0,
    memory: bool = True,
    tell: Callable[[str], None] = lambda _text: None,
) -> MachineFigures:
    """Measure everything; ``tell`` hears what is measured now.

    - ``clip``: whose pictures are looked at. ``streams``: recordings whose decoding is measured; none: ``clip`` made
      into camera streams of ``STREAMS_HW``.
    - ``models``: sets of models that look together. ``input_sizes_px``: longest sides of the networks' input; none: the
      usual one of the clip's picture.
    - ``batch_sizes`` None: 1 on a processor, which looks at one picture after the other, up to 8 on a device.
    - ``repeats``: of each batch; ``seconds``: how long the daemon runs.
    """
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as kept, watched_others() as others:
        folder = Path(kept)
        recordings = [*streams] or [camera_clip(clip, folder, image_hw=hw) for hw in STREAMS_HW]
        decode = []
        for one in recordings:
            tell(f"decoding {one.name}")
            decode.append(decode_cost(one))
        batches: list[BatchCost] = []
        for lookers in models:
            tell(f"looks by {' '.join(sorted(lookers))}")
            batches += batch_costs(
                clip, lookers, input_sizes_px=input_sizes_px, batch_sizes=batch_sizes, repeats=repeats
            )
        tell("the daemon")
        host = _host_cost(recordings[0], decode[0], sorted(models[0]), seconds=seconds)
        tell("memory")
        widest = sorted({name for lookers in models for name in lookers})
        kept_mb = _memory_cost(recordings, widest, folder) if memory else MemoryCost(daemon_mb=0, camera_mb=0)
    version = importlib.metadata.version("ppewatch")
    return MachineFigures(
        origin=f"ppewatch {version} bench capacity, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=describe_machine(_device(models[0])),
        others_share=round(others.share, 3),
        decode=tuple(decode),
        batches=tuple(batches),
        host=host,
        memory=kept_mb,
    )


def describe_machine(accelerator: str | None) -> MachineDescription:
    """This machine, as far as this process may use it."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return MachineDescription(
        processor=processor_name(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=round(pages / 1e6),
        accelerator=accelerator,
    )


def _device(models: Collection[str]) -> str | None:
    """The device on which the networks run, or None: the processor."""
    detector = load_detector(models=models)
    return "gpu" if isinstance(detector, RunsBeside) and detector.runs_beside else None


def decode_cost(recording: Path) -> DecodeCost:
    """Processor time of single frames of ``recording`` in our reader."""
    with av.open(str(recording)) as container:
        stream = container.streams.video[0]
        codec, rate = stream.codec_context.name, float(stream.average_rate or 25)
        image_hw = (stream.codec_context.height, stream.codec_context.width)
        seconds = (
            float((stream.duration or 0) * (stream.time_base or 0)) or float(container.duration or 0) / 1e6
        )
    source = Source(str(recording), paced=False, loop=True, start_epoch_s=0.0)
    frames = read_frames(source, Session(camera_id="bench", sink=NoSink()))
    next(frames)  # makes the decoder ready
    costs_ms, last_s = [], time.thread_time()
    for _ in islice(frames, _FRAMES):
        now_s = time.thread_time()
        costs_ms.append(round(1000 * (now_s - last_s), 3))
        last_s = now_s
    return DecodeCost(
        codec=codec,
        image_hw=image_hw,
        fps=round(rate, 3),
        megabits_s=round(recording.stat().st_size * 8e-6 / max(seconds, 0.04), 3),
        frame_ms=tuple(costs_ms),
    )


def batch_costs(
    clip: Path,
    models: Collection[str],
    *,
    input_sizes_px: Sequence[int],
    batch_sizes: Sequence[int] | None,
    repeats: int,
) -> Iterator[BatchCost]:
    """The times of batches of ``clip``'s pictures; arguments as for ``measure_capacity``."""
    detector = load_detector(models=models)
    beside = isinstance(detector, RunsBeside) and detector.runs_beside
    pictures = _frames_of(clip)
    image_hw = pictures[0].image_hw
    for size_px in input_sizes_px or (default_input_size(image_hw),):
        input_hw = input_hw_for(image_hw, size_px)
        for count in batch_sizes or ((1, 2, 4, 8) if beside else (1,)):
            detector.warm_up(input_hw, (count,))
            detector.detect((pictures * count)[:count], input_hw)
            wall_ms, processor_ms = [], []
            for repeat in range(repeats):
                # a frame keeps what it was converted to: each time fresh ones, as the daemon has them
                if repeat % len(pictures) == 0:
                    pictures = _frames_of(clip)
                chosen = [pictures[(repeat + place) % len(pictures)] for place in range(count)]
                began_s, worked_s = time.perf_counter(), time.process_time()
                detector.detect(chosen, input_hw)
                processor_ms.append(round(1000 * (time.process_time() - worked_s), 3))
                wall_ms.append(round(1000 * (time.perf_counter() - began_s), 3))
            yield BatchCost(
                models=tuple(sorted(models)),
                input_hw=input_hw,
                count=count,
                wall_ms=tuple(wall_ms),
                processor_ms=tuple(processor_ms),
            )


def _frames_of(clip: Path, *, count: int = 24) -> list[Frame]:
    """Frames spread over a recording."""
    source = Source(str(clip), paced=False, start_epoch_s=0.0)
    session = Session(camera_id="bench", sink=NoSink(), fps=1.0)
    return list(islice(read_frames(source, session), count))


def _host_cost(recording: Path, decode: DecodeCost, models: Sequence[str], *, seconds: float) -> HostCost:
    """From the daemon with two cameras that it can serve, and with two of which it is asked for more than it can: what
    its threads do beside decoding and batches.
    """
    with bench_broker() as (_, port):
        load = Load(
            clip=str(recording.resolve()),
            cameras=2,
            fps=_LOOKS_FPS,
            models=tuple(models),
            seconds=seconds,
            broker_port=port,
            input_size_px=640,
        )
        calm = run_apart("daemon", load)
        busy = run_apart("daemon", replace(load, fps=_TOO_MANY_FPS))
    return host_cost_of(calm, busy, decode, alone_ms=_alone_ms(recording, models), cameras=load.cameras)


def host_cost_of(
    calm: Outcome, busy: Outcome, decode: DecodeCost, *, alone_ms: float, cameras: int
) -> HostCost:
    """What is left of the daemon's threads without frames of ``decode`` and batches of ``alone_ms`` each.

    ``busy``: where one look follows the other, so that no thread of the networks waits for the next.
    """
    looks = max(1, sum(calm.looks))
    frames = decode.fps * calm.seconds * cameras
    spent_s = calm.processor_s
    verdicts_s = calm.verdicts_s or [spent_s.get("judging", 0.0) / looks]
    # storing and handing on, which the rules' thread does around each verdict
    around_s = max(0.0, spent_s.get("judging", 0.0) - sum(verdicts_s)) / looks
    known = {"decoding", "looking", "networks", "judging", "all"}
    rest_s = sum(value for purpose, value in spent_s.items() if purpose not in known)
    look_ms = max(0.0, _looking_ms(busy) - alone_ms)
    return HostCost(
        look_ms=round(look_ms, 3),
        verdict_ms=tuple(round(1000 * (one + around_s), 3) for one in verdicts_s),
        frame_ms=round(max(0.0, 1000 * spent_s.get("decoding", 0.0) / frames - decode.mean_ms), 3),
        second_ms=round(1000 * rest_s / calm.seconds, 3),
        idle_look_ms=round(max(0.0, _looking_ms(calm) - alone_ms - look_ms), 3),
    )


def _looking_ms(daemon: Outcome) -> float:
    """Processor time of a look in the worker's thread and those of the networks."""
    spent_s = daemon.processor_s.get("looking", 0.0) + daemon.processor_s.get("networks", 0.0)
    return 1000 * spent_s / max(1, sum(daemon.looks))


def _alone_ms(recording: Path, models: Collection[str]) -> float:
    """Processor time of a batch of one such frame as the daemon's cameras look at it, alone."""
    (cost,) = batch_costs(recording, models, input_sizes_px=(640,), batch_sizes=(1,), repeats=20)
    return statistics.fmean(cost.processor_ms)


def _memory_cost(recordings: Sequence[Path], models: Sequence[str], folder: Path) -> MemoryCost:
    """A line through daemons with one and with four cameras of the largest stream."""
    largest = max(recordings, key=lambda one: one.stat().st_size)
    readings = []
    with bench_broker() as (_, port):
        for count in (1, 4):
            place = folder / f"memory{count}"
            place.mkdir()
            site = write_site(place, [largest] * count, broker_port=port, fps=_LOOKS_FPS, models=models)
            with DaemonChild(site) as daemon:
                daemon.start()
                time.sleep(8.0)
                readings.append(daemon.memory().rss_mb)
    one_mb = max(0.0, (readings[1] - readings[0]) / 3)
    return MemoryCost(daemon_mb=round(max(0.0, readings[0] - one_mb), 1), camera_mb=round(one_mb, 1))
