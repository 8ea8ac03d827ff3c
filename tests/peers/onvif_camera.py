"""An ONVIF camera of the tests: answers WS-Discovery on loopback, and SOAP with the messages of ONVIF's published WSDL.

Logins are verified: WS-UsernameToken's digest, its age and its nonce (OASIS, UsernameToken Profile 1.0) or HTTP Digest.
"""

import base64
import hashlib
import re
import secrets
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from xml.etree import ElementTree
from xml.sax.saxutils import escape

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
ENVELOPE = (
    f'<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="{SOAP}"'
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
    ' xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl">'
    "<env:Header>{header}</env:Header><env:Body>{body}</env:Body></env:Envelope>"
)
#: Token, name, encoding, width, height, frames a second.
PROFILES = (("main", "mainStream", "H264", 2560, 1440, 25), ("sub", "subStream", "H264", 640, 360, 10))


class OnvifCamera:
    """The camera, on free ports of 127.0.0.1; a context manager.

    - ``rtsp``: what its streams' addresses are made of: ``rtsp://HOST:PORT/PATH?profile=TOKEN``.
    - ``user``, ``password``: who may ask; ``login``: ``token`` (WS-UsernameToken) or ``digest`` (HTTP).
    - ``challenges``: its headers ``WWW-Authenticate``, where ``{digest}`` stands for the challenge that it answers to.
    - ``ahead``: how far its clock is ahead; a token that is older than five seconds is refused.
    - ``calls``: what it was asked, ``refused``: how often it refused.
    """

    def __init__(
        self,
        *,
        rtsp: str = "rtsp://192.168.1.64:554/stream",
        user: str = "viewer",
        password: str = "",
        login: str = "token",
        challenges: tuple[str, ...] = ("{digest}",),
        ahead: timedelta = timedelta(),
        profiles: tuple[tuple[str, str, str, int, int, int], ...] = PROFILES,
    ) -> None:
        self.rtsp, self.user, self.password = rtsp, user, password
        self.login, self.ahead, self.profiles = login, ahead, profiles
        self.challenges = challenges
        self.calls: list[str] = []
        self.refused = 0
        self._nonces: set[bytes] = set()
        self._http_nonce = secrets.token_hex(8)
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind(("127.0.0.1", 0))
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, text, challenges = camera.answer(
                    self.path, body, self.headers.get("authorization", "")
                )
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/soap+xml")
                for challenge in challenges:
                    self.send_header("WWW-Authenticate", challenge)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._threads = [threading.Thread(target=run) for run in (self._http.serve_forever, self._discovered)]

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/onvif/device_service"

    @property
    def discovery(self) -> tuple[str, int]:
        """Where it is asked, in place of the multicast address."""
        host, port = self._datagrams.getsockname()
        return host, port

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.discovery)
        for thread in self._threads:
            thread.join(10)
        self._datagrams.close()

    def matches(self, message_id: str) -> bytes:
        """The datagram that answers a probe: other addresses than the one that it comes from are among them."""
        port = self._http.server_port
        addresses = f"http://169.254.7.7/onvif/device_service http://127.0.0.1:{port}/onvif/device_service"
        scopes = (
            "onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/type/video_encoder\n"
            "onvif://www.onvif.org/hardware/DS-2CD onvif://www.onvif.org/name/North%20gate"
        )
        match = (
            "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:c9790c3a</a:Address>"
            "</a:EndpointReference><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>"
            f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{addresses}</d:XAddrs>"
            "<d:MetadataVersion>10</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
        )
        header = (
            "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action>"
            f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo>"
        )
        return ENVELOPE.format(header=header, body=match).encode()

    def _discovered(self) -> None:
        while data := (received := self._datagrams.recvfrom(65_536))[0]:
            asked = re.search(r"<a:MessageID>(.*)</a:MessageID>.*<d:Types>(.*)</d:Types>", data.decode())
            if asked and asked[2] in {"dn:NetworkVideoTransmitter", "tds:Device"}:
                self._datagrams.sendto(self.matches(asked[1]), received[1])

    def answer(self, path: str, body: bytes, authorization: str) -> tuple[int, str, list[str]]:
        """Status, SOAP and headers for one request."""
        root = ElementTree.fromstring(body)
        asked = root.find(f"{{{SOAP}}}Body/*")
        name = asked.tag.partition("}")[2]
        self.calls.append(name)
        if name != "GetSystemDateAndTime":
            if self.login == "digest" and not self._knows_digest(authorization, path):
                self.refused += bool(authorization)
                challenge = (
                    f'Digest realm="cam", qop="auth", nonce="{self._http_nonce}", opaque="o", algorithm=MD5'
                )
                return 401, "", [text.format(digest=challenge) for text in self.challenges]
            if self.login == "token" and not self._knows_token(root):
                self.refused += root.find(f".//{{{WSSE}}}UsernameToken") is not None
                return 400, ENVELOPE.format(header="", body=NOT_AUTHORISED), []
        return 200, ENVELOPE.format(header="", body=self._body(name, asked)), []

    def _body(self, name: str, asked: ElementTree.Element) -> str:
        answers: dict[str, Callable[[], str]] = {
            "GetSystemDateAndTime": self._time,
            "GetCapabilities": lambda: (
                "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media>"
                # the address behind its router
                f"<tt:XAddr>http://192.168.1.64:{self._http.server_port}/onvif/media_service</tt:XAddr><tt:StreamingCapabilities>"
                "<tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP></tt:StreamingCapabilities>"
                "</tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
            ),
            "GetProfiles": self._profiles,
            "GetStreamUri": lambda: self._stream(asked),
        }
        return answers[name]()

    def _time(self) -> str:
        now = datetime.now(UTC) + self.ahead
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime>"
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
            f"</tt:Time><tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
            "</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _profiles(self) -> str:
        profiles = "".join(
            f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{name}</tt:Name>'
            '<tt:VideoSourceConfiguration token="vsc"><tt:Name>vsc</tt:Name><tt:UseCount>2</tt:UseCount>'
            "<tt:SourceToken>source</tt:SourceToken>"
            '<tt:Bounds x="0" y="0" width="2560" height="1440"/></tt:VideoSourceConfiguration>'
            f'<tt:VideoEncoderConfiguration token="vec{token}"><tt:Name>vec</tt:Name><tt:UseCount>1</tt:UseCount>'
            f"<tt:Encoding>{encoding}</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width>"
            f"<tt:Height>{height}</tt:Height></tt:Resolution><tt:Quality>4</tt:Quality><tt:RateControl>"
            f"<tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
            "<tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles>"
            for token, name, encoding, width, height, fps in self.profiles
        )
        return f"<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>"

    def _stream(self, asked: ElementTree.Element) -> str:
        schema = "{http://www.onvif.org/ver10/schema}"
        media = "{http://www.onvif.org/ver10/media/wsdl}"
        assert asked.findtext(f"{media}StreamSetup/{schema}Stream") == "RTP-Unicast"
        assert asked.findtext(f"{media}StreamSetup/{schema}Transport/{schema}Protocol") == "RTSP"
        token = asked.findtext(f"{media}ProfileToken")
        uri = escape(f"{self.rtsp}?profile={token}")
        return (
            f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{uri}</tt:Uri>"
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>"
            "<tt:Timeout>PT0S</tt:Timeout></trt:MediaUri></trt:GetStreamUriResponse>"
        )

    def _knows_token(self, root: ElementTree.Element) -> bool:
        token = root.find(f"{{{SOAP}}}Header/{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
        if token is None:
            return False
        nonce = base64.b64decode(token.findtext(f"{{{WSSE}}}Nonce"), validate=True)
        created = token.findtext(f"{{{WSU}}}Created")
        digest = base64.b64encode(hashlib.sha1(nonce + created.encode() + self.password.encode()).digest())
        age = datetime.now(UTC) + self.ahead - datetime.fromisoformat(created)
        fresh = nonce not in self._nonces and abs(age) < timedelta(seconds=60)
        self._nonces.add(nonce)
        given = token.find(f"{{{WSSE}}}Password")
        return (
            fresh
            and token.findtext(f"{{{WSSE}}}Username") == self.user
            and given.get("Type", "").endswith("#PasswordDigest")
            and given.text == digest.decode()
        )

    def _knows_digest(self, authorization: str, path: str) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', authorization))

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        secret, asked = md5(self.user, "cam", self.password), md5("POST", path)
        expected = md5(secret, self._http_nonce, given.get("nc", ""), given.get("cnonce", ""), "auth", asked)
        return authorization.startswith("Digest ") and given.get("response") == expected


NOT_AUTHORISED = (
    "<env:Fault><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>ter:NotAuthorized</env:Value>"
    '</env:Subcode></env:Code><env:Reason><env:Text xml:lang="en">Sender not authorized</env:Text></env:Reason>'
    "</env:Fault>"
)
