"""A device's streams, from a server that verifies logins; and what a hostile one may answer."""

import base64
import re
import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peers.dead_ends import HangingPort, refusing_port
from peers.onvif_camera import ENVELOPE, OnvifCamera

from streamer.onvif import device
from streamer.onvif import soap as soap_module
from streamer.onvif.device import best_of, streams_of
from streamer.onvif.errors import OnvifAnswerError, OnvifError, OnvifRefusedError
from streamer.onvif.soap import password_digest
from streamer.onvif.xml import SCHEMA

PASSWORD = "pass <&> wörd"


@pytest.mark.parametrize("login", ["token", "digest"])
@pytest.mark.parametrize("ahead", [timedelta(), timedelta(hours=-9, minutes=3)], ids=["in time", "late"])
def test_streams_are_at_the_device_itself(login, ahead):
    with OnvifCamera(password=PASSWORD, login=login, ahead=ahead) as camera:
        streams = streams_of(camera.service, "viewer", PASSWORD)
    assert [(stream.url, stream.image_hw, stream.fps) for stream in streams] == [
        ("rtsp://127.0.0.1:554/stream?profile=main", (1440, 2560), 25.0),
        ("rtsp://127.0.0.1:554/stream?profile=sub", (360, 640), 10.0),
    ]
    assert str(streams[1]) == "subStream: H264 640x360, 10 frames a second"
    assert best_of(streams) == streams[0]
    assert camera.calls[0] == "GetSystemDateAndTime"
    assert camera.refused == 0


@pytest.mark.parametrize(
    "challenges",
    [
        ("{digest}", 'Basic realm="cam"'),
        ('Basic realm="cam"', "{digest}"),
        ('Digest realm="cam", nonce="x", algorithm=SHA-512-256', "{digest}", "Bearer"),
        ('Basic realm="other", {digest}',),
        ('{digest}, Basic realm="other"',),
    ],
)
def test_of_several_challenges_the_one_that_can_be_answered_is(challenges):
    with OnvifCamera(password=PASSWORD, login="digest", challenges=challenges) as camera:
        assert len(streams_of(camera.service, "viewer", PASSWORD)) == 2
    assert camera.refused == 0


@pytest.mark.parametrize(
    "date",
    [
        ("99999999999999999999", "1", "1"),
        ("9999", "12", "31"),
        ("2026", "99999999999999999999", "1"),
        ("2026", "13", "1"),
        ("-1", "1", "1"),
        ("1", "1", "1"),
        ("9" * 5000, "1", "1"),
    ],
)
def test_a_clock_that_says_what_cannot_be_is_none(hostile, date):
    year, month, day = (
        f"<tt:{name}>{text}</tt:{name}>" for name, text in zip(("Year", "Month", "Day"), date, strict=True)
    )
    time_told = soap(
        f"<tt:UTCDateTime><tt:Time><tt:Hour>23</tt:Hour><tt:Minute>59</tt:Minute><tt:Second>59</tt:Second></tt:Time>"
        f"<tt:Date>{year}{month}{day}</tt:Date></tt:UTCDateTime>"
    )
    hostile.answers = [time_told]
    # far from now, moments later would be beyond the last year that there is
    assert device._clock_ahead_s(hostile.service, time.monotonic() + 30) == 0.0
    hostile.answers = [
        time_told,
        capabilities(hostile),
        soap(PROFILES.format("t")),
        soap(STREAM.format("rtsp://h/")),
    ]
    assert len(streams_of(hostile.service, "viewer", "pa55word")) == 1


@pytest.mark.parametrize("login", ["token", "digest"])
def test_a_wrong_password_is_tried_once(login):
    """Cameras lock accounts."""
    with OnvifCamera(password=PASSWORD, login=login) as camera:
        with pytest.raises(OnvifRefusedError, match="refuses the user or password"):
            streams_of(camera.service, "viewer", "guess")
        assert camera.refused == 1
        with pytest.raises(OnvifRefusedError, match="asks for a user and password"):
            streams_of(camera.service, "", "")
        assert camera.refused == 1


def test_the_example_of_onvifs_programmers_guide():
    """ONVIF Application Programmer's Guide, 6.1.1.3."""
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    assert password_digest(nonce, "2010-09-16T07:50:45Z", "userpassword") == "tuOSpGlFlIXsozq4HFNeeGeFLEI="


