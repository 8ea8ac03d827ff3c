"""From packets of one video stream to its good frames."""

import logging
import re
import time
from collections.abc import Iterator, Mapping
from typing import Final

import av
import av.logging
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.ingest.counters import StreamCounters
from streamer.ingest.device_decoding import Device, DeviceDecoder
from streamer.ingest.errors import UnsupportedCodec
from streamer.ingest.frame_skipping import SKIPPABLE_CODECS, FrameSkipping, Level
from streamer.ingest.libav import LogLine
from streamer.ingest.source import Source

logger = logging.getLogger(__name__)

#: Every frame of these stands alone: damage ends with the frame.
_INTRA_ONLY: Final = frozenset({"mjpeg", "png", "webp", "jpeg2000", "rawvideo", "prores", "dnxhd", "ffv1"})

#: Warnings after which libav gives out a frame that lacks something, without marking it.
_HIDDEN_DAMAGE: Final = re.compile(
    r"Skipping invalid undecodable NALU|Could not find ref with POC|missed \d+ packets"
)

#: Errors that decoders report of streams that look well: quirks of encoders.
_HARMLESS: Final = re.compile(r"mmco|number of reference frames|illegal short term buffer|SEI type|overread")

#: A stream that refreshes by rows instead of key frames (intra refresh) is whole again after so long.
_REFRESHED_AFTER_S: Final = 10.0

#: When the decoder finds fault with all frames for so long it is a quirk of the camera, and the frames are
#: shown.
_FAULTFINDING_LIMIT_S: Final = 10.0


