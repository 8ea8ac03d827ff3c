"""Settings of a camera, and those that a site may give once for all its cameras."""

from enum import StrEnum
from typing import Annotated, Any, Final, Self

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

from config.base import Name, Named, Settings, as_written
from config.camera_sections import (
    DecodeSettings,
    FitnessSettings,
    MotionSettings,
    PrivacySettings,
    ReconnectSettings,
    SnapshotSettings,
    TilesSettings,
    ZoneSettings,
)
from config.errors import LocatedValueError
from config.secret_text import Secret, expand_variables, surroundings_of
from config.tls import TlsSettings
from config.urls import StreamUrl, parse_stream_url

#: FFmpeg keeps user and password of an RTSP address, percent-encoded, in 128 bytes and cuts the rest off.
MAX_RTSP_USER_INFO: Final = 126

#: Cameras of 8K.
MAX_INPUT_SIZE_PX: Final = 7680


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


class ModelName(StrEnum):
    """The detectors that may look at a camera."""

    RETINAFACE = "retinaface"
    MASKRCNN = "maskrcnn"


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
                    {
                        "type": "integer",
                        "minimum": 128,
                        "maximum": MAX_INPUT_SIZE_PX,
                        "multipleOf": 32,
                    },
                ]
            },
            mode="validation",
        ),
    ] = Field(
        default=None,
        alias="input_size",
        ge=128,
        le=MAX_INPUT_SIZE_PX,
        multiple_of=32,
        description="Longest side, in pixels, at which the network sees the picture, a multiple of 32, up to the"
        " picture's own size and beyond; `auto` chooses by that size. Larger finds smaller faces and costs more time.",
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
        description="Detectors that look at the camera: `retinaface` (faces, needed for `face_mask`),"
        " `maskrcnn` (persons, heads, hats and masks to the pixel, needed for `hard_hat`); `auto` takes those"
        " that its rules need. Both together judge how a face mask is worn by its pixels too.",
    )
    tls: TlsSettings = Field(
        default=TlsSettings(),
        description="Whom to trust at rtsps:// and https:// addresses, whose certificates are checked.",
    )
    decode: DecodeSettings = Field(default=DecodeSettings(), description="How the stream is decoded.")
    motion: MotionSettings = Field(
        default=MotionSettings(), description="Look only while something moves in the picture."
    )
    tiles: TilesSettings = Field(
        default=TilesSettings(),
        description="Look at parts of the picture too, for heads that are small and far.",
    )
    fitness: FitnessSettings = Field(
        default=FitnessSettings(), description="Tell when the camera no longer shows what it should."
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
        " video file, of a folder of pictures, or of a webcam (/dev/video0, webcam:0). Paths are relative to"
        " this file. `${NAME}` is replaced from the environment."
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
    node: Name | None = Field(
        default=None,
        description="On a cluster: read this camera on machines of this name alone, those that reach it.",
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

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        added = len(self.full_url.get_secret_value()) - len(self.url.address.get_secret_value()) - 1
        if self.url.scheme.startswith("rtsp") and added > MAX_RTSP_USER_INFO:
            key = "password" if self.password else "user"
            message = (
                f"user and password together are longer than the {MAX_RTSP_USER_INFO} bytes that RTSP takes"
            )
            raise LocatedValueError([((key,), message)])
        return self

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
