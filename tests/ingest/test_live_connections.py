"""Single connections to real servers: RTSP by GStreamer, HTTP by the standard library."""

import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from http_camera import HttpCamera
from ingest_clips import Collector, picture, read_all, write_clip
from peers.rtsp import RtspServer

from streamer.ingest.connection import run_connection
from streamer.ingest.errors import (
    CameraBusy,
    ConnectionLost,
    CredentialsRefused,
    EndOfStream,
    IngestError,
    NoVideo,
    StreamNotFound,
    StreamStalled,
    Unreachable,
)
from streamer.ingest.probe import probe
from streamer.ingest.session import Session
from streamer.ingest.source import Source

StartRtsp = Callable[..., RtspServer]
PASSWORD = "pä:ss@w/o?r#d %41"


def watch(
    url: str, *, frames: int = 20, fps: float | None = None, **options: object
) -> tuple[IngestError | None, Collector]:
    """One connection until so many frames have come or it ends; why it ended, and what came."""

    class Enough(Collector):
        def frame(self, frame: object) -> None:
            super().frame(frame)  # type: ignore[arg-type]
            if len(self.frames) >= frames:
                session.stop.set()

    sink = Enough()
    session = Session("test", sink, fps=fps)
    limits = {"open_timeout_s": 4.0, "stall_s": 1.5}
    source = Source(url, **(limits | options))  # type: ignore[arg-type]
    return run_connection(source, session), sink


@pytest.fixture
def http_camera() -> Iterator[Callable[..., HttpCamera]]:
    running: list[HttpCamera] = []

    def start(**options: object) -> HttpCamera:
        running.append(HttpCamera(**options))  # type: ignore[arg-type]
        return running[-1]

    yield start
    for camera in running:
        camera.close()


@pytest.mark.parametrize(
    ("codec", "name", "transport"),
    [("h264", "h264", "tcp"), ("h265", "hevc", "tcp"), ("mjpeg", "mjpeg", "tcp"), ("h264", "h264", "udp")],
)
def test_rtsp_gives_frames(rtsp_server: StartRtsp, codec: str, name: str, transport: str) -> None:
    server = rtsp_server(codec=codec, audio=True)
    before = time.time()
    ended, sink = watch(server.url, rtsp_transport=transport)
    assert ended is None
    assert sink.formats[0].codec == name
    assert [frame.index for frame in sink.frames] == list(range(20))
    assert sink.frames[0].image_hw == (240, 320)
    assert before <= sink.frames[0].captured_at <= sink.frames[-1].captured_at <= time.time()
    assert sink.frames[-1].rgb((120, 160)).std() > 1


def test_fewer_frames_are_handed_on_than_come(rtsp_server: StartRtsp) -> None:
    ended, sink = watch(rtsp_server(fps=25).url, frames=8, fps=5)
    assert ended is None
    steps = np.diff([frame.captured_at for frame in sink.frames[2:]])
    assert steps.mean() == pytest.approx(0.2, abs=0.04)


def test_a_clip_passes_through_the_server_unchanged(rtsp_server: StartRtsp, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=20, fps=20)
    ended, sink = watch(rtsp_server(file=clip).url, frames=45)
    assert ended is None, "the clip is looped"
    assert np.abs(sink.frames[5].rgb().astype(int) - picture(5)).mean() < 6


@pytest.mark.parametrize("method", ["basic", "digest"])
def test_the_right_credentials_open_the_stream_and_wrong_ones_do_not(
    rtsp_server: StartRtsp, method: str
) -> None:
    server = rtsp_server(user="viewer", password=PASSWORD, auth=method)
    ended, sink = watch(server.url, frames=3, user="viewer", password=PASSWORD)
    assert ended is None
    assert len(sink.frames) == 3
    for given, word in (({}, "asks for"), ({"user": "viewer", "password": "wr0ng-canary"}, "refuses")):
        ended, sink = watch(server.url, **given)
        assert isinstance(ended, CredentialsRefused)
        assert word in str(ended)
        assert not sink.frames


def test_no_error_holds_the_password_anywhere(
    rtsp_server: StartRtsp, http_camera: Callable[..., HttpCamera]
) -> None:
    canary = "c4n4ry-s3cret"
    server = rtsp_server(user="viewer", password="other")
    urls = [
        server.url,
        "rtsp://127.0.0.1:1/x",
        "rtsp://no-such-host.invalid/x",
        http_camera(user="viewer", password="other").url(),
        http_camera().url("/status/404"),
        http_camera().url("/page"),
    ]
    for url in urls:
        ended, _ = watch(url, user="viewer", password=canary)
        assert ended is not None
        chain: list[BaseException | None] = [ended, ended.__cause__, ended.__context__]
        assert chain[1:] == [None, None]
        assert canary not in "".join(traceback.format_exception(ended)) + repr(ended) + repr(vars(ended))


def test_a_path_that_is_not_served_is_not_found(rtsp_server: StartRtsp) -> None:
    ended, _ = watch(rtsp_server().url.replace("/stream", "/other"))
    assert isinstance(ended, StreamNotFound)


def test_sound_alone_is_no_video(rtsp_server: StartRtsp) -> None:
    ended, _ = watch(rtsp_server(audio_only=True).url)
    assert isinstance(ended, NoVideo)


