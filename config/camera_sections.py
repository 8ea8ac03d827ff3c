"""Settings of a camera that form a section: zones, privacy, decoding, motion, tiles, fitness, snapshots,
reconnecting.
"""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from config.base import Settings, bounded
from config.errors import LocatedValueError
from config.polygons import RelativePolygon
from config.quantities import Bytes, Seconds

#: A look with more tiles than this costs more than any camera is worth.
MAX_TILES: Final = 16


class Anchor(StrEnum):
    """The point of a person that is tested against a zone."""

    FEET = "feet"
    CENTER = "center"
    HEAD = "head"


class Blur(StrEnum):
    """Whose face is blurred on snapshots."""

    NONE = "none"
    BYSTANDERS = "bystanders"
    EVERYONE = "everyone"


class ZoneSettings(Settings):
    """A part of a camera's picture."""

    polygon_xy: RelativePolygon = Field(
        alias="coordinates",
        description='Corners "x1,y1, x2,y2, ..." in order around the zone, relative to the picture: 0,0 is'
        " the top left"
        " corner, 1,1 the bottom right one. 3 to 100 corners; sides may not cross.",
    )
    anchor: Anchor = Field(
        default=Anchor.FEET,
        description="The point of a person that has to lie in the zone: `feet` (middle of the lower edge of"
        " the person's box), `center` (of that box) or `head` (middle of the head's box).",
    )


class PrivacySettings(Settings):
    """What is made unrecognisable before a picture is stored or sent."""

    blur: Blur = Field(
        default=Blur.BYSTANDERS,
        description="Faces to blur on snapshots: `none`, `bystanders` (everyone but the person of the alert)"
        " or `everyone`.",
    )
    polygons: tuple[RelativePolygon, ...] = Field(
        default=(),
        max_length=50,
        description="Parts of the picture that are blacked out on every snapshot, each as `coordinates` of a"
        " zone.",
    )


class Hardware(StrEnum):
    """What decodes, beside the processor."""

    AUTO = "auto"
    OFF = "off"
    CUDA = "cuda"
    VAAPI = "vaapi"


class DecodeSettings(Settings):
    """How the stream is decoded."""

    threads: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Decoder threads of this camera. One is the cheapest; large H.265 pictures at a high"
        " frame rate may need more.",
    )
    keyframes_only: bool = Field(
        default=False,
        description="Decode keyframes alone: far cheaper, but as few looks per second as the camera sends"
        " keyframes.",
    )
    hardware: Hardware = Field(
        default=Hardware.AUTO,
        description="Graphics device that decodes H.264 and H.265 of live cameras: `cuda` (NVIDIA), `vaapi`"
        " (Intel, AMD; needs a PyAV that was built with it), `auto` for the first that is there, or `off`. A"
        " device is used once it has decoded a sample rightly; otherwise, and where it fails, the processor"
        " decodes.",
    )


class MotionSettings(Settings):
    """Look at a camera only while something moves in its picture."""

    enabled: bool = Field(
        default=False,
        description="Skip frames in which nothing moves. Never while somebody is followed of whom a rule asks"
        " something, or an alert is open.",
    )
    min_area: float = Field(
        default=0.0005,
        gt=0,
        le=1,
        description="Part of the picture that has to change to count as motion.",
    )
    hold_s: Seconds = bounded(
        default=10.0,
        alias="hold",
        ge=0,
        le=600,
        description="Keep looking for this long after the last motion, so that people who stand still stay"
        " seen.",
    )
    look_every_s: Seconds = bounded(
        default=5.0,
        alias="look_every",
        ge=0.1,
        le=20,
        description="Look at least this often whatever moves, so that people who stand still are found.",
    )


