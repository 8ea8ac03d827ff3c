"""Cameras that send hostile answers: RTSP with interleaved RTP, and MJPEG over HTTP, from a server of our own."""

import base64
import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from fuzz.byte_mutation import BOUNDARIES, damaged, damaged_in_place
from fuzz.clip_seeds import make_seeds
from fuzz.clips import LookingSink, watch
from fuzz.structured_mutation import damaged_text
from fuzz.target import CANARY, Case, Target, seeds_in

from streamer.ingest.source import Source

_STALL_S: Final = 0.6
_RTP_CLOCK: Final = 90_000
_PAYLOAD_BYTES: Final = 300


class HostileServer:
    """Answers each connection with prepared bytes: an answer for each request, then ``stream`` behind the last one.

    ``CSEQ`` in an answer becomes the number of the request, which libav insists upon. One case at a time.
    """

    def __init__(self) -> None:
        self.answers: Sequence[bytes] = ()
        self.stream = b""
        self.stays_s = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._closing = False
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(3.0)
        answers = list(self.answers)
        for number, answer in enumerate(answers):
            request = self._request(connection)
            if request is None:
                return
            last = number == len(answers) - 1
            connection.sendall(answer.replace(b"CSEQ", _cseq(request)) + (self.stream if last else b""))
        # whoever waits for more gets nothing; a request is no reason to say anything
        end = time.monotonic() + self.stays_s
        while time.monotonic() < end and not select.select([connection], [], [], 0.02)[0]:
            pass

    def _request(self, connection: socket.socket) -> bytes | None:
        got = b""
        while b"\r\n\r\n" not in got:
            piece = connection.recv(1 << 16)
            if not piece or len(got) > 1 << 20:
                return None
            got += piece
        return got


def _cseq(request: bytes) -> bytes:
    for line in request.split(b"\r\n"):
        if line.lower().startswith(b"cseq:"):
            return line.partition(b":")[2].strip()
    return b"1"


