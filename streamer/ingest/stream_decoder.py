"""From packets of one video stream to its good frames."""

import re
import time
from collections.abc import Iterator
from typing import Final

import av
import av.logging
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.ingest.counters import StreamCounters
from streamer.ingest.errors import UnsupportedCodec
from streamer.ingest.libav import LogLine
from streamer.ingest.source import Source

#: Every frame of these stands alone: damage ends with the frame.
_INTRA_ONLY: Final = frozenset({"mjpeg", "png", "webp", "jpeg2000", "rawvideo", "prores", "dnxhd", "ffv1"})

#: libav conceals these without marking the frame that comes out of it.
_HIDDEN_DAMAGE: Final = re.compile(
    r"Could not find ref with POC|[Mm]issing reference picture|reference picture missing|"
    r"error while decoding|concealing|co located POCs unavailable",
)

#: A stream that refreshes by rows instead of key frames (intra refresh) is whole again after so long.
_REFRESHED_AFTER_S: Final = 10.0


class StreamDecoder:
    """Decodes packets, skips what is damaged until the next key frame, and counts both.

    ``log`` is what libav says in the calling thread. One thread only; with ``source.decode_threads`` of 1
    frames come out with the packet that completes them.

    Raises ``UnsupportedCodec`` when there is no decoder for the stream.
    """

    def __init__(
        self, stream: VideoStream, source: Source, counters: StreamCounters, log: list[LogLine]
    ) -> None:
        # PyAV leaves out the context when libav has no decoder; its types do not tell.
        context = getattr(stream, "codec_context", None)
        if context is None:
            raise UnsupportedCodec(f"{source.display}: there is no decoder for its video")
        self.codec = str(context.name)
        self._stream = stream
        self._counters = counters
        self._log = log
        if source.decode_threads == 0:
            stream.thread_type = "AUTO"
        else:
            stream.thread_type = "SLICE" if source.decode_threads > 1 else "NONE"
            context.thread_count = source.decode_threads
        context.skip_frame = source.skip_frame
        self._intra_only = self.codec in _INTRA_ONLY
        self._awaits_key_frame = not self._intra_only
        self._undamaged_since_s: float | None = None
        #: Frames that the decoder has given so far, damaged ones included.
        self.given = 0

    def decode(self, packet: "Packet[VideoStream]") -> Iterator[av.VideoFrame]:
        """The good frames that this packet completes; the packet without data at the end gives the rest."""
        frames: list[av.VideoFrame] = []
        before = len(self._log)
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError, MemoryError):
            self._counters.decode_errors += 1
            self._damaged()
        if not self._intra_only and any(_HIDDEN_DAMAGE.search(line[2]) for line in self._log[before:]):
            self._damaged()
        for frame in frames:
            self.given += 1
            self._counters.decoded += 1
            if self._is_good(frame):
                yield frame
            else:
                self._counters.skipped_damaged += 1

    def _damaged(self) -> None:
        self._undamaged_since_s = None
        self._awaits_key_frame = not self._intra_only

    def _is_good(self, frame: av.VideoFrame) -> bool:
        if frame.is_corrupt:
            self._damaged()
            return False
        if not self._awaits_key_frame:
            return True
        now = time.monotonic()
        if self._undamaged_since_s is None:
            self._undamaged_since_s = now
        if frame.key_frame or now - self._undamaged_since_s >= _REFRESHED_AFTER_S:
            self._awaits_key_frame = False
        return not self._awaits_key_frame
