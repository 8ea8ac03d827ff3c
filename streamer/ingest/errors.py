"""Why a camera gives no frames.

``streamer.errors.StreamerError``
└── ``IngestError``: one connection to one camera ended
    ├── ``Unreachable``: no answer, no route, no such host
    ├── ``CredentialsRefused``: 401 or 403; asking again would lock the account, so nobody does
    ├── ``CertificateRefused``: the camera's TLS certificate is not trusted, or ours cannot be used
    ├── ``StreamNotFound``: 404, or no such file, folder or device
    ├── ``CameraBusy``: 453 or 503, the camera serves as many viewers as it can
    ├── ``NoVideo``: there is an answer, but no video in it
    ├── ``UnsupportedCodec``: video of a kind that cannot be decoded here
    ├── ``StreamStalled``: connected, but no frame came for too long
    ├── ``ConnectionLost``: a live stream ended or broke off
    ├── ``CorruptStream``: too much damage, no frame worth showing
    └── ``EndOfStream``: a recording was read to its end

A change of picture size or codec is no error: frames of the new size simply follow (``StreamFormat`` tells).
"""

from typing import ClassVar

from streamer.errors import StreamerError


class IngestError(StreamerError):
    """One connection ended. ``code`` is stable and for machines; the message is for people and holds no
    secret.
    """

    code: ClassVar[str] = "failed"


class Unreachable(IngestError):  # noqa: N818 - names a condition of the camera, as users read it
    """Nothing answers at the address: refused, timed out, no route, or the host's name is unknown."""

    code = "unreachable"


class CredentialsRefused(IngestError):  # noqa: N818
    """The camera wants another user or password (401), or this user may not see the stream (403)."""

    code = "credentials_refused"


class CertificateRefused(IngestError):  # noqa: N818
    """The camera's certificate is expired, for another host or of an unknown CA; or our own files cannot be used."""

    code = "certificate_refused"


class StreamNotFound(IngestError):  # noqa: N818
    """The camera has no such stream (404); or the file, folder or device does not exist or cannot be read."""

    code = "stream_not_found"


class CameraBusy(IngestError):  # noqa: N818
    """The camera has no session or bandwidth left (453, 503)."""

    code = "camera_busy"


class NoVideo(IngestError):  # noqa: N818
    """No video: not a media file, sound only, an empty folder."""

    code = "no_video"


class UnsupportedCodec(IngestError):  # noqa: N818
    """There is video, but no decoder for it."""

    code = "unsupported_codec"


class StreamStalled(IngestError):  # noqa: N818
    """Connected, but no frame came for longer than the stall limit."""

    code = "stalled"


class ConnectionLost(IngestError):  # noqa: N818
    """The camera closed the stream, or the network broke it."""

    code = "connection_lost"


class CorruptStream(IngestError):  # noqa: N818
    """Packets come, but for too long no undamaged frame among them."""

    code = "corrupt_stream"


class EndOfStream(IngestError):  # noqa: N818
    """A recording came to its end; nothing failed."""

    code = "end_of_stream"
