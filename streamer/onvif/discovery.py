"""Asks the local network who is an ONVIF device: WS-Discovery (2005/04), as ONVIF's core specification wants it."""

import fcntl
import ipaddress
import re
import selectors
import socket
import struct
import time
import uuid
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from models.printable import printable
from streamer.onvif.errors import OnvifAnswerError, OnvifError
from streamer.onvif.xml import ADDRESSING, DEVICE, DISCOVERY, NETWORK, SOAP, elements, first, parse, texts

MULTICAST: Final = ("239.255.255.250", 3702)
#: How long answers are waited for: devices wait up to half a second, by the standard, so as not to answer all at once.
WAIT_S: Final = 3.0
#: The question is sent so often, for datagrams get lost.
_SENT_TIMES: Final = 2

_MOST_DATAGRAMS: Final = 2000
_MOST_DEVICES: Final = 256
_LARGEST_DATAGRAM: Final = 65_536
_MOST_ADDRESSES: Final = 16
_SCOPE: Final = re.compile(r"onvif://www\.onvif\.org/(name|hardware)/(.+)", re.IGNORECASE)
_LONGEST_NAME: Final = 64
#: netdevice(7)
_SIOCGIFADDR: Final = 0x8915


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """A device that answered. ``host``: the address that the answer came from; ``service``: URL of its device service
    there; ``name``, ``hardware``: what it calls itself, for people.
    """

    host: str
    service: str
    name: str = ""
    hardware: str = ""

    def __str__(self) -> str:
        words = " ".join(dict.fromkeys(filter(None, (self.name, self.hardware))))
        return f"{self.host}  {words}".rstrip()


def discover(
    *,
    wait_s: float = WAIT_S,
    target: tuple[str, int] = MULTICAST,
    interfaces: Sequence[str] | None = None,
) -> list[FoundDevice]:
    """Who answers within ``wait_s``, by address. ``interfaces`` are IPv4 addresses of ours to ask from, by default all.

    Raises ``OnvifError`` when the question cannot be sent anywhere.
    """
    # not all devices know both names for what they are, and a question for both is one for devices of both kinds
    questions = {f"urn:uuid:{uuid.uuid4()}": kind for kind in ("dn:NetworkVideoTransmitter", "tds:Device")}
    messages = [probe_message(message_id, kind) for message_id, kind in questions.items()]
    found: dict[str, FoundDevice] = {}
    with ExitStack() as open_sockets, selectors.DefaultSelector() as ready:
        for address in _own_addresses() if interfaces is None else interfaces:
            with suppress(OSError):
                sender = open_sockets.enter_context(_sender(address))
                for message in messages:
                    sender.sendto(message, target)
                ready.register(sender, selectors.EVENT_READ)
        if not ready.get_map():
            raise OnvifError("this machine has no network on which cameras could be asked for")
        for data, host in _answers(ready, messages, target, wait_s):
            with suppress(OnvifAnswerError):
                device = device_of(data, host, questions)
                if device is not None:
                    found.setdefault(device.service, device)
            if len(found) >= _MOST_DEVICES:
                break
    return sorted(found.values(), key=lambda device: (_by_address(device.host), device.service))


def probe_message(message_id: str, kind: str) -> bytes:
    """The question for devices of a ``kind``: ``dn:NetworkVideoTransmitter`` or ``tds:Device``."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:d="{DISCOVERY}" xmlns:dn="{NETWORK}"'
        f' xmlns:tds="{DEVICE}"><s:Header>'
        f'<a:Action s:mustUnderstand="1">{DISCOVERY}/Probe</a:Action><a:MessageID>{message_id}</a:MessageID>'
        f"<a:ReplyTo><a:Address>{ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>"
        '<a:To s:mustUnderstand="1">urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>'
        f"<s:Body><d:Probe><d:Types>{kind}</d:Types></d:Probe></s:Body></s:Envelope>"
    ).encode()


def device_of(data: bytes, host: str, message_ids: Container[str]) -> FoundDevice | None:
    """What a datagram from ``host`` says, where it answers one of our questions; None: it names no service.

    Services at other addresses are taken for ones at ``host``: nobody speaks for others. Raises ``OnvifAnswerError``.
    """
    root = parse(data)
    if first(root, (ADDRESSING, "RelatesTo")) not in message_ids:
        return None
    for match in elements(root, (DISCOVERY, "ProbeMatch")):
        addresses = [word for text in texts(match, (DISCOVERY, "XAddrs")) for word in text.split()]
        service = _service_at(host, addresses[:_MOST_ADDRESSES])
        if service is None:
            continue
        scopes = " ".join(texts(match, (DISCOVERY, "Scopes"))).split()
        named = dict(_named(scopes))
        return FoundDevice(host, service, named.get("name", ""), named.get("hardware", ""))
    return None


def at_host(url: str, host: str) -> str | None:
    """``url`` (http or https) as a service of ``host``; None for what is no such address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    shown = f"[{host}]" if ":" in host else host
    path = parts.path if re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,512}", parts.path) else "/"
    return urlunsplit((parts.scheme, shown if port is None else f"{shown}:{port}", path, "", ""))


def _service_at(host: str, addresses: Iterable[str]) -> str | None:
    usable = [(address, service) for address in addresses if (service := at_host(address, host)) is not None]
    if not usable:
        return None
    # devices tell all of their addresses: the one that we can reach, rather than others, and rather without TLS, whose
    # certificates they sign themselves
    best = min(
        usable, key=lambda pair: (urlsplit(pair[0]).hostname != host, urlsplit(pair[0]).scheme != "http")
    )
    return best[1]


def _named(scopes: Iterable[str]) -> Iterator[tuple[str, str]]:
    for scope in scopes:
        if match := _SCOPE.fullmatch(scope):
            yield match[1].lower(), printable(unquote(match[2]))[:_LONGEST_NAME]


def _answers(
    ready: selectors.BaseSelector, messages: Sequence[bytes], target: tuple[str, int], wait_s: float
) -> Iterator[tuple[bytes, str]]:
    began_s = time.monotonic()
    again_s = [began_s + wait_s * number / (2 * _SENT_TIMES) for number in range(1, _SENT_TIMES)]
    received = 0
    while (now_s := time.monotonic()) < began_s + wait_s and received < _MOST_DATAGRAMS:
        if again_s and now_s >= again_s[0]:
            again_s.pop(0)
            for key in list(ready.get_map().values()):
                for message in messages:
                    with suppress(OSError):
                        key.fileobj.sendto(message, target)  # type: ignore[union-attr]
        next_s = min([began_s + wait_s, *again_s])
        for key, _ in ready.select(max(0.0, next_s - now_s)):
            with suppress(OSError):
                data, address = key.fileobj.recvfrom(_LARGEST_DATAGRAM)  # type: ignore[union-attr]
                received += 1
                yield data, str(address[0])


def _sender(address: str) -> socket.socket:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sender.setblocking(False)
        # a room for the answers of many who answer at once
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        sender.bind((address, 0))
    except OSError:
        sender.close()
        raise
    return sender


def _own_addresses() -> list[str]:
    """IPv4 addresses of this machine's interfaces, loopback left out: from each its network is asked."""
    addresses = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            with suppress(OSError):
                answer = fcntl.ioctl(asked, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                address = socket.inet_ntoa(answer[20:24])
                if not ipaddress.ip_address(address).is_loopback:
                    addresses.append(address)
    return addresses


def _by_address(host: str) -> tuple[int, bytes]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return (0, host.encode())
    return (address.version, address.packed)
