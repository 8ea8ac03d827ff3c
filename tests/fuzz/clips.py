"""Bitstreams and their containers, by the way of every recording: ``run_connection`` and a session."""

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Final

from fuzz.byte_mutation import damaged, damaged_in_place
from fuzz.clip_seeds import CLIPS, make_seeds, packets_of
from fuzz.structured_mutation import (
    Mutator,
    damaged_length_units,
    damaged_mp4,
    damaged_nal_units,
    damaged_riff,
    damaged_ts,
    one_of,
)
from fuzz.target import CANARY, Case, Target, Unexpected, seeds_in

from models.errors import PictureError
from streamer.frame import Frame
from streamer.ingest.connection import run_connection
from streamer.ingest.counters import StreamFormat
from streamer.ingest.errors import ConnectionLost, EndOfStream, StreamStalled
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.video_picture import VideoPicture

_CONTAINERS: Final[Mapping[str, Mutator]] = {
    **dict.fromkeys((".mp4", ".mov", ".3gp"), one_of(damaged_mp4)),
    **dict.fromkeys((".h264", ".h265", ".m4v", ".mpg"), one_of(damaged_nal_units)),
    ".ts": one_of(damaged_ts),
    ".avi": one_of(damaged_riff),
}

#: Whoever shows a stream has seen enough of it then.
_MOST_FRAMES: Final = 300


class LookingSink:
    """Takes frames and looks at them as the networks and the snapshots do."""

    def __init__(self) -> None:
        self.session = Session(camera_id="fuzz", sink=self)
        self.frames = 0
        self.formats: list[StreamFormat] = []
        self.unconvertible = 0

    def opened(self, stream: StreamFormat) -> None:
        self.formats.append(stream)
        if len(self.formats) > 200:
            self.session.stop.set()

    def progressed(self, received_mono_s: float, good_frames: int, left_out: int = 0) -> None:
        """Nothing to do."""

    def frame(self, frame: Frame) -> None:
        self.frames += 1
        if self.frames >= _MOST_FRAMES:
            self.session.stop.set()
        if self.frames % 4 == 1:
            self._look(frame)

    def _look(self, frame: Frame) -> None:
        picture = frame.picture
        height, width = picture.image_hw
        try:
            assert picture.rgb((48, 64)).shape == (48, 64, 3)
            if isinstance(picture, VideoPicture):
                picture.grey((24, 32))
            picture.part_rgb((0, 0, max(1, width // 2), max(1, height // 2)), (16, 16))
            picture.crop_rgb((-5, -5, min(width, 40) + 5, min(height, 40) + 5))
            if height * width <= 1 << 20:
                assert picture.rgb().shape == (height, width, 3)
        except PictureError:
            self.unconvertible += 1


def watch(target: Target, source: Source, sink: LookingSink) -> bool:
    """Run one connection and count what came; whether there was a frame. Raises the reason for its end where there
    was none.
    """
    ended = run_connection(source, sink.session)
    counters = sink.session.counters
    target.count("packets", counters.packets)
    target.count("frames decoded", counters.decoded)
    target.count("frames left out as damaged", counters.skipped_damaged)
    target.count("packets refused by the decoder", counters.decode_errors)
    target.count("frames shown", sink.frames)
    target.count("frames that cannot be converted", sink.unconvertible)
    if ended is None:
        if not sink.session.stop.is_set():
            raise Unexpected("the connection ended without a reason")
        return True
    if ended.__cause__ is not None or ended.__context__ is not None:
        raise Unexpected(f"{type(ended).__name__} drags {ended.__cause__ or ended.__context__!r} along")
    # a recording ends, a camera of ours hangs up
    if isinstance(ended, EndOfStream | ConnectionLost | StreamStalled) and sink.frames:
        return True
    raise ended


class Containers(Target):
    """Damage anywhere in a file: boxes, chunks, packets of transport streams, NAL units, bytes."""

    title = "clips, damaged as files"
    cases = 10_000
    short = 120
    limit_s = 30.0
    most_mb = 1024.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seeds = seeds_in(folder.parent, "clips", make_seeds)

    def make(self, rng: Random) -> Case:
        name = rng.choice(sorted(self._seeds))
        suffix = Path(name).suffix
        mutate = _CONTAINERS.get(suffix, one_of())
        data = mutate(
            self._seeds[name], rng, [self._seeds[other] for other in rng.sample(sorted(self._seeds), 3)]
        )
        return Case(data, suffix, rng.randrange(1 << 16))

    def run(self, case: Case) -> bool:
        path = self.folder / f"clip{case.suffix}"
        path.write_bytes(case.data)
        rng = Random(case.options)
        sink = LookingSink()
        source = Source(
            # no password belongs to a file; one that is there all the same must not be told
            str(path),
            password=CANARY,
            paced=False,
            start_epoch_s=0.0,
            decode_threads=rng.choice((1, 1, 1, 2, 0)),
            skip_frame=rng.choice(("DEFAULT", "AUTO", "NONREF", "NONKEY")),
        )
        return watch(self, source, sink)


class Packets(Containers):
    """Whole containers around damaged packets, which so reach the decoder one and all."""

    title = "clips, damaged packets"
    cases = 12_000
    short = 120

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._packets = {name: packets_of(name, data) for name, data in self._seeds.items()}

    def make(self, rng: Random) -> Case:
        name = rng.choice([name for name, packets in self._packets.items() if packets])
        data = bytearray(self._seeds[name])
        packets = self._packets[name]
        for packet in rng.sample(packets, min(len(packets), rng.choice((1, 1, 2, len(packets))))):
            self._damage(data, packet, rng, has_lengths=name not in CLIPS or CLIPS[name].has_lengths)
        return Case(bytes(data), Path(name).suffix, rng.randrange(1 << 16))

    def _damage(self, data: bytearray, packet: tuple[int, int], rng: Random, *, has_lengths: bool) -> None:
        start, end = packet
        body = bytes(data[start:end])
        if has_lengths and rng.random() < 0.6:
            data[start:end] = damaged_length_units(body, rng)
            return
        if rng.random() < 0.2:
            # another packet, or a piece of random damage, cut or filled to the same size
            other = damaged(body, rng)
            data[start:end] = (other + bytes(len(body)))[: len(body)]
            return
        head = rng.choice((8, 32, len(body)))
        data[start : start + head] = damaged_in_place(body[:head], rng, most=8)[: end - start]
