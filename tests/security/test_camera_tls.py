"""Cameras over TLS: who is trusted, who is not and why, and who we are. Real servers, libav's own TLS."""

import functools
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from peers import rtsp
from peers.authority import Identity
from peers.rtsp import RtspServer

from streamer.ingest.connection import NoSink, run_connection
from streamer.ingest.errors import CertificateRefused, EndOfStream, IngestError
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.tls import SourceTls, system_store

StartRtsp = Callable[..., RtspServer]


class Seen(NoSink):
    """Counts frames and ends the connection after a few."""

    frames = 0
    session: Session

    def frame(self, frame: object) -> None:
        self.frames += 1
        if self.frames >= 3:
            self.session.stop.set()


PASSWORD = "pä:ss@w/o?r#d %41"


def watch(url: str, tls: SourceTls) -> tuple[IngestError | None, int]:
    """Why the connection ended (None: it gave frames), and how many frames came."""
    sink = Seen()
    sink.session = Session("test", sink)
    source = Source(
        url, user="viewer", password=PASSWORD, tls=tls, open_timeout_s=8.0, stall_s=8.0, paced=False
    )
    return run_connection(source, sink.session), sink.frames


@pytest.fixture
def rtsps(rtsp_server: StartRtsp) -> StartRtsp:
    if (reason := rtsp.missing_tls_reason()) is not None:
        pytest.skip(reason)
    return functools.partial(rtsp_server, user="viewer", password=PASSWORD)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10):
            picture = np.full((48, 64, 3), number * 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def https(clip: Path) -> Iterator[Callable[..., str]]:
    """Serves the clip; returns its address. ``client_ca``: ask for a client certificate."""
    running: list[ThreadingHTTPServer] = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            return

    def start(identity: Identity, *, client_ca: Path | None = None) -> str:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
        context.load_cert_chain(identity.cert, identity.key)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        server = Server(("127.0.0.1", 0), functools.partial(Quiet, directory=clip.parent))
        # the handshake belongs to the connection's thread: one that hangs must not hold up the others
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server)
        return f"https://127.0.0.1:{server.server_address[1]}/{clip.name}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


REFUSED = {
    "stranger": "local issuer|self.signed",
    "other_host": "mismatch",
    "expired": "expired",
}


def test_rtsps_of_a_trusted_camera_gives_frames(rtsps: StartRtsp, pki) -> None:
    url = rtsps(certificate=pki.good.both).url
    assert url.startswith("rtsps://")
    ended, frames = watch(url, SourceTls(ca_file=pki.ca))
    assert (ended, frames) == (None, 3)


@pytest.mark.parametrize("which", REFUSED)
def test_rtsps_that_is_not_to_be_trusted_is_refused_and_says_why(rtsps: StartRtsp, pki, which: str) -> None:
    url = rtsps(certificate=getattr(pki, which).both).url
    ended, frames = watch(url, SourceTls(ca_file=pki.ca))
    assert isinstance(ended, CertificateRefused), ended
    assert frames == 0
    assert ended.code == "certificate_refused"
    assert re.search(REFUSED[which], str(ended)), ended
    ended, frames = watch(url, SourceTls(verify=False))
    assert (ended, frames) == (None, 3), "and taken when nothing is checked"


def test_the_systems_store_is_the_default_and_does_not_know_our_ca(rtsps: StartRtsp, pki) -> None:
    url = rtsps(certificate=pki.good.both).url
    assert Source(url).tls.verify
    ended, _ = watch(url, SourceTls())
    assert isinstance(ended, CertificateRefused)


def test_what_the_system_trusts_is_trusted(rtsps: StartRtsp, pki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.ca))
    assert system_store() == pki.ca
    assert watch(rtsps(certificate=pki.good.both).url, SourceTls()) == (None, 3)


def test_a_camera_that_asks_for_our_certificate_gets_it(rtsps: StartRtsp, pki) -> None:
    url = rtsps(certificate=pki.good.both, client_ca=pki.ca).url
    ours = SourceTls(ca_file=pki.ca, cert_file=pki.client.cert, key_file=pki.client.key)
    assert watch(url, ours) == (None, 3)
    # in TLS 1.3 a server asks after the handshake, and may have closed the connection before that is read
    tries = [watch(url, SourceTls(ca_file=pki.ca)) for _ in range(8)]
    assert any("client certificate" in str(without) for without, _ in tries), tries
    assert all(without is not None and frames == 0 for without, frames in tries)
    strangers = SourceTls(ca_file=pki.ca, cert_file=pki.stranger.cert, key_file=pki.stranger.key)
    refused, frames = watch(url, strangers)
    assert refused is not None
    assert frames == 0


def test_https_of_a_trusted_server_gives_frames(https: Callable[..., str], pki) -> None:
    ended, frames = watch(https(pki.good), SourceTls(ca_file=pki.ca))
    assert (ended is None or isinstance(ended, EndOfStream), frames) == (True, 3)


@pytest.mark.parametrize("which", REFUSED)
def test_https_that_is_not_to_be_trusted_is_refused_and_says_why(
    https: Callable[..., str], pki, which: str
) -> None:
    ended, frames = watch(https(getattr(pki, which)), SourceTls(ca_file=pki.ca))
    assert isinstance(ended, CertificateRefused), ended
    assert frames == 0
    assert re.search(REFUSED[which], str(ended)), ended


def test_https_with_a_client_certificate(https: Callable[..., str], pki) -> None:
    url = https(pki.good, client_ca=pki.ca)
    ours = SourceTls(ca_file=pki.ca, cert_file=pki.client.cert, key_file=pki.client.key)
    assert watch(url, ours)[1] == 3
    ended, frames = watch(url, SourceTls(ca_file=pki.ca))
    assert "client certificate" in str(ended)
    assert frames == 0


@pytest.mark.parametrize("part", ["ca_file", "cert_file", "key_file"])
@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_files_that_cannot_be_used_are_named(tmp_path: Path, pki, part: str, content: bytes | None) -> None:
    broken = tmp_path / "broken.pem"
    if content is not None:
        broken.write_bytes(content)
    files = {"ca_file": pki.ca, "cert_file": pki.client.cert, "key_file": pki.client.key, part: broken}
    ended, _ = watch("rtsps://127.0.0.1:1/s", SourceTls(**files))
    assert isinstance(ended, CertificateRefused)
    assert str(broken) in str(ended)
