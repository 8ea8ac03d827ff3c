"""Video without a decoder is refused before anything is decoded: PyAV's process ends where one tries to.

PyAV leaves a stream's context out when libav has no decoder (its issue 2344), and does not ask for it when it decodes.
"""

from pathlib import Path

import av
import pytest
from ingest_clips import Collector, read_all, write_clip

from streamer.ingest.connection import run_connection
from streamer.ingest.errors import NoVideo, UnsupportedCodec
from streamer.ingest.session import Session
from streamer.ingest.source import Source

#: Container, what names the codec there, and a name of the same length that stands for none.
CASES = [
    (".mp4", "libx264", b"avc1", b"zzzz"),
    (".mkv", "libx264", b"V_MPEG4/ISO/AVC", b"V_XXXXX/XXX/XXX"),
    (".avi", "mjpeg", b"MJPG", b"ZZZZ"),
    (".avi", "mpeg4", b"FMP4", b"ZZZZ"),
]


@pytest.mark.parametrize(("suffix", "codec", "name", "other"), CASES)
def test_a_codec_that_nobody_knows_is_refused(
    tmp_path: Path, suffix: str, codec: str, name: bytes, other: bytes
) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", codec=codec)
    path.write_bytes(path.read_bytes().replace(name, other))
    with av.open(str(path)) as container:
        assert getattr(container.streams.video[0], "codec_context", None) is None
    for threads in (0, 1):
        with pytest.raises(UnsupportedCodec, match="no decoder for its video"):
            read_all(path, decode_threads=threads)
    ended = run_connection(Source(str(path), paced=False), Session(camera_id="c", sink=Collector()))
    assert isinstance(ended, UnsupportedCodec)


def test_another_stream_without_a_decoder_does_no_harm(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mkv", sound=True, frames=10)
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    frames, _ = read_all(path)
    assert len(frames) == 10


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "sound.mp4", sound=True, picture_too=False)
    with pytest.raises(NoVideo):
        read_all(path)
