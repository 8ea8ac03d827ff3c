"""Opening sources with libav, and its errors as ours.

PyAV's exceptions hold the whole URL, password included: they are turned into typed errors here and never
travel on, not even as ``__cause__`` or ``__context__``. libav's own messages are captured per thread
(``captured_log``), are part of the explanation, and reach no stream of their own.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import av
import av.logging
from av.container import InputContainer

from models.printable import printable
from streamer.ingest.errors import (
    CameraBusy,
    CertificateRefused,
    ConnectionLost,
    CorruptStream,
    CredentialsRefused,
    IngestError,
    NoVideo,
    StreamNotFound,
    StreamStalled,
    Unreachable,
    UnsupportedCodec,
)
from streamer.ingest.source import Source
from streamer.ingest.tls import speaks_of_reset, speaks_of_trust, why_not_trusted
from streamer.ingest.urls import SourceKind

#: One message of libav: its level, the part that speaks, the text.
LogLine = tuple[int, str, str]

#: Pictures larger than 8K square are damage, not video; the decoder refuses to allocate them.
_LARGEST_PICTURE_PX: Final = 8192 * 8192

#: libav's AVFMT_FLAG_GENPTS; PyAV 18 declares its names for container flags as another type than it holds.
_GENERATE_PTS: Final = 0x0001

#: What libav adds to the addresses in its messages for itself.
_TCP_OPTIONS: Final = re.compile(r"\?timeout=-?\d+")

#: Cameras choose the words of some messages; longer ones tell nothing more.
_LONGEST_MESSAGE: Final = 300

#: Said when a stream ends or does not answer.
ENDED_WORDS: Final = re.compile(r"Immediate exit requested|End of file|timed out", re.IGNORECASE)


@contextmanager
def captured_log() -> Iterator[list[LogLine]]:
    """Collects what libav says in this thread; the list may be emptied while it is in use."""
    if av.logging.get_level() != av.logging.WARNING:
        av.logging.set_level(av.logging.WARNING)
        # Repetitions are counted per camera by our own collapser; libav's would hide them across threads.
        av.logging.set_skip_repeated(False)
        # What is said in threads of libav's own, those of a decoder with several, is not captured: a damaged recording
        # would flood the log.
        logging.getLogger("libav").setLevel(logging.CRITICAL)
    with av.logging.Capture() as log:
        yield log


def open_container(source: Source, log: list[LogLine]) -> InputContainer:
    """Connect and find the streams, within ``source.open_timeout_s`` in all.

    ``log`` is what ``captured_log`` collects in this thread. Raises an ``IngestError`` that says why not.
    """
    if source.is_encrypted and (problem := source.tls.problem()) is not None:
        raise CertificateRefused(f"{source.display}: no TLS: {problem}")
    failure: IngestError
    try:
        container = av.open(
            source.libav_url,
            format="v4l2" if source.kind is SourceKind.WEBCAM else None,
            options=_options(source),
            # PyAV measures the read limit over the whole call, so that neither a silent socket nor one that
            # only carries sender reports can hold a thread.
            timeout=(source.open_timeout_s, source.stall_s),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        failure = explain_open(error, log, source)
    else:
        if source.kind is not SourceKind.FILE:
            # PyAV asks libav to make up time stamps, which keeps a packet back until the next one has come.
            container.flags &= ~_GENERATE_PTS
        return container
    log.clear()  # it is in the error now and need not be told twice
    raise failure


def explain_open(error: BaseException, log: list[LogLine], source: Source) -> IngestError:
    """The typed error for a failed opening."""
    return _explain_tls(log, source) or _explain_rest(error, log, source)


def _explain_rest(error: BaseException, log: list[LogLine], source: Source) -> IngestError:
    said = _last_words(error, log, source)
    if status := _status(error, said):
        return _explain_status(status, said, source)
    if source.kind in (SourceKind.FILE, SourceKind.WEBCAM):
        return _explain_local(error, said, source)
    where = source.display
    if isinstance(error, av.DecoderNotFoundError | av.ProtocolNotFoundError | av.DemuxerNotFoundError):
        return UnsupportedCodec(f"{where}: cannot be read here ({said})")
    if isinstance(error, TimeoutError | av.ExitError) or "Immediate exit" in said:
        return Unreachable(f"{where}: no answer within {source.open_timeout_s:g} s")
    if isinstance(error, av.InvalidDataError) and not ENDED_WORDS.search(said):
        return NoVideo(f"{where}: what comes is no video ({said})")
    return Unreachable(f"{where}: {said}")


def explain_read(error: BaseException, log: list[LogLine], source: Source) -> IngestError:
    """The typed error for a connection that broke while it was read."""
    said = _last_words(error, log, source)
    log.clear()
    where = source.display
    if isinstance(error, TimeoutError | av.ExitError):
        return StreamStalled(f"{where}: nothing came for {source.stall_s:g} s")
    status = _status(error, said)
    if status in (401, 403):
        return _refused(status, source)
    if source.kind is SourceKind.FILE:
        return CorruptStream(f"{where}: cannot be read on ({said})")
    return ConnectionLost(f"{where}: the connection broke ({said})")


def _explain_status(status: int, said: str, source: Source) -> IngestError:
    """What a status of RTSP (RFC 2326) or HTTP means."""
    where = source.display
    if status in (401, 403):
        return _refused(status, source)
    if status == 404:
        return StreamNotFound(f"{where}: the camera has no such stream (404)")
    if status in (453, 503):
        return CameraBusy(f"{where}: the camera serves as many viewers as it can ({said})")
    if status in (454, 455, 459):
        # Only video is asked for, so with sound alone there is nothing set up that could be played.
        return NoVideo(f"{where}: the stream carries no video")
    return Unreachable(f"{where}: the camera answers with an error ({said})")


def _explain_tls(log: list[LogLine], source: Source) -> CertificateRefused | None:
    """Why there is no encrypted connection, where that is the reason."""
    if not source.is_encrypted:
        return None
    said = [message.strip() for _level, _name, message in log]
    if not any(map(speaks_of_trust, said)):
        if source.tls.cert_file is not None or not any(map(speaks_of_reset, said)):
            return None
        hint = "does the camera ask for a client certificate (tls: {cert: ..., key: ...})?"
        return CertificateRefused(f"{source.display}: the connection broke in its handshake; {hint}")
    parts = urlsplit(source.url)
    port = parts.port or (322 if source.kind is SourceKind.RTSP else 443)
    found = why_not_trusted(parts.hostname or "", port, source.tls, timeout_s=min(3.0, source.open_timeout_s))
    return CertificateRefused(
        f"{source.display}: its certificate is not trusted: {found or 'it cannot be verified'}"
    )


def _refused(status: int, source: Source) -> CredentialsRefused:
    if status == 403:
        return CredentialsRefused(f"{source.display}: this user may not see the stream (403)")
    if source.user is None and source.password is None:
        return CredentialsRefused(f"{source.display}: the camera asks for a user and password (401)")
    return CredentialsRefused(f"{source.display}: the camera refuses the user or password (401)")


def _explain_local(error: BaseException, said: str, source: Source) -> IngestError:
    where = source.display
    if isinstance(error, FileNotFoundError):
        return StreamNotFound(f"{where}: does not exist")
    if isinstance(error, PermissionError):
        return StreamNotFound(f"{where}: may not be read (permission denied)")
    if source.kind is SourceKind.WEBCAM:
        return Unreachable(f"{where}: {said}")
    if isinstance(error, av.InvalidDataError | EOFError | IsADirectoryError):
        return NoVideo(f"{where}: is no video, or is damaged or cut short ({said})")
    return StreamNotFound(f"{where}: {said}")


def _status(error: BaseException, said: str) -> int | None:
    """The RTSP or HTTP status behind an error, or None."""
    for kind, status in (
        (av.HTTPUnauthorizedError, 401),
        (av.HTTPForbiddenError, 403),
        (av.HTTPNotFoundError, 404),
    ):
        if isinstance(error, kind):
            return status
    if isinstance(error, av.HTTPError | av.HTTPClientError):
        match = re.search(r"(?:failed: |HTTP error )(\d{3})\b", said)
        return int(match[1]) if match else 400
    return None


def _last_words(error: BaseException, log: list[LogLine], source: Source) -> str:
    """What libav said last, or else the bare reason, without any secret."""
    for _level, _name, message in reversed(log):
        if text := message.strip():
            return shown(_TCP_OPTIONS.sub("", text), source)
    reason = getattr(error, "strerror", None) or type(error).__name__
    return shown(str(reason), source)


def shown(text: str, source: Source) -> str:
    """A message of libav, which may hold what a camera sent, for people: without secrets, bounded and harmless."""
    text = printable(source.redact(text))
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} ..."


def _options(source: Source) -> dict[str, str]:
    options = {"max_pixels": str(_LARGEST_PICTURE_PX)}
    if source.kind is SourceKind.RTSP:
        options |= {
            "rtsp_transport": source.rtsp_transport,
            # Sound and metadata are not even asked for; sound would also keep a camera without picture alive.
            "allowed_media_types": "video",
            # Guessing the frame rate costs 1.3 s at 15 frames a second before the first frame is seen.
            "fpsprobesize": "0",
        }
    elif source.kind is SourceKind.HTTP:
        options |= {"fpsprobesize": "0"}
    if source.is_encrypted:
        options |= source.tls.options()
    return options