class StreamDecoder:
    """Decodes packets, skips what is damaged until the next key frame, and counts both.

    ``log`` is what libav says in the calling thread. ``skipping`` outlives the rounds of a looped recording; it decides
    what is left out where the source leaves that open (AUTO) and the codec allows it; None: nothing is. ``devices``:
    those that decode, by codec; where one fails, software goes on from the next key frame. One thread only; with
    ``source.decode_threads`` of 1 frames come out with the packet that completes them.

    Raises ``UnsupportedCodec`` when there is no decoder for the stream.
    """

    def __init__(
        self,
        stream: VideoStream,
        source: Source,
        counters: StreamCounters,
        log: list[LogLine],
        *,
        skipping: FrameSkipping | None = None,
        devices: Mapping[str, Device] | None = None,
    ) -> None:
        # PyAV leaves out the context when libav has no decoder; its types do not tell.
        context = getattr(stream, "codec_context", None)
        if context is None:
            raise UnsupportedCodec(f"{source.display}: there is no decoder for its video")
        self.codec = str(context.name)
        self._stream = stream
        self._counters = counters
        self._log = log
        self._threaded = source.decode_threads != 1
        if source.decode_threads == 0:
            stream.thread_type = "AUTO"
        else:
            stream.thread_type = "SLICE" if source.decode_threads > 1 else "NONE"
            context.thread_count = source.decode_threads
        self._on_device = self._device_decoder((devices or {}).get(self.codec), source)
        self._context = context if self._on_device is None else self._on_device.context
        self._level: Level = "DEFAULT" if source.skip_frame == "AUTO" else source.skip_frame
        self._context.skip_frame = self._level
        follows = source.skip_frame == "AUTO" and self.codec in SKIPPABLE_CODECS
        self._skipping = skipping if follows else None
        self._intra_only = self.codec in _INTRA_ONLY
        self._awaits_key_frame = not self._intra_only
        self._undamaged_since_s: float | None = None
        self._where = source.display
        self._heeds_log = True
        self._last_good_s = time.monotonic()
        #: Frames that the decoder has given so far, damaged ones included.
        self.given = 0

    def decode(self, packet: "Packet[VideoStream]") -> Iterator[av.VideoFrame]:
        """The good frames that this packet completes; the packet without data at the end gives the rest."""
        if self._skipping is not None and packet.size:
            self._follow(self._skipping, packet)
        frames: list[av.VideoFrame] = []
        damaged = packet.is_corrupt
        try:
            frames = packet.decode() if self._on_device is None else self._on_device.decode(packet)
        except (av.FFmpegError, ValueError, MemoryError):
            self._counters.decode_errors += 1
            damaged = True
        damaged |= any(frame.is_corrupt for frame in frames)
        damaged |= self._heeds_log and any(_tells_damage(line) for line in self._log)
        if damaged:
            self._undamaged_since_s = None
            self._awaits_key_frame = not self._intra_only
        whole = 0
        for frame in frames:
            self.given += 1
            self._counters.decoded += 1
            if self._skipping is not None:
                self._skipping.gave(frame.time)
                if frame.interlaced_frame:
                    # a field may build on the other one of its frame
                    self._skipping.stop()
            if not damaged and self._is_whole(frame):
                self._last_good_s = time.monotonic()
                whole += 1
                yield frame
            else:
                self._counters.skipped_damaged += 1
        if self._on_device is not None:
            self._on_device.follow(packet, self._log, is_whole=whole > 0)
            self._leave_failed(self._on_device)
        if damaged and self._heeds_log:
            self._question_log()

    def close(self) -> None:
        """Wait for the decoder's threads; call before the container is closed.

        PyAV frees a decoder while it holds the interpreter's lock, and libav then waits for threads of which one may
        want that lock to say what is wrong with its frame: neither would ever go on.
        """
        if self._threaded:
            self._stream.codec_context.flush_buffers()

    @property
    def leaves_out(self) -> bool:
        """Whether packets come now whose frames the decoder leaves out on purpose."""
        return self._level != "DEFAULT"

    @property
    def device(self) -> Device | None:
        """What decodes, unless that is the processor."""
        return None if self._on_device is None else self._on_device.device

    def _device_decoder(self, device: Device | None, source: Source) -> DeviceDecoder | None:
        if device is None:
            return None
        try:
            return DeviceDecoder(device, self._stream)
        except (av.FFmpegError, OSError, ValueError, NotImplementedError) as error:
            logger.warning("%s: decoding on %s is not possible (%s)", source.display, device, error)
            return None

    def _leave_failed(self, on_device: DeviceDecoder) -> None:
        """Go on in software once the device has failed; a new connection begins on the device again."""
        if on_device.failure is None:
            return
        logger.warning(
            "%s: decoding on %s failed (%s); it goes on in software",
            self._where,
            on_device.device,
            on_device.failure,
        )
        self._on_device = None
        self._context = self._stream.codec_context
        self._context.skip_frame = self._level
        self._undamaged_since_s = None
        self._awaits_key_frame = not self._intra_only

    def _follow(self, skipping: FrameSkipping, packet: "Packet[VideoStream]") -> None:
        """Decode this packet at the level that leaves enough frames."""
        stamp = packet.pts if packet.dts is None else packet.dts
        at_s = None if stamp is None else float(stamp * packet.time_base)
        level = skipping.before(at_s, is_key=packet.is_keyframe, reorders=bool(self._context.has_b_frames))
        if level != self._level:
            logger.debug("%s: the decoder goes from %s to %s", self._where, self._level, level)
            self._context.skip_frame = self._level = level

    def _is_whole(self, frame: av.VideoFrame) -> bool:
        """Whether an undamaged frame also builds upon undamaged ones."""
        if not self._awaits_key_frame:
            return True
        now = time.monotonic()
        if self._undamaged_since_s is None:
            self._undamaged_since_s = now
        if frame.key_frame or now - self._undamaged_since_s >= _REFRESHED_AFTER_S:
            self._awaits_key_frame = False
        return not self._awaits_key_frame

    def _question_log(self) -> None:
        """Stop heeding messages that condemn every frame; damage that libav marks still counts."""
        if time.monotonic() - self._last_good_s > _FAULTFINDING_LIMIT_S:
            self._heeds_log = False
            logger.warning(
                "%s: the decoder finds fault with every frame; they are shown as they are", self._where
            )


def _tells_damage(line: LogLine) -> bool:
    """Whether the demuxer or the decoder told of something that spoils the frame at hand."""
    level, _name, message = line
    if level <= av.logging.ERROR:
        return not _HARMLESS.search(message)
    return _HIDDEN_DAMAGE.search(message) is not None
