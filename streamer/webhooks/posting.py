"""One post to a target, or the way to it alone, and what became of it.

Every post has a connection of its own, which a server that falls silent, or answers drop by drop, cannot hold beyond
the target's time. No redirect is followed, no proxy of the environment used, no more than a few kilobytes of an answer
read, and none of it shown but its status.
"""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from streamer.webhooks.backoff import retry_after_s
from streamer.webhooks.target import WebhookTarget

# it would log the whole address
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
# who sets `insecure` knows; `ppewatch check` says so
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

_CONNECT_S: Final = 10.0
#: Since TLS 1.3 a server that misses our certificate says so after the handshake: it is listened to for so long.
_REFUSAL_S: Final = 0.5
_MOST_ANSWER_BYTES: Final = 8192


class Verdict(StrEnum):
    """What became of a post, as a code."""

    DELIVERED = "ok"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "not_trusted"
    LOST = "connection_lost"
    REDIRECT = "redirect"
    UNAUTHORISED = "unauthorised"
    BUSY = "busy"
    GONE = "gone"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"
    FAILED = "failed"


_UNAUTHORISED: Final = (Verdict.UNAUTHORISED, ": not authorised")
_REJECTED: Final = (Verdict.REJECTED, ": it does not take this message")
_BUSY: Final = (Verdict.BUSY, ": it is busy")
#: What a status means, and in words; any other that is no success is a failure that may pass.
_STATUSES: Final[Mapping[int, tuple[Verdict, str]]] = {
    **dict.fromkeys((401, 403, 407), _UNAUTHORISED),
    # these speak of the message and not of the target: others may well be taken
    **dict.fromkeys((400, 409, 415, 422), _REJECTED),
    **dict.fromkeys((429, 503), _BUSY),
    410: (Verdict.GONE, ": it wants nothing any more"),
    413: (Verdict.TOO_LARGE, ": the message is too large"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """``detail`` is ``verdict`` in words, without any part of the address; ``status`` is None without an answer."""

    verdict: Verdict
    detail: str = ""
    status: int | None = None
    retry_after_s: float | None = None

    @property
    def is_of_the_message(self) -> bool:
        """Whether the target did not take this message, rather than any."""
        return self.verdict in {Verdict.TOO_LARGE, Verdict.REJECTED}


class _ReachedError(Exception):
    """A connection is there, on which nothing is to be sent."""


class _Wire:
    """The connection of the present post: may be cut from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copy: socket.socket | None = None
        self.was_cut = False

    def take(self, plain: socket.socket) -> None:
        # a copy: TLS takes the socket itself over
        with self._lock:
            self._drop()
            self._copy = plain.dup()
            if self.was_cut:
                self._shut()

    def cut(self) -> None:
        with self._lock:
            self.was_cut = True
            self._shut()

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _shut(self) -> None:
        if self._copy is not None:
            with suppress(OSError):
                self._copy.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._copy is not None:
            self._copy.close()
            self._copy = None


class Poster:
    """Posts to one target. ``post`` is for one thread; ``cut`` may be called from any."""

    def __init__(self, target: WebhookTarget, *, user_agent: str) -> None:
        self._target = target
        self._headers = {"content-type": "application/json", "user-agent": user_agent, "connection": "close"}
        if target.token is not None:
            self._headers["authorization"] = f"Bearer {target.token}"
        self._wire = _Wire()

    def cut(self) -> None:
        """End the post that is on its way, now."""
        self._wire.cut()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post ``body``; ``headers`` beside those that every post has. Raises nothing that the network may do."""
        return self._within_time(body, {**self._headers, **headers}, only_connect=False)

    def reach(self) -> Answer:
        """Go the way of a post and send nothing: name, connection, handshake, and the proxy as far as it is asked to
        connect, which it is for ``https://``. ``Verdict.DELIVERED`` means that a post would begin. Raises as ``post``.
        """
        try:
            return self._within_time(b"", {}, only_connect=True)
        except _ReachedError:
            return Answer(Verdict.DELIVERED)

    def _within_time(self, body: bytes, headers: Mapping[str, str], *, only_connect: bool) -> Answer:
        wire = self._wire = _Wire()
        deadline = threading.Timer(self._target.timeout_s, wire.cut)
        deadline.daemon = True
        deadline.start()
        try:
            with self._manager(wire, only_connect=only_connect) as manager:
                return self._posted(manager, wire, body, headers)
        except (HTTPError, OSError, ValueError) as error:
            return self._too_late() if wire.was_cut else _failure(error, self._target.timeout_s)
        finally:
            deadline.cancel()
            wire.close()

    def _too_late(self) -> Answer:
        return Answer(Verdict.TIMEOUT, f"no answer within {self._target.timeout_s:g} s")

    def _posted(
        self, manager: urllib3.PoolManager, wire: _Wire, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        timeout = urllib3.Timeout(
            connect=min(_CONNECT_S, self._target.timeout_s), read=self._target.timeout_s
        )
        response = manager.request(
            "POST",
            self._target.url,
            body=body,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=timeout,
        )
        try:
            if wire.was_cut:
                # headers that were cut off pass for whole ones
                return self._too_late()
            # its status is what counts; a server that breaks off while it says more has taken the message
            with suppress(HTTPError, OSError):
                response.read(_MOST_ANSWER_BYTES, decode_content=False)
            return _judged(response.status, response.headers.get("retry-after"), at=time.time())
        finally:
            response.close()

    def _manager(self, wire: _Wire, *, only_connect: bool) -> urllib3.PoolManager:
        options: dict[str, Any] = {"num_pools": 1, "maxsize": 1, "ssl_context": self._tls()}
        proxy = self._target.proxy
        manager = urllib3.PoolManager(**options) if proxy is None else urllib3.ProxyManager(proxy, **options)
        manager.pool_classes_by_scheme = _pools_on(wire, only_connect=only_connect)
        return manager

    def _tls(self) -> ssl.SSLContext | None:
        """Raises ``OSError`` (``ssl.SSLError`` too) when a file cannot be used."""
        if not (self._target.url.startswith("https:") or (self._target.proxy or "").startswith("https:")):
            return None
        tls = self._target.tls
        context = ssl.create_default_context(cafile=tls.ca_file)
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.cert_file is not None:
            # an empty password: a key that asks for one fails, and asks nobody at the terminal
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        return context


def _pools_on(wire: _Wire, *, only_connect: bool) -> dict[str, type[HTTPConnectionPool]]:
    """Pools whose connections are noted in ``wire``; ``only_connect``: a request raises ``_ReachedError`` in place of
    being sent, so that whatever goes wrong before is told as it is of a post.
    """

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            plain = super()._new_conn()
            wire.take(plain)
            return plain

        def request(self, *args: Any, **options: Any) -> None:
            if only_connect:
                _stop_before(self)
            super().request(*args, **options)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            plain = super()._new_conn()
            wire.take(plain)
            return plain

        def request(self, *args: Any, **options: Any) -> None:
            if only_connect:
                _stop_before(self)
            super().request(*args, **options)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _stop_before(connection: HTTPConnection) -> NoReturn:
    """Connect and send nothing. Raises ``_ReachedError``, or what ends the connection or shows that it is no HTTP."""
    if connection.is_closed:
        connection.connect()
    with suppress(TimeoutError):
        connection.sock.settimeout(_REFUSAL_S)
        if connection.sock.recv(1):
            raise ValueError("it speaks before it is asked")
        raise ConnectionError("it hangs up at once")
    raise _ReachedError


def _judged(status: int, retry_after: str | None, *, at: float) -> Answer:
    """What an answer's status means."""
    if 200 <= status < 300:
        return Answer(Verdict.DELIVERED, status=status)
    if 300 <= status < 400:
        verdict, words = Verdict.REDIRECT, ", a redirect, which is not followed"
    else:
        verdict, words = _STATUSES.get(status, (Verdict.FAILED, ""))
    return Answer(verdict, f"it answers {status}{words}", status, retry_after_s(retry_after, at=at))


def _failure(error: Exception, timeout_s: float) -> Answer:
    """What an error of the network means. Nothing of its text is used: it holds the address."""
    if isinstance(error, SSLError | ssl.SSLError):
        cause = error.args[0] if error.args and isinstance(error.args[0], ssl.SSLError) else error
        words = getattr(cause, "verify_message", "") or "TLS fails"
        return Answer(Verdict.TLS, str(words).rstrip("."))
    for kinds, verdict, words in _ERRORS:
        if isinstance(error, kinds):
            return Answer(verdict, words.format(timeout_s=timeout_s))
    if isinstance(error, OSError):
        return Answer(Verdict.TLS, f"a certificate file: {(error.strerror or 'cannot be used').lower()}")
    return Answer(Verdict.FAILED, f"the answer is not understood ({type(error).__name__})")


#: The first that fits.
_ERRORS: Final[Sequence[tuple[tuple[type[Exception], ...], Verdict, str]]] = (
    ((ProxyError,), Verdict.UNREACHABLE, "the proxy does not let us through"),
    ((NameResolutionError,), Verdict.UNREACHABLE, "its name is not known"),
    ((NewConnectionError,), Verdict.UNREACHABLE, "nothing answers there"),
    (
        (ConnectTimeoutError, ReadTimeoutError, TimeoutError),
        Verdict.TIMEOUT,
        "no answer within {timeout_s:g} s",
    ),
    ((ProtocolError, ConnectionError), Verdict.LOST, "the connection broke"),
)