class TilesSettings(Settings):
    """Parts of the picture that are looked at beside the whole of it, so that small far heads get enough pixels."""

    grid: tuple[Annotated[int, Field(ge=1, le=MAX_TILES)], ...] = Field(
        default=(1, 1),
        min_length=2,
        max_length=2,
        description="Columns and rows of tiles, each scaled to the size at which the network sees the whole picture,"
        " which is looked at too: `[2, 2]` shows everything 1.8 times as large and costs five looks in place of"
        " one. As many rows as columns keep the picture's shape; `[1, 1]` is the whole picture alone. A larger"
        " `input_size` finds as much for less where memory allows it.",
    )
    overlap: float = Field(
        default=0.2,
        ge=0,
        le=0.5,
        description="Part of a tile that its neighbour shows too. What is no larger than that is seen whole in one"
        " of them.",
    )
    follow: bool = Field(
        default=False,
        description="Look again, closer, at the heads of those who are followed and of whom a rule asks something, and"
        " at what may be a head: as many as fit share one input, so that this costs one more look as a rule, and none"
        " while there is nobody. What the whole picture does not show at all is not found by it.",
    )
    head_px: int = Field(
        default=32,
        alias="head",
        ge=16,
        le=64,
        description="`follow` enlarges heads to this height in pixels at the network's input, at most twice their"
        " own size; those that the whole picture shows as large are not looked at again.",
    )
    most_heads: int = Field(
        default=15,
        alias="heads",
        ge=1,
        le=64,
        description="Most heads that `follow` looks at again with one frame; when there are more, they take turns.",
    )

    @model_validator(mode="after")
    def _check_count(self) -> Self:
        columns, rows = self.grid
        if columns * rows > MAX_TILES:
            raise LocatedValueError(
                [(("grid",), f"makes {columns * rows} tiles; at most {MAX_TILES} are allowed")]
            )
        return self


class FitnessCode(StrEnum):
    """What may be wrong with a camera."""

    COVERED = "covered"
    MOVED = "moved"
    DEFOCUSED = "defocused"
    DARK = "dark"
    BRIGHT = "bright"
    FROZEN = "frozen"
    CLOCK_DRIFT = "clock_drift"
    CLOCK_OFFSET = "clock_offset"
    LOW_FPS = "low_fps"
    SIGNAL_LOSS = "signal_loss"


class FitnessSettings(Settings):
    """Whether a camera still shows what it is there to show."""

    enabled: bool = Field(
        default=True,
        description="Look after the camera and tell when its picture is covered, moved, out of focus, dark, white or"
        " frozen, its clock drifts, or frames are missing. Costs some milliseconds a second.",
    )
    ignore: tuple[FitnessCode, ...] = Field(
        default=(),
        max_length=len(FitnessCode),
        description="What is not looked for, such as `[moved]` at a camera that turns, or `[dark]` where the light is"
        " switched off at night.",
    )
    frozen_after_s: Seconds = bounded(
        default=60.0,
        alias="frozen_after",
        ge=2,
        le=3600,
        description="A picture in which nothing at all changes for so long, not even its noise, is frozen. Longer than"
        " the camera's key frames are apart.",
    )


class SnapshotSettings(Settings):
    """The picture that goes with an alert."""

    enabled: bool = Field(default=True, description="Draw, store and publish a snapshot with every alert.")
    max_bytes: Bytes = bounded(
        default=200_000,
        alias="bytes",
        ge=10_000,
        le=5_000_000,
        description="A snapshot is never larger: first the JPEG quality goes down, then the picture's size.",
    )
    longest_side_px: int = Field(
        default=1280,
        alias="size",
        ge=160,
        le=7680,
        description="Longest side of a snapshot in pixels; smaller pictures are not enlarged.",
    )
    quality: int = Field(default=85, ge=30, le=100, description="JPEG quality to start from.")
    timestamp: bool = Field(default=True, description="Write the site's local time on the snapshot.")


class ReconnectSettings(Settings):
    """When a stream counts as lost, and how it is sought again."""

    connect_timeout_s: Seconds = bounded(
        default=10.0,
        alias="timeout",
        ge=1,
        le=120,
        description="Give up an attempt to connect after this time.",
    )
    stall_s: Seconds = bounded(
        default=10.0,
        alias="stall",
        ge=1,
        le=300,
        description="A stream that sends no frame for this long is stalled, and connected anew.",
    )
    initial_delay_s: Seconds = bounded(
        default=1.0,
        alias="initial",
        ge=0.1,
        le=60,
        description="Pause before the first new attempt; each further pause is about twice as long, with"
        " jitter.",
    )
    max_delay_s: Seconds = bounded(
        default=60.0,
        alias="max",
        ge=1,
        le=3600,
        description="Longest pause between two attempts.",
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.initial_delay_s > self.max_delay_s:
            raise LocatedValueError([(("initial",), "should not be longer than 'max'")])
        return self
