"""Looks at a source once and reports what it gives."""

import time
from dataclasses import dataclass, replace
from typing import Final

from streamer.frame import Frame
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.counters import StreamFormat
from streamer.ingest.errors import NoVideo
from streamer.ingest.session import Session
from streamer.ingest.source import Source

#: Enough of a recording to see its rates; at full speed this is a moment.
_RECORDED_FRAMES: Final = 300


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a source gives.

    - ``stream``: codec, size, pixel format, declared rate, decoder.
    - ``measured_fps``: frames per second by the stream's own clock, else by reception; None with a single
      frame.
    - ``keyframe_interval_s``: mean time between key frames, or None when fewer than two came. A picture
      damaged on its way is back after so long.
    - ``frames``, ``damaged_frames``: good frames seen, and frames left out.
    - ``connect_s``: seconds to the first good frame.
    - ``sample``: the last good frame.
    """

    stream: StreamFormat
    measured_fps: float | None
    keyframe_interval_s: float | None
    frames: int
    damaged_frames: int
    connect_s: float
    sample: Frame


def probe(source: Source, *, camera_id: str = "probe", seconds: float = 4.0) -> ProbeReport:
    """Connect, watch for so many seconds (a recording: its first 300 frames), and report.

    Raises ``IngestError`` when no video comes.
    """
    sink = NoSink()
    session = Session(camera_id=camera_id, sink=sink)
    started_s = time.monotonic()
    first_s: float | None = None
    times: list[float] = []
    key_times: list[float] = []
    keys_seen = 0
    sample: Frame | None = None
    for frame in read_frames(replace(source, paced=False, loop=False), session):
        now = time.monotonic()
        first_s = now if first_s is None else first_s
        sample = frame
        times.append(frame.received_mono_s if frame.pts_s is None else frame.pts_s)
        if session.counters.key_frames > keys_seen:
            keys_seen = session.counters.key_frames
            key_times.append(times[-1])
        if now - first_s >= seconds or len(times) >= _RECORDED_FRAMES:
            break
    if sample is None or sink.stream is None or first_s is None:
        raise NoVideo(f"{source.display}: no frame came")
    if len(times) > 1 and session.counters.decoded > 1 and abs(times[1] - times[0]) > seconds:
        # The very first frame of an RTSP stream can come without a time stamp of its own.
        times, key_times = times[1:], [at for at in key_times if at != times[0]]
    return ProbeReport(
        stream=sink.stream,
        measured_fps=_mean_rate(times),
        keyframe_interval_s=None if (rate := _mean_rate(key_times)) is None else 1.0 / rate,
        frames=len(times),
        damaged_frames=session.counters.skipped_damaged,
        connect_s=first_s - started_s,
        sample=sample,
    )


def _mean_rate(times_s: list[float]) -> float | None:
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return None
    return (len(times_s) - 1) / (times_s[-1] - times_s[0])