@pytest.mark.parametrize(
    ("sizes", "best"),
    [([640, 1280, 2560], 1280), ([640, 800], 800), ([3840, 1920, 352], 1920), ([0], 0)],
)
def test_the_stream_that_is_worth_its_decoding(sizes, best):
    streams = [device.DeviceStream("rtsp://h/", "p", "s", "H264", (size, size // 2), 1.0) for size in sizes]
    assert max(best_of(streams).image_hw) == best


def test_who_does_not_answer_is_told():
    with pytest.raises(OnvifError, match="nothing listens there"):
        streams_of(f"http://127.0.0.1:{refusing_port()}/", "", "")
    with HangingPort() as port, pytest.raises(OnvifError, match=r"no answer within|takes too long"):
        streams_of(f"http://127.0.0.1:{port.port}/", "", "", time_s=0.5)


class Hostile:
    """A server that answers whatever it is asked with ``answers`` in turn, the last again and again."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.wfile.write(hostile.answers.pop(0) if len(hostile.answers) > 1 else hostile.answers[0])
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever)
        self.service = f"http://127.0.0.1:{self._http.server_port}/onvif/device_service"

    def __enter__(self) -> "Hostile":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)


@pytest.fixture(scope="module")
def hostile():
    with Hostile() as server:
        yield server


def http(body: bytes | str, status: str = "200 OK", headers: str = "") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.0 {status}\r\n{headers}Content-Length: {len(data)}\r\n\r\n".encode() + data


def soap(body: str) -> bytes:
    return http(ENVELOPE.format(header="", body=body))


def capabilities(server: Hostile) -> bytes:
    port = server.service.split(":")[2].partition("/")[0]
    return soap(
        f"<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media><tt:XAddr>http://10.0.0.1:{port}/m</tt:XAddr>"
        "</tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


PROFILES = '<trt:GetProfilesResponse><trt:Profiles token="{}"/></trt:GetProfilesResponse>'
STREAM = (
    "<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{}</tt:Uri></trt:MediaUri></trt:GetStreamUriResponse>"
)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"not http\r\n\r\n", "no HTTP"),
        (http("no xml"), "no XML"),
        (http("<a/>"), "no media service"),
        (http("", "302 Found", "Location: http://169.254.169.254/\r\n"), "redirect"),
        (http("", "500 Oops"), "HTTP status 500"),
        (http('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'), "no XML"),
        (http('<?xml version="1.0" encoding="cp-nothing"?><a/>'), "no XML"),
        (http("<a>" * 3000 + "</a>" * 3000), "no media service"),
        (http("<a>" + "<b/>" * 30_000 + "</a>"), "more elements"),
        (http(b"<a>" + b"x" * 2_100_000 + b"</a>"), "longer than"),
        (soap("<env:Fault><env:Reason><env:Text>\x85a\u202e</env:Text></env:Reason></env:Fault>"), r"refuses: a\?"),
        (http("", "401 No", 'WWW-Authenticate: Digest realm="\xff\r\n'), "refuses"),
        (http("", "401 No", "WWW-Authenticate: Digest " + 'a="' * 5000 + "\r\n"), "refuses"),
    ],
)  # fmt: skip
def test_a_hostile_answer_is_refused_in_words(hostile, answer, said):
    hostile.answers = [answer]
    with pytest.raises(OnvifError, match=said) as found:
        streams_of(hostile.service, "viewer", "pa55word", time_s=30)
    assert str(found.value).isprintable()
    assert "pa55word" not in str(found.value)


def test_an_answer_that_is_given_up_leaves_no_socket_open(hostile, monkeypatch):
    hostile.answers = [http(b"<a>" + b"x" * 2_100_000 + b"</a>")]
    responses = []
    real = soap_module._read
    monkeypatch.setattr(
        soap_module, "_read", lambda response, *rest: responses.append(response) or real(response, *rest)
    )
    with pytest.raises(OnvifError, match="longer than"):
        streams_of(hostile.service, "viewer", "pa55word", time_s=30)
    assert responses
    assert all(response.isclosed() for response in responses)


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("rtsp://10.9.9.9:8554/a?b=c", "rtsp://127.0.0.1:8554/a?b=c"),
        ("rtsp://admin:hunter2@10.9.9.9/a", "rtsp://127.0.0.1/a"),
        ("rtsps://x/a#b", "rtsps://127.0.0.1/a"),
        ("http://10.9.9.9/a", None),
        ("file:///etc/passwd", None),
        ("rtsp://h/${HOME}", None),
        ("rtsp://h:99999/", None),
        ("rtsp://[/", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_stream_is_at_the_device_or_nowhere(hostile, uri, url):
    hostile.answers = [
        http("<a/>"),
        capabilities(hostile),
        soap(PROFILES.format("t")),
        soap(STREAM.format(uri)),
    ]
    if url is None:
        with pytest.raises(OnvifAnswerError, match="names no stream"):
            streams_of(hostile.service, "u", "p")
    else:
        assert [stream.url for stream in streams_of(hostile.service, "u", "p")] == [url]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300))
def test_any_answer_is_an_error_of_ours(hostile, body):
    hostile.answers = [http(body)]
    with pytest.raises(OnvifError) as found:
        streams_of(hostile.service, "u", "p", time_s=30)
    assert str(found.value).isprintable()


@given(uri=st.text(max_size=120), name=st.text(max_size=100), width=st.text(max_size=10))
def test_any_profile_is_a_stream_here_or_none(uri, name, width):
    profile = ElementTree.Element("p")
    ElementTree.SubElement(profile, f"{{{SCHEMA}}}Name").text = name
    size = ElementTree.SubElement(profile, f"{{{SCHEMA}}}Resolution")
    ElementTree.SubElement(size, f"{{{SCHEMA}}}Width").text = width
    for address in (uri, f"rtsp://{uri}", f"rtsp://host:{uri}", f"rtsp://host/{uri}"):
        stream = device._stream(profile, address, "10.0.0.9")
        if stream is not None:
            assert re.match(r"rtsps?://10\.0\.0\.9(:[0-9]+)?([/?]|$)", stream.url)
            assert str(stream).isprintable()
            assert stream.url.isprintable()


def test_many_profiles_are_bounded(hostile):
    many = "".join(f'<trt:Profiles token="{number}"/>' for number in range(500))
    profiles = soap(f"<trt:GetProfilesResponse>{many}</trt:GetProfilesResponse>")
    hostile.answers = [http("<a/>"), capabilities(hostile), profiles, soap(STREAM.format("rtsp://h/"))]
    began = time.monotonic()
    streams = streams_of(hostile.service, "u", "p", time_s=120)
    assert len(streams) == 64
    assert time.monotonic() - began < 120
