"""The clip that the cameras of this folder show."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from streamer.soak.busy_clip import busy_clip

#: The busy clip, at a third of its pace: somebody is without a mask for 6 s, then with one for 5 s.
PICTURES_PER_S = 4


@pytest.fixture(scope="session")
def slow_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    target = folder / "slow.mp4"
    with av.open(str(busy_clip(folder))) as source, av.open(str(target), "w") as container:
        x264 = "libx264" in av.codecs_available
        stream = container.add_stream("libx264" if x264 else "mpeg4", rate=PICTURES_PER_S)
        stream.width, stream.height = (source.streams.video[0].width, source.streams.video[0].height)
        stream.pix_fmt = "yuv420p"
        stream.gop_size = PICTURES_PER_S
        stream.max_b_frames = 0
        for number, frame in enumerate(source.decode(video=0)):
            frame.pts, frame.time_base = number, Fraction(1, PICTURES_PER_S)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target