class Rtsp(Target):
    """SDP, headers, interleaved lengths and RTP, damaged."""

    title = "RTSP and RTP"
    cases = 2_000
    short = 20
    limit_s = 30.0
    most_mb = 512.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seeds = seeds_in(folder.parent, "clips", make_seeds)
        self._streams = {
            "H264": (96, _units(self._seeds["h264.h264"])),
            "H265": (96, _units(self._seeds["hevc.h265"])),
            "MP4V-ES": (96, [self._seeds["mpeg4.m4v"]]),
            "JPEG": (26, _jpegs(self._seeds["mjpeg.avi"])),
            "MP2T": (
                33,
                [
                    self._seeds["h264.ts"][at : at + 1316]
                    for at in range(0, len(self._seeds["h264.ts"]), 1316)
                ],
            ),
        }
        self._server = HostileServer()

    def make(self, rng: Random) -> Case:
        codec = rng.choice(("H264", "H264", "H264", "H265", "H265", "MP4V-ES", "JPEG", "MP2T"))
        payload_type, units = self._streams[codec]
        packets = [
            _rtp(payload, payload_type, number, number // 3 * 9000, marker=last)
            for number, (payload, last) in enumerate(_payloads(codec, units))
        ]
        described = _sdp(codec, payload_type, units)
        where = rng.randrange(6)
        if where in (0, 5):
            described = damaged_text(described, rng) if rng.random() < 0.7 else damaged(described, rng)
        heads = _heads(described, self._server.port)
        if where in (1, 5):
            at = rng.randrange(len(heads))
            mutate = damaged_text if rng.random() < 0.7 else damaged
            heads[at] = _odd_head(rng) if rng.random() < 0.2 else mutate(heads[at], rng)
        if where in (2, 5):
            packets = [_damaged_rtp(packet, rng) if rng.random() < 0.3 else packet for packet in packets]
        if where in (3, 5):
            rng.shuffle(packets) if rng.random() < 0.3 else None
            packets = [packet for packet in packets if rng.random() < 0.9] * rng.choice((1, 1, 3))
        stream = b"".join(_interleaved(packet, rng, damage=where in (4, 5)) for packet in packets)
        if where == 4 and rng.random() < 0.5:
            stream = damaged(stream, rng)
        return Case.of_parts([*heads, stream], options=rng.randrange(1 << 16))

    def run(self, case: Case) -> bool:
        *self._server.answers, self._server.stream = case.parts
        self._server.stays_s = Random(case.options).choice((0.0, 0.0, 0.0, 0.1, 2.0))
        source = Source(
            f"rtsp://127.0.0.1:{self._server.port}/stream",
            user="viewer",
            password=CANARY,
            open_timeout_s=_STALL_S,
            stall_s=_STALL_S,
            skip_frame="AUTO",
        )
        return watch(self, source, LookingSink())

    def close(self) -> None:
        self._server.close()


def _heads(described: bytes, port: int) -> list[bytes]:
    """Answers to OPTIONS, DESCRIBE, SETUP and PLAY."""

    def head(*lines: str, body: bytes = b"") -> bytes:
        length = [f"Content-Length: {len(body)}"] if body else []
        return "\r\n".join(["RTSP/1.0 200 OK", "CSeq: CSEQ", *lines, *length, "", ""]).encode() + body

    return [
        head("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN", "Server: camera/1.0"),
        head(
            f"Content-Base: rtsp://127.0.0.1:{port}/stream/", "Content-Type: application/sdp", body=described
        ),
        head("Session: 4711;timeout=60", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=00000001"),
        head(
            "Session: 4711",
            "Range: npt=0-",
            f"RTP-Info: url=rtsp://127.0.0.1:{port}/stream/track1;seq=0;rtptime=0",
        ),
    ]


def _odd_head(rng: Random) -> bytes:
    return rng.choice(
        (
            b'RTSP/1.0 401 Unauthorized\r\nCSeq: CSEQ\r\nWWW-Authenticate: Digest realm="'
            + b"r" * 5000
            + b'", nonce="n"\r\n\r\n',
            b'RTSP/1.0 401 Unauthorized\r\nCSeq: CSEQ\r\nWWW-Authenticate: Basic realm="\x1b[2J"\r\n\r\n',
            b"RTSP/1.0 302 Moved\r\nCSeq: CSEQ\r\nLocation: file:///etc/passwd\r\n\r\n",
            b"RTSP/1.0 302 Moved\r\nCSeq: CSEQ\r\nLocation: rtsp://127.0.0.1:9/x\r\n\r\n",
            b"RTSP/1.0 999 \xff\x00\x1b[31m\r\nCSeq: CSEQ\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nContent-Length: 4294967295\r\n\r\n",
            b"RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n" + b"<html>" * 100,
            b"A" * 200_000,
            b"RTSP/1.0 200 OK\r\n" + b"".join(b"H%d: x\r\n" % number for number in range(5000)) + b"\r\n",
            b"$" + rng.randbytes(rng.choice((10, 1000, 70_000))),
            b"\0" * 1000,
        )
    )


def _sdp(codec: str, payload_type: int, units: Sequence[bytes]) -> bytes:
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=stream",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
    ]
    lines += [f"m=video 0 RTP/AVP {payload_type}", "a=control:track1", "a=framerate:10"]
    if payload_type >= 96:
        lines.append(f"a=rtpmap:{payload_type} {codec}/{_RTP_CLOCK}")
    sets = [base64.b64encode(unit).decode() for unit in units[:4] if len(unit) < 200]
    if codec == "H264":
        lines.append(
            f"a=fmtp:{payload_type} packetization-mode=1;profile-level-id=42c00a;"
            f"sprop-parameter-sets={','.join(sets[:2])}"
        )
    if codec == "H265" and len(sets) > 2:
        lines.append(f"a=fmtp:{payload_type} sprop-vps={sets[0]};sprop-sps={sets[1]};sprop-pps={sets[2]}")
    if codec == "MP4V-ES":
        lines.append(f"a=fmtp:{payload_type} profile-level-id=1;config={units[0][:40].hex()}")
    lines += ["m=audio 0 RTP/AVP 0", "a=control:track2", ""]
    return "\r\n".join(lines).encode()


def _units(data: bytes) -> list[bytes]:
    """The NAL units of a raw stream, without what divides them."""
    return [piece.rstrip(b"\0") for piece in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if piece]


def _jpegs(data: bytes) -> list[bytes]:
    found, at = [], data.find(b"\xff\xd8\xff")
    while at >= 0:
        end = data.find(b"\xff\xd9", at)
        found.append(data[at : end + 2])
        at = data.find(b"\xff\xd8\xff", end)
    return found


def _payloads(codec: str, units: Sequence[bytes]) -> list[tuple[bytes, bool]]:
    """What goes into RTP packets (RFC 6184, 7798, 3016, 2435, 2250), each with whether its picture ends there."""
    found: list[tuple[bytes, bool]] = []
    for unit in units:
        pieces = [unit[at : at + _PAYLOAD_BYTES] for at in range(0, len(unit), _PAYLOAD_BYTES)] or [b""]
        for number, piece in enumerate(pieces):
            first, last = number == 0, number == len(pieces) - 1
            if codec == "H264" and len(pieces) > 1:
                head = bytes([unit[0] & 0xE0 | 28, first << 7 | last << 6 | unit[0] & 0x1F])
                found.append((head + piece[first:], last))
            elif codec == "H265" and len(pieces) > 1:
                head = bytes(
                    [unit[0] & 0x81 | 49 << 1, unit[1], first << 7 | last << 6 | unit[0] >> 1 & 0x3F]
                )
                found.append((head + piece[2 * first :], last))
            elif codec == "JPEG":
                head = struct.pack(">II", number * _PAYLOAD_BYTES, 0x01_5F_08_08)
                found.append((head + piece, last))
            else:
                found.append((piece, last))
    return found


def _rtp(payload: bytes, payload_type: int, number: int, stamp: int, *, marker: bool) -> bytes:
    return struct.pack(">BBHII", 0x80, marker << 7 | payload_type, number & 0xFFFF, stamp, 1) + payload


def _damaged_rtp(packet: bytes, rng: Random) -> bytes:
    match rng.randrange(5):
        case 0:
            return damaged_in_place(packet[:16], rng, most=4) + packet[16:]
        case 1:
            # padding, extension headers and sources that are not there
            return bytes([rng.choice((0x80, 0x90, 0xA0, 0xBF, 0x8F, 0xFF))]) + packet[1:]
        case 2:
            return packet[: rng.randint(0, len(packet))]
        case 3:
            # aggregates and fragments: their types, with sizes that lie
            kind = rng.choice((24, 25, 26, 27, 28, 29, 48 << 1, 49 << 1, 50 << 1, 0xFF))
            return packet[:12] + bytes([kind]) + rng.randbytes(rng.randint(0, 40)) + packet[13:]
        case _:
            return packet[:12] + damaged(packet[12:], rng)


def _interleaved(packet: bytes, rng: Random, *, damage: bool) -> bytes:
    channel, size, magic = 0, len(packet), b"$"
    if damage and rng.random() < 0.15:
        match rng.randrange(4):
            case 0:
                channel = rng.choice((1, 2, 3, 255))
            case 1:
                size = rng.choice((*BOUNDARIES, size - 1, size + 1))
            case 2:
                magic = rng.choice(
                    (b"", b"$$", b"\0", b"RTSP/1.0 200 OK\r\n\r\n", b"ANNOUNCE * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                )
            case _:
                # sender reports, goodbyes and others on the second channel
                packet = bytes([0x81, rng.choice((200, 201, 202, 203, 204)), 0, 6]) + rng.randbytes(24)
                channel, size = 1, len(packet)
    return magic + bytes([channel]) + struct.pack(">H", size & 0xFFFF) + packet


class HttpCameras(Target):
    """MJPEG in parts, or another stream behind an answer of HTTP, damaged."""

    title = "HTTP cameras"
    cases = 1_500
    short = 15
    limit_s = 30.0
    most_mb = 512.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._seeds = seeds_in(folder.parent, "clips", make_seeds)
        self._jpegs = _jpegs(self._seeds["mjpeg.avi"])
        self._server = HostileServer()

    def make(self, rng: Random) -> Case:
        if rng.random() < 0.7:
            kind = "multipart/x-mixed-replace; boundary=frame"
            body = b"".join(
                b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture)
                + picture
                + b"\r\n"
                for picture in self._jpegs * 3
            )
        else:
            kind = rng.choice(
                ("video/mp2t", "video/mp4", "application/octet-stream", "application/vnd.apple.mpegurl")
            )
            body = self._seeds[rng.choice(("h264.ts", "h264.mp4", "hevc.ts", "mjpeg.mjpeg", "h264.flv"))]
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
        match rng.randrange(4):
            case 0:
                head = damaged_text(head, rng)
            case 1:
                head = _odd_http(rng)
            case 2:
                body = damaged(body, rng, most=12)
            case _:
                at = body.find(b"\xff\xd8")
                body = (
                    body[: at + 2] + damaged_in_place(body[at + 2 : at + 600], rng, most=8) + body[at + 600 :]
                )
        return Case.of_parts([head, body], options=rng.randrange(1 << 16))

    def run(self, case: Case) -> bool:
        head, self._server.stream = case.parts
        self._server.answers = [head]
        self._server.stays_s = Random(case.options).choice((0.0, 0.0, 0.0, 0.1, 2.0))
        source = Source(
            f"http://127.0.0.1:{self._server.port}/video.mjpg?user=viewer&pwd={CANARY}",
            user="viewer",
            password=CANARY,
            open_timeout_s=_STALL_S,
            stall_s=_STALL_S,
            skip_frame="AUTO",
            paced=False,
            start_epoch_s=0.0,
        )
        return watch(self, source, LookingSink())

    def close(self) -> None:
        self._server.close()


def _odd_http(rng: Random) -> bytes:
    status = rng.choice((100, 204, 206, 301, 302, 401, 403, 404, 416, 500, 503, 999, 0))
    lines = [f"HTTP/1.1 {status} \x1b[31mno\x00"]
    lines += rng.sample(
        [
            "Location: http://127.0.0.1:9/elsewhere",
            "Location: file:///etc/passwd",
            "Location: /again",
            'WWW-Authenticate: Digest realm="r", nonce="' + "n" * 4000 + '", qop="auth"',
            "WWW-Authenticate: Basic realm=x",
            "Content-Length: 99999999999999999999",
            "Content-Length: -5",
            "Transfer-Encoding: chunked",
            "Content-Encoding: gzip",
            "Content-Range: bytes 5-3/1",
            "Set-Cookie: " + "c" * 9000,
            "Icy-MetaInt: 1",
            "Refresh: 0",
            "Retry-After: 99999999",
        ],
        rng.randint(1, 4),
    )
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + rng.choice(
        (b"", b"ffffffffff\r\n", b"5\r\nhello\r\n")
    )
