"""What is configured about one source."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from streamer.ingest.tls import SourceTls
from streamer.ingest.urls import (
    SourceKind,
    device_of,
    display_url,
    kind_of,
    secrets_of,
    split_credentials,
    with_credentials,
)
from streamer.redactor import SecretRedactor

#: libav keeps the user information of an RTSP address in a buffer of 128 bytes and cuts the rest off.
_RTSP_USERINFO_LIMIT = 127


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """One address and how it is read. Neither ``repr`` nor ``display`` tells a secret.

    - ``url``: ``rtsp(s)://``, ``http(s)://``, the path of a video file or of a folder of pictures,
      ``/dev/video0`` or ``webcam:0``. User information in it is moved to ``user`` and ``password``.
    - ``user``, ``password``: as the camera knows them, not encoded; they win over those in the address.
    - ``rtsp_transport``: TCP (interleaved; nothing gets lost) or UDP (for cameras that have no other).
    - ``loop``: begin a recording again at its end.
    - ``paced``: deliver a recording at its own speed, as a camera would; False reads as fast as possible.
    - ``start_epoch_s``: ``captured_at`` of a recording's first frame when not paced; None takes the wall
      clock at the start.
    - ``folder_fps``: pictures per second of a folder.
    - ``open_timeout_s``: limit of connecting and finding the video, in all.
    - ``stall_s``: a connected source that gives no packet for so long has stalled.
    - ``decode_threads``: 1 keeps latency low and cameras apart; 0 lets libav use all cores (recordings).
    - ``skip_frame``: what the decoder leaves out, in libav's words; AUTO: as much as the wanted rate of frames allows,
      decided while it runs. Frames that it leaves out have no number in ``Frame.index``.
    - ``hardware``: the graphics device that decodes H.264 and H.265 of a live source, where it has shown that it can
      (see ``streamer.ingest.hardware``); software does the rest.
    - ``tls``: of ``rtsps`` and ``https``; certificates are checked unless it says otherwise.

    Raises ``ValueError`` on a scheme that cannot be read, numbers out of range, or user information that
    libav would cut off.
    """

    url: str
    user: str | None = None
    password: str | None = None
    rtsp_transport: Literal["tcp", "udp"] = "tcp"
    loop: bool = False
    paced: bool = True
    start_epoch_s: float | None = None
    folder_fps: float = 1.0
    open_timeout_s: float = 10.0
    stall_s: float = 10.0
    decode_threads: int = 1
    skip_frame: Literal["DEFAULT", "NONREF", "NONKEY", "AUTO"] = "DEFAULT"
    hardware: Literal["auto", "off", "cuda", "vaapi"] = "off"
    tls: SourceTls = field(default_factory=SourceTls)
    kind: SourceKind = field(init=False)
    _redactor: SecretRedactor = field(init=False, compare=False)

    def __post_init__(self) -> None:
        url, user, password = split_credentials(self.url)
        set_field = object.__setattr__
        set_field(self, "kind", kind_of(url))
        set_field(self, "url", url)
        if self.user is None:
            set_field(self, "user", user)
        if self.password is None:
            set_field(self, "password", password)
        set_field(self, "_redactor", SecretRedactor(secrets_of(url, self.password)))
        if min(self.folder_fps, self.open_timeout_s, self.stall_s) <= 0 or self.decode_threads < 0:
            raise ValueError(f"{self.display}: rates and time limits must be above 0")
        if self.kind is SourceKind.RTSP:
            added = len(self.libav_url.encode()) - len(url.encode())
            if added > _RTSP_USERINFO_LIMIT:
                raise ValueError(
                    f"{self.display}: user and password are too long for RTSP: {added} bytes once encoded, "
                    f"{_RTSP_USERINFO_LIMIT} at most"
                )

    def __repr__(self) -> str:
        return f"Source({self.display!r})"

    @property
    def display(self) -> str:
        """The address for people, without any secret."""
        return display_url(self.url)

    @property
    def device(self) -> str | None:
        """Host and port that connections go to, or None for local sources: the cameras of a recorder share them, those
        behind a router that forwards its ports do not.
        """
        return device_of(self.url)

    @property
    def is_encrypted(self) -> bool:
        """Whether connections to it are TLS."""
        return self.url.lower().startswith(("rtsps:", "https:"))

    @property
    def path(self) -> Path:
        """The file or folder of a local source."""
        return Path(self.url.removeprefix("file://"))

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder of pictures, as it is on the disk now."""
        return self.kind is SourceKind.FILE and self.path.is_dir()

    @property
    def libav_url(self) -> str:
        """What libav opens, with the credentials in it: to be handed over and never kept, shown or logged."""
        if self.kind is SourceKind.WEBCAM:
            number = self.url.removeprefix("webcam:")
            return f"/dev/video{number}" if number.isdigit() else number
        if self.kind is SourceKind.FILE:
            # With its protocol named, no name of a file can be taken for another protocol (concat:, pipe:).
            return f"file:{self.path}"
        return with_credentials(self.url, self.user, self.password)

    def redact(self, text: str) -> str:
        """``text`` (a message of libav, say) without this source's secrets."""
        return self._redactor.redact(text)
