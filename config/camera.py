"""Settings of a camera, and those that a site may give once for all its cameras."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from config.base import Named, Settings, as_written, bounded
from config.errors import LocatedValueError
from config.polygons import RelativePolygon
from config.quantities import Bytes, Seconds
from config.secret_text import Secret, expand_variables, surroundings_of
from config.urls import StreamUrl, parse_stream_url


class Priority(StrEnum):
    """Share of its wish that a camera keeps when the inference cannot serve all."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class Transport(StrEnum):
    """How RTSP carries the pictures."""

    TCP = "tcp"
    UDP = "udp"


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


class ModelName(StrEnum):
    """The detectors that may look at a camera."""

    RETINAFACE = "retinaface"
    MASKRCNN = "maskrcnn"


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


class MotionSettings(Settings):
    """Look at a camera only while something moves in its picture."""

    enabled: bool = Field(default=False, description="Skip frames in which nothing moves.")
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


def _input_size(value: Any) -> Any:
    return None if value == "auto" else value


def _check_models(value: Any) -> Any:
    if value == "auto" or value is None:
        return None
    return [value] if isinstance(value, str) else value


class CommonCameraSettings(Settings):
    """What may stand at the top of the file for all cameras, and in a camera for this one."""

    fps: float = Field(
        default=5.0,
        ge=0.1,
        le=30,
        description="Frames per second that are analysed (the camera may send more).",
    )
    priority: Priority = Field(
        default=Priority.NORMAL,
        description="Share that the camera keeps when there are more frames than the inference can look at:"
        " `low`, `normal`, `high` or `critical`; each step counts twice the one before.",
    )
    transport: Transport = Field(
        default=Transport.TCP,
        description="How RTSP carries the pictures: `tcp` (nothing lost, passes firewalls) or `udp`.",
    )
    input_size_px: Annotated[
        int | None,
        BeforeValidator(_input_size),
        WithJsonSchema(
            {
                "anyOf": [
                    {"const": "auto"},
                    {"type": "integer", "minimum": 128, "maximum": 3840, "multipleOf": 32},
                ]
            },
            mode="validation",
        ),
    ] = Field(
        default=None,
        alias="input_size",
        ge=128,
        le=3840,
        multiple_of=32,
        description="Longest side, in pixels, at which the network sees the picture, a multiple of 32;"
        " `auto` chooses by the picture's own size. Larger finds smaller faces and costs more time.",
    )
    models: Annotated[
        tuple[ModelName, ...] | None,
        BeforeValidator(_check_models),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": ["auto", *ModelName]},
                    {"type": "array", "items": {"enum": list(ModelName)}, "minItems": 1},
                ]
            },
            mode="validation",
        ),
    ] = Field(
        default=None,
        min_length=1,
        max_length=len(ModelName),
        description="Detectors that look at the camera: `retinaface` (faces and face masks), `maskrcnn`"
        " (persons and hard hats); `auto` takes those that its rules need.",
    )
    decode: DecodeSettings = Field(default=DecodeSettings(), description="How the stream is decoded.")
    motion: MotionSettings = Field(
        default=MotionSettings(), description="Look only while something moves in the picture."
    )
    privacy: PrivacySettings = Field(
        default=PrivacySettings(),
        description="What is made unrecognisable before a picture is stored or sent.",
    )
    snapshots: SnapshotSettings = Field(
        default=SnapshotSettings(), description="The picture that goes with an alert."
    )
    reconnect: ReconnectSettings = Field(
        default=ReconnectSettings(), description="When a stream counts as lost, and how it is sought again."
    )


def _check_url(value: Any) -> Any:
    if isinstance(value, StreamUrl):
        return value
    raise ValueError("should be the address of a camera, or the path of a file, a folder or a webcam")


class CameraSettings(CommonCameraSettings):
    """One camera. What it does not set is taken from the top of the file."""

    url: Annotated[
        StreamUrl,
        PlainValidator(_check_url),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 2048}),
    ] = Field(
        description="Where the pictures come from: rtsp://, rtsps://, http://, https://, or the path of a"
        " video file, of a folder of pictures, or of a webcam (/dev/video0). Paths are relative to this"
        " file. `${NAME}` is replaced from the environment."
    )
    user: Secret = Field(default=None, description="User name, when the camera asks for one.")
    password: Secret = Field(
        default=None,
        description="Password, or where it stands: `${NAME}`, `file:/path` or `credential:name`.",
    )
    enabled: bool = Field(default=True, description="Switch the camera off without removing it.")
    loop: bool = Field(
        default=False, description="Start a video file over at its end, as a camera never ends."
    )
    zones: Named["ZoneSettings"] = Field(
        default={},
        max_length=64,
        description="Named parts of the picture that rules can refer to. Cameras may use the same zone name.",
    )

    @model_validator(mode="before")
    @classmethod
    def _split_url(cls, data: Any, info: ValidationInfo) -> Any:
        """Move credentials out of the URL, so that nothing that shows the URL shows them."""
        if not isinstance(data, dict) or not isinstance(data.get("url"), str) or not data["url"].strip():
            return data
        around = surroundings_of(info)
        written = data["url"].strip()
        around.seen.add(written)
        try:
            text = expand_variables(written, around.environ)
            around.seen.add(text)
            url, user, password = parse_stream_url(text)
        except ValueError as error:
            raise LocatedValueError([(("url",), str(error))]) from None
        around.seen.update(url.query_secrets(), {user, password})
        data = {**data, "url": url.below(around.base_dir)}
        for key, value in (("user", user), ("password", password)):
            if not value:
                continue
            if as_written(data.get(key)):
                raise LocatedValueError([((key,), f"the {key} is given twice: here and inside the url")])
            data[key] = SecretStr(value)
        return data

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password in clear, each empty where there is none. Never to be shown."""
        return (
            self.user.get_secret_value() if self.user else "",
            self.password.get_secret_value() if self.password else "",
        )

    @property
    def full_url(self) -> SecretStr:
        """The address with the credentials in it, as FFmpeg takes it."""
        return self.url.with_credentials(*self.credentials)

    def secrets(self) -> frozenset[str]:
        """Every exact value that must not be shown; a user name only where it stands without a password."""
        user, password = self.credentials
        return self.url.query_secrets() | frozenset(filter(None, (password or user,)))
