"""What is counted per camera, and what is known of its stream."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(slots=True)
class StreamCounters:
    """Since the camera was configured; only its decoder thread writes, anybody may read.

    - ``packets``: video packets received.
    - ``key_frames``: those of them from which decoding can begin.
    - ``decoded``: frames that the decoder gave, good or not.
    - ``due``: good frames at the wanted rate, handed on but for those held back.
    - ``held_looks``: those of them that the gate held back, because nothing moved.
    - ``skipped_damaged``: frames left out because they, or what they build upon, were damaged.
    - ``decode_errors``: packets that the decoder refused.
    - ``format_changes``: changes of size or pixel format within a connection.
    """

    packets: int = 0
    key_frames: int = 0
    decoded: int = 0
    due: int = 0
    held_looks: int = 0
    skipped_damaged: int = 0
    decode_errors: int = 0
    format_changes: int = 0


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """What a stream carries.

    - ``codec``: libav's name, such as ``h264``, ``hevc``, ``mjpeg``.
    - ``image_hw``: height and width of its frames in pixels, as ``Frame.image_hw`` gives them.
    - ``pixel_format``: libav's name, such as ``yuv420p``.
    - ``fps``: the rate that the stream declares, or None.
    - ``pixel_aspect``: width of a stored pixel divided by its height; other than 1 the picture looks
      squeezed.
    - ``decoder``: the decoder in use, such as ``h264 (software)``.
    - ``device``: the graphics device that decodes, such as ``cuda``; None where the processor does.
    """

    codec: str
    image_hw: tuple[int, int]
    pixel_format: str
    fps: float | None
    pixel_aspect: Fraction
    decoder: str
    device: str | None = None

    def __str__(self) -> str:
        height, width = self.image_hw
        rate = f", {self.fps:g} fps" if self.fps else ""
        where = f", decoded on {self.device}" if self.device else ""
        return f"{self.codec} {width}x{height} {self.pixel_format}{rate}{where}"
