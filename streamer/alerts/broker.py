"""How the broker is reached: address, credentials, TLS; and what its refusals mean in words."""

import errno
import re
import socket
import ssl
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from streamer.alerts.errors import BrokerError, BrokerRefusedError, BrokerUnreachableError

#: Reason codes of CONNACK, PUBACK and DISCONNECT (MQTT 5, section 2.4) after which trying again soon will not
#: help. paho translates the return codes of MQTT 3.1.1 into the same numbers.
_FINAL_CODES: Final = {
    0x81: "malformed packet",
    0x82: "protocol error",
    0x84: "it does not speak this MQTT version",
    0x85: "it does not accept the client id",
    0x86: "wrong user name or password",
    0x87: "not authorised",
    0x8A: "this client is banned",
    0x8C: "it wants another way to authenticate",
    0x90: "it does not accept the topic name",
    0x99: "it does not accept the payload's format",
    0x9A: "it does not support retained messages",
    0x9B: "it does not support QoS 1",
    0x9D: "it wants the client to use another server",
}


class _ClosedOnFailure(ssl.SSLSocket):
    """A socket that a failed handshake does not leave open; paho drops it without closing."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTls:
    """TLS towards the broker: the system's own CA store, or ``ca_file`` alone where it is given.

    ``cert_file`` and ``key_file`` (PEM) are the client's own, for brokers that ask for one. ``insecure``
    accepts a certificate for another host name; that a trusted CA signed it is checked all the same.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        """A context as configured, read anew so that renewed files count. Raises ``BrokerRefusedError``."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise BrokerRefusedError(f"cannot use the CA file {self.ca_file}: {_short(error)}") from error
        if self.cert_file is not None:
            try:
                # an empty passphrase instead of OpenSSL's prompt on the terminal
                context.load_cert_chain(self.cert_file, self.key_file, password="")
            except (OSError, ssl.SSLError) as error:
                raise BrokerRefusedError(
                    f"cannot use the client certificate {self.cert_file}: {_short(error)}"
                ) from error
        context.sslsocket_class = _ClosedOnFailure
        if self.insecure:
            context.check_hostname = False
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Address and credentials of an MQTT broker. The password is in no repr."""

    host: str
    port: int = 1883
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: BrokerTls | None = None
    protocol: Literal["3.1.1", "5"] = "3.1.1"
    keepalive_s: int = 30
    connect_timeout_s: float = 5.0

    @property
    def address(self) -> str:
        """``host:port`` for messages."""
        return f"{self.host}:{self.port}"

    def client(self, client_id: str) -> Client:
        """A client for one connection, which keeps no session at the broker and never reconnects by itself.

        The outbox alone decides what is sent again; a session kept by the broker or a queue kept by the
        client would send the same messages a second time.
        """
        five = self.protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            # MQTT 5 says the same with clean_start, which paho takes at connect
            clean_session=None if five else True,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self.connect_timeout_s
        if self.user or self.password:
            client.username_pw_set(self.user or "", self.password)
        if self.tls is not None:
            client.tls_set_context(self.tls.context())
        return client


def default_client_id(topic_prefix: str, role: str = "") -> str:
    """A client id of this host, prefix and role; the same after a restart, so that the broker ends the old
    connection.

    Two installations with one prefix on two hosts get two ids.
    """
    digest = sha256(f"{socket.gethostname()}\0{topic_prefix}\0{role}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", topic_prefix.rsplit("/", 1)[-1]).strip("-")[:24]
    return "-".join(part for part in ("ppewatch", readable, role, digest) if part)


def connection_error(error: Exception, broker: Broker) -> BrokerError:
    """The typed error for an exception of connecting, without anything secret in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokerRefusedError(f"{broker.address}: its certificate is not trusted: {error.verify_message}")
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return BrokerRefusedError(f"{broker.address}: no TLS: {_short(error)} (is this the TLS port?)")
    reason = _short(error)
    if isinstance(error, socket.gaierror):
        reason = "the name does not resolve"
    elif isinstance(error, TimeoutError):
        reason = f"no answer within {broker.connect_timeout_s:g} s"
    elif isinstance(error, ConnectionRefusedError):
        reason = "nothing listens there"
    elif isinstance(error, ConnectionResetError):
        reason = "closed the connection at once"
    elif isinstance(error, OSError) and error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        reason = "no route to it"
    return BrokerUnreachableError(f"{broker.address}: {reason}")


def refusal(code: ReasonCode, *, what: str) -> BrokerError | None:
    """The error that a reason code means, or None for success; ``what`` begins the message."""
    if code.value < 0x80:
        return None
    reason = _FINAL_CODES.get(code.value)
    if reason is not None:
        return BrokerRefusedError(f"{what}: {reason}")
    return BrokerUnreachableError(f"{what}: {str(code).lower()}")


def _short(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or "it failed").lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
