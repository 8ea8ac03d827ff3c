"""How large the heads in a camera's picture are now, and what it would take to judge them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final

from models.detector import SelectiveDetector
from models.letterbox import INPUT_MULTIPLE, default_input_size, input_hw_for
from models.tiles import whole_view
from rules import CameraEngine
from streamer.fitness.head_sizes import LARGE_ENOUGH_PX, HeadSizes, ZoneHeads
from streamer.inference.demand import CameraDemand
from streamer.inference.tiled_attempts import detect_views_with_care
from streamer.ingest.connection import NoSink, read_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.judging.heads_measured import count_heads

#: Looks a second at most: people are followed, so that one false detection is nobody.
_LOOKS_PER_S: Final = 3.0

#: A machine that looks slowly gets more time for so many looks, up to so many times as long.
_LEAST_LOOKS: Final = 12
_LONGEST: Final = 4

#: Pictures that share one call of the models.
_AT_ONCE: Final = 4

#: Of a grid of n x n tiles that overlap by a fifth, each shows its part so many times as large.
_GRID_GAINS: Final = ((2, 1.8), (3, 2.6), (4, 3.4))


@dataclass(frozen=True, slots=True)
class HeadsSeen:
    """What was seen of heads in some seconds.

    - ``zones``: the whole picture first, then every zone.
    - ``looks``: pictures that were looked at, in ``seconds``.
    - ``image_hw``: of the picture; ``input_px``: the network's longest side.
    """

    zones: tuple[ZoneHeads, ...]
    looks: int
    seconds: float
    image_hw: tuple[int, int]
    input_px: int


def heads_seen(
    source: Source,
    *,
    detector: SelectiveDetector,
    demand: CameraDemand,
    engine: CameraEngine,
    zones: tuple[str, ...],
    seconds: float,
) -> HeadsSeen:
    """Look at a camera for ``seconds`` as the daemon would, or somewhat longer where that gave few looks.

    Raises ``IngestError`` when it cannot be read.
    """
    sizes = HeadSizes(zones)
    session = Session(camera_id=demand.camera_id, sink=NoSink(), fps=min(demand.fps, _LOOKS_PER_S))
    looks, image_hw, input_px = 0, (1, 1), 0
    began_s = last_s = time.monotonic()
    for frame in read_frames(source, session):
        image_hw = frame.image_hw
        input_hw = input_hw_for(image_hw, demand.longest_side_px or default_input_size(image_hw))
        input_px = max(input_hw)
        tiling = demand.tiling
        views = (whole_view(image_hw),) if tiling is None else tiling.views(image_hw, input_hw)
        outcome = detect_views_with_care(
            detector, [frame], [views], input_hw, [demand.models], at_most=_AT_ONCE
        )
        for detections in outcome.detections:
            if detections is not None:
                looks += 1
                engine.observe(detections, frame.captured_at)
                count_heads(sizes, engine.tracks, detections, frame.captured_at)
        last_s = time.monotonic()
        passed_s = last_s - began_s
        if passed_s >= seconds and (looks >= _LEAST_LOOKS or passed_s >= _LONGEST * seconds):
            break
    session.stop.set()
    return HeadsSeen(sizes.report(), looks, last_s - began_s, image_hw, input_px)


def advice_for(heads: ZoneHeads, seen: HeadsSeen) -> Iterator[str]:
    """Settings at which the median head of a zone would count fully; nothing where it does."""
    if heads.median_px is None or heads.median_px >= LARGE_ENOUGH_PX:
        return
    gain = LARGE_ENOUGH_PX / heads.median_px
    longest_px = max(seen.image_hw)
    wanted_px = ceil(gain * seen.input_px / INPUT_MULTIPLE) * INPUT_MULTIPLE
    # enlarging a picture by half helps the detector; beyond that it shows nothing that the camera did not send
    if wanted_px <= 1.5 * longest_px:
        yield f"input_size: {wanted_px}"
    for tiles, larger in _GRID_GAINS:
        if larger >= gain and larger * seen.input_px <= 2 * longest_px:
            yield f"tiles: {{grid: [{tiles}, {tiles}]}}"
            return