def test_nobody_there_is_unreachable() -> None:
    for url in ("rtsp://127.0.0.1:1/x", "http://127.0.0.1:1/x", "rtsp://no-such-host.invalid/x"):
        ended, _ = watch(url)
        assert isinstance(ended, Unreachable), url
        assert url in str(ended)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_host_that_accepts_and_says_nothing_is_given_up_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        ended, _ = watch(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x", open_timeout_s=1.0)
        assert isinstance(ended, Unreachable)
        assert "no answer within 1 s" in str(ended)
        # without a limit of its own libav waits for ever
        assert time.monotonic() - started < 30


@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_a_change_of_size_within_the_stream_is_followed(rtsp_server: StartRtsp, codec: str) -> None:
    server = rtsp_server(codec=codec, change_to="480x352", change_after=1.0)
    ended, sink = watch(server.url, frames=30)
    assert ended is None
    assert [stream.image_hw for stream in sink.formats] == [(240, 320), (352, 480)]
    sizes = [frame.image_hw for frame in sink.frames]
    assert sizes == sorted(sizes)
    assert {frame.rgb().shape for frame in sink.frames} == {(240, 320, 3), (352, 480, 3)}


def test_a_camera_that_dies_is_a_lost_connection(rtsp_server: StartRtsp) -> None:
    server = rtsp_server()
    threading.Timer(1.2, server.stop).start()
    ended, sink = watch(server.url, frames=1000)
    assert isinstance(ended, ConnectionLost)
    assert sink.frames


def test_a_camera_that_hangs_has_stalled(rtsp_server: StartRtsp) -> None:
    server = rtsp_server()
    threading.Timer(1.0, server.hang).start()
    started = time.monotonic()
    ended, sink = watch(server.url, frames=1000)
    assert isinstance(ended, StreamStalled)
    assert sink.frames
    assert time.monotonic() - started < 30


def test_a_camera_that_sends_sound_and_reports_but_no_picture_has_stalled(rtsp_server: StartRtsp) -> None:
    ended, sink = watch(rtsp_server(mute_after=1.2, audio=True).url, frames=1000)
    assert isinstance(ended, StreamStalled)
    assert sink.frames


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_lost_packets_cost_frames_but_show_no_garbage(
    rtsp_server: StartRtsp, tmp_path: Path, codec: str
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", codec=codec, frames=40, fps=20, size_hw=(240, 320), gop=8)
    ended, sink = watch(rtsp_server(file=clip, loss=0.06).url, frames=50)
    assert ended is None
    sent = {frame.rgb().tobytes() for frame in read_all(clip)[0]}
    for frame in sink.frames:
        assert frame.rgb().tobytes() in sent, f"frame {frame.index} is like none that was sent"
    lasted_s = (sink.frames[-1].pts_s or 0.0) - (sink.frames[1].pts_s or 0.0)
    assert lasted_s * 20 + 1 > len(sink.frames[1:]), "the test lost no packet"


def test_mjpeg_over_http(http_camera: Callable[..., HttpCamera]) -> None:
    camera = http_camera(user="viewer", password=PASSWORD)
    ended, sink = watch(camera.url(), frames=15, user="viewer", password=PASSWORD)
    assert ended is None
    assert sink.formats[0].codec == "mjpeg"
    assert np.abs(sink.frames[0].rgb().astype(int) - picture(0)).mean() < 6
    steps = np.diff([frame.captured_at for frame in sink.frames[5:]])
    assert steps.mean() == pytest.approx(0.05, abs=0.03)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/status/403", CredentialsRefused),
        ("/status/404", StreamNotFound),
        ("/status/503", CameraBusy),
        ("/status/500", Unreachable),
        ("/page", NoVideo),
        ("/stall", StreamStalled),
    ],
)
def test_what_http_answers_is_told_apart(
    http_camera: Callable[..., HttpCamera], path: str, expected: type[IngestError]
) -> None:
    ended, _ = watch(http_camera().url(path), frames=1000)
    assert isinstance(ended, expected), repr(ended)


def test_a_clip_over_http_is_a_recording(http_camera: Callable[..., HttpCamera], tmp_path: Path) -> None:
    camera = http_camera(clip=write_clip(tmp_path / "clip.mp4", frames=12))
    started = time.monotonic()
    ended, sink = watch(camera.url("/clip.mp4"), frames=1000)
    assert isinstance(ended, EndOfStream)
    assert len(sink.frames) == 12
    assert time.monotonic() - started > 0.8


def test_a_probe_reports_what_the_stream_is(rtsp_server: StartRtsp, tmp_path: Path) -> None:
    live = probe(Source(rtsp_server(codec="h265", gop=10, fps=20).url), seconds=1.6)
    assert (live.stream.codec, live.stream.image_hw) == ("hevc", (240, 320))
    assert live.measured_fps == pytest.approx(20, rel=0.1)
    assert live.keyframe_interval_s == pytest.approx(0.5, rel=0.1)
    assert live.sample.rgb().shape == (240, 320, 3)
    assert 0 < live.connect_s < 4
    recorded = probe(Source(str(write_clip(tmp_path / "clip.mp4", fps=10, gop=5)), loop=True))
    assert recorded.frames == 30
    assert recorded.measured_fps == pytest.approx(10, rel=0.05)
    assert recorded.keyframe_interval_s == pytest.approx(0.5, rel=0.05)
    with pytest.raises(Unreachable):
        probe(Source("rtsp://127.0.0.1:1/x"))
