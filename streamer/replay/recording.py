"""A recording through the models and one camera's rules, without threads, clock or broker."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from models.detector import Detector
from models.letterbox import default_input_size, input_hw_for
from models.tiles import detect_views, whole_view
from rules import EndReason
from streamer.followed import FollowedHeads
from streamer.frame import Frame
from streamer.inference.tiling import Tiling
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.composer import ComposedAlert
from streamer.judging.heads_to_follow import heads_to_follow

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
    tiling: Tiling | None = None,
    heads: FollowedHeads | None = None,
    start_epoch_s: float,
    on_looked: Callable[[int, float], None] = lambda _frames, _seconds: None,
) -> Iterator[ReplayedAlert]:
    """The messages that the recording leads to, in order.

    - ``fps``: looks per second of the recording, None for every frame.
    - ``longest_side_px``: as a camera's ``input_size``; None chooses by the picture's size.
    - ``tiling``: as a camera's ``tiles``; None: the whole pictures alone. ``heads`` is told after each look where the
      heads of those who are followed are, for this ``tiling``: each look then waits for the one before.
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
    for batch in _batches(frames, 1 if heads is not None else _BATCH):
        image_hw = batch[0].image_hw
        input_hw = input_hw_for(image_hw, longest_side_px or default_input_size(image_hw))
        views = [
            (whole_view(image_hw),) if tiling is None else tiling.views(image_hw, input_hw) for _ in batch
        ]
        seen = detect_views(detector, batch, views, input_hw, at_most=_BATCH)
        for frame, detections in zip(batch, seen, strict=True):
            at = frame.captured_at
            for composed in judge.look(frame, detections):
                yield ReplayedAlert(next(numbers), at, composed)
            if heads is not None:
                heads.boxes = heads_to_follow(judge.tracks, detections)
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


def _batches(frames: Iterator[Frame], at_most: int) -> Iterator[list[Frame]]:
    """Neighbours of one size, up to ``at_most`` of them."""
    for _, same_size in itertools.groupby(frames, key=lambda frame: frame.image_hw):
        while batch := list(itertools.islice(same_size, at_most)):
            yield batch
