"""Decoders with threads of their own: damaged recordings, left in the middle, end and say little."""

import subprocess
import sys
from pathlib import Path

from ingest_clips import write_clip

ROOT = Path(__file__).parents[2]

#: Reads the beginning of each recording in turn, again and again.
READING = """
import logging, sys
from streamer.ingest.connection import NoSink, run_connection
from streamer.ingest.session import Session
from streamer.ingest.source import Source

class Leaving(NoSink):
    def __init__(self):
        self.session = Session(camera_id="c", sink=self)
    def frame(self, frame):
        self.session.stop.set()

logging.basicConfig(level=logging.WARNING, format="LOGGED %(name)s")
for _ in range(30):
    for path in sys.argv[1:]:
        sink = Leaving()
        run_connection(Source(path, paced=False, decode_threads=0), sink.session)
print("all read")
"""


def damaged(path: Path, *, size_hw: tuple[int, int]) -> Path:
    """A recording in which every tenth byte of each second picture is another; its container is whole."""
    write_clip(path, frames=40, gop=5, size_hw=size_hw)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    for place in range(start + 2000, data.index(b"moov") - 100, 97):
        data[place] ^= 0x55
    path.write_bytes(data)
    return path


def test_a_damaged_recording_that_is_left_never_blocks_the_interpreter(tmp_path: Path) -> None:
    paths = [damaged(tmp_path / f"{side}.mp4", size_hw=(side, side * 2)) for side in (64, 120, 240)]
    done = subprocess.run(
        [sys.executable, "-c", READING, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stdout == "all read\n", done.stderr[-2000:]
    # what libav's own threads say goes nowhere; the rest is collapsed by the connection
    assert {line for line in done.stderr.splitlines() if "LOGGED" in line} <= {
        "LOGGED streamer.ingest.video_source"
    }
