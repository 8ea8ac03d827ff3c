"""Decoders on a graphics device: NVDEC by way of CUDA, and VAAPI. Why so: docs/adr/0074-hardware-decoding.md."""

import re
from typing import Final, Literal

import av
from av.codec.hwaccel import HWAccel
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streamer.ingest.libav import LogLine

Device = Literal["cuda", "vaapi"]

#: CUDA's context is shared with whatever else uses the device in this process, unless that set it up in another way;
#: then each decoder has its own, which costs memory of the device.
_DEVICE_OPTIONS: Final[dict[Device, tuple[dict[str, object], ...]]] = {
    "cuda": ({"primary_ctx": "1"}, {"primary_ctx": "0"}),
    "vaapi": ({},),
}

#: Surfaces beyond those that the decoder needs for itself: pictures that wait to be looked at hold theirs. NVDEC gives
#: copies and needs none.
_EXTRA_SURFACES: Final = "8"

#: A device that gives nothing whole for so many key frames, or packets in all, is left.
_KEY_FRAMES_IN_VAIN: Final = 3
_PACKETS_IN_VAIN: Final = 500

_DEVICE_FAILED: Final = re.compile(r"hardware accelerator failed|decoder surfaces left|CUDA_ERROR")


def decoder_on(
    device: Device, codec: str, *, extradata: bytes | None = None, reorder_depth: int = 0
) -> VideoCodecContext:
    """A decoder for ``codec`` (libav's name) that leaves its frames on ``device``; for anything that this cannot decode
    it turns to software by itself.

    ``extradata``, ``reorder_depth``: as the stream declares them. Raises ``av.FFmpegError`` or another ``OSError`` when
    the device cannot be used, ``ValueError`` or ``NotImplementedError`` when libav has no such decoder for it.
    """
    *first, last = _DEVICE_OPTIONS[device]
    for options in first:
        try:
            context = _created(device, codec, options)
            break
        except av.FFmpegError:
            continue
    else:
        context = _created(device, codec, last)
    if not context.is_hwaccel:
        raise NotImplementedError(f"libav decodes no {codec} on {device}")
    prepare(context, extradata=extradata, reorder_depth=reorder_depth)
    context.options = {"extra_hw_frames": _EXTRA_SURFACES}
    return context


def prepare(context: VideoCodecContext, *, extradata: bytes | None, reorder_depth: int) -> None:
    """Give a new decoder what its stream declares, and one thread: the device does the work."""
    if extradata is not None:
        context.extradata = extradata
    context.reorder_depth = reorder_depth
    context.thread_type = "NONE"
    context.thread_count = 1


def _created(device: Device, codec: str, options: dict[str, object]) -> VideoCodecContext:
    hwaccel = HWAccel(device, allow_software_fallback=True, options=options, is_hw_owned=True)
    context = av.CodecContext.create(codec, "r", hwaccel)
    if not isinstance(context, VideoCodecContext):
        raise NotImplementedError(f"{codec} is no video")
    return context


class DeviceDecoder:
    """One stream's decoder on ``device``, and whether it is still worth its trust: ``failure`` says in words why it is
    not any more, and None as long as it is.

    Raises what ``decoder_on`` does.
    """

    def __init__(self, device: Device, stream: VideoStream) -> None:
        declared = stream.codec_context
        self.device = device
        self.failure: str | None = None
        self.context = decoder_on(
            device, declared.name, extradata=declared.extradata, reorder_depth=declared.reorder_depth
        )
        self._packets = 0
        self._key_frames = 0

    def decode(self, packet: "Packet[VideoStream]") -> list[av.VideoFrame]:
        """The frames that this packet completes, on the device. Raises ``av.InvalidDataError`` on damage; any other
        error is one of the device."""
        try:
            frames = self.context.decode(packet)
        except av.InvalidDataError:
            raise
        except (av.FFmpegError, ValueError, MemoryError) as error:
            self.failure = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise
        if any(frame.sw_format is None for frame in frames):
            self.failure = "it does not decode this kind of stream"
        return frames

    def follow(self, packet: "Packet[VideoStream]", log: list[LogLine], *, is_whole: bool) -> None:
        """What became of the last packet: what libav said, and whether a frame without damage came out."""
        if is_whole:
            self._packets = self._key_frames = 0
            return
        self._packets += 1
        self._key_frames += packet.is_keyframe
        if self.failure or (self._key_frames < _KEY_FRAMES_IN_VAIN and self._packets < _PACKETS_IN_VAIN):
            return
        said = [text.strip() for _level, _name, text in log if _DEVICE_FAILED.search(text)]
        self.failure = said[-1] if said else "nothing whole comes out of it"


def pixel_format(frame: av.VideoFrame) -> str:
    """libav's name of the format of a frame's pixels, wherever they are."""
    return (frame.sw_format or frame.format).name
