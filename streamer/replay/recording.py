"""A recording through the models and one camera's rules, without threads, clock or broker."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from models.detector import Detector
from models.letterbox import default_input_size, input_hw_for
from rules import EndReason
from streamer.frame import Frame
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.composer import ComposedAlert

#: Frames that are looked at together.
_BATCH: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class ReplayedAlert:
    """One message and its place in the order; ``at`` is the time of the frame that led to it (UTC epoch s)."""

    seq: int
    at: float
    composed: ComposedAlert

    def to_json(self) -> bytes:
        """The payload as over MQTT; ``published_at`` is ``at``, so that a second replay gives the same."""
        return self.composed.alert.to_json(seq=self.seq, published_at=self.at, delayed=False)


def replay(
    path: Path,
    *,
    detector: Detector,
    judge: CameraJudge,
    camera_id: str,
    fps: float | None,
    longest_side_px: int | None,
    start_epoch_s: float,
    on_looked: Callable[[int, float], None] = lambda _frames, _seconds: None,
) -> Iterator[ReplayedAlert]:
    """The messages that the recording leads to, in order.

    - ``fps``: looks per second of the recording, None for every frame.
    - ``longest_side_px``: as a camera's ``input_size``; None chooses by the picture's size.
    - ``start_epoch_s``: when the recording began (UTC), for schedules and time stamps.
    - ``on_looked``: told after each batch how many frames it had and how many seconds of the recording are done.

    The end of the recording ends open episodes with ``shutdown``. Raises ``IngestError`` when it cannot be read.
    """
    # absolute, so that no name of a file can be taken for a webcam or a URL
    source = Source(str(path.absolute()), paced=False, start_epoch_s=start_epoch_s, decode_threads=0)
    frames = read_frames(source, Session(camera_id=camera_id, sink=NoSink(), fps=fps))
    judge.model_digests = dict(detector.digests)
    numbers = itertools.count(1)
    at = start_epoch_s
    for batch in _batches(frames):
        image_hw = batch[0].image_hw
        input_hw = input_hw_for(image_hw, longest_side_px or default_input_size(image_hw))
        for frame, detections in zip(batch, detector.detect(batch, input_hw), strict=True):
            at = frame.captured_at
            for composed in judge.look(frame, detections):
                yield ReplayedAlert(next(numbers), at, composed)
        on_looked(len(batch), at - start_epoch_s)
    for composed in judge.finish(EndReason.SHUTDOWN, at):
        yield ReplayedAlert(next(numbers), at, composed)


def duration_of(path: Path) -> float | None:
    """How long a recording says it is, in seconds; None where it does not say, or is none."""
    if not path.is_file():
        return None
    try:
        with av.open(f"file:{path.absolute()}") as container:
            return None if container.duration is None else container.duration / av.time_base
    except (OSError, av.FFmpegError):
        # the replay itself says what is wrong with it
        return None


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    """Neighbours of one size, up to ``_BATCH`` of them."""
    for _, same_size in itertools.groupby(frames, key=lambda frame: frame.image_hw):
        while batch := list(itertools.islice(same_size, _BATCH)):
            yield batch
