"""What a decoder saves by leaving frames out: the demo clip encoded in the ways in which cameras encode.

    python benchmarks/bench_left_out.py

Prints, per encoding and wanted looks per second, the cost of decoding as part of decoding everything.
"""

import statistics
import tempfile
from fractions import Fraction
from pathlib import Path

import av

from streamer.bench.decode import cost_of_looks
from streamer.demo.site import CLIP

FPS = 25
ENCODINGS = {
    "H.264, no B-frames, key frame each 2 s": ("libx264", 50, {"bf": "0"}),
    "H.264, no B-frames, key frame each 1 s": ("libx264", 25, {"bf": "0"}),
    "H.264, 2 B-frames": ("libx264", 50, {"bf": "2", "b_strategy": "0", "b-pyramid": "none"}),
    "H.264, 3 B-frames in two layers": ("libx264", 50, {"bf": "3", "b_strategy": "0"}),
    "H.265, 3 B-frames in two layers": ("libx265", 50, {"x265-params": "bframes=3:b-adapt=0:log-level=none"}),
}


def encode(path: Path, codec: str, gop: int, options: dict[str, str]) -> None:
    """The demo clip anew."""
    with av.open(str(CLIP)) as clip, av.open(str(path), "w") as container:
        size = clip.streams.video[0]
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        stream.options, stream.gop_size = (
            {"preset": "ultrafast" if codec == "libx265" else "veryfast"} | options,
            gop,
        )
        for number, frame in enumerate(clip.decode(video=0)):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, FPS), 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    """Encode, measure, print."""
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        for number, (name, (codec, gop, options)) in enumerate(ENCODINGS.items()):
            path = Path(folder) / f"{number}.mp4"
            encode(path, codec, gop, options)
            told = []
            for fps in (5.0, 1.0, 0.5):
                costs, frames = cost_of_looks(path, fps)
                told.append(f"{fps:g} fps {statistics.median(costs):.2f} ({frames})")
            print(f"{name:<40} {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
