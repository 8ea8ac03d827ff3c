"""The wizard's app over real HTTP: its fences, its forms, and cameras found by ONVIF."""

import html
import re
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from threading import Event
from urllib.parse import urlencode

import pytest
from peers.mosquitto import free_port
from peers.onvif_camera import OnvifCamera

from config import load_site
from streamer.first_run.web.access import OneBrowser
from streamer.first_run.web.app import Activity, create_wizard
from streamer.first_run.web.state import WizardState
from streamer.onvif.discovery import discover
from streamer.web.server import WebServer

PASSWORD = "c4nary-of-the-camera"


@dataclass
class Site:
    """A wizard that is being served, and a browser that has come in."""

    server: WebServer
    secrets: OneBrowser
    state: WizardState
    written: Event
    camera: OnvifCamera

    def __post_init__(self) -> None:
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.get(f"/start?token={self.secrets.entry}")

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of a page, after redirects."""
        return self._ask(urllib.request.Request(self.server.address + path, headers=headers))

    def send(self, path: str, *, headers: dict[str, str] | None = None, **fields: object) -> tuple[int, str]:
        """Send a form of ours; fields of several values are lists."""
        data = urlencode({"token": self.secrets.form, **fields}, doseq=True).encode()
        address = f"{self.server.address}{self.secrets.root}/{path}"
        return self._ask(urllib.request.Request(address, data, headers=headers or {}))

    def page(self, path: str) -> str:
        status, text = self.get(f"{self.secrets.root}/{path}")
        assert status == 200
        return text

    def _ask(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self.opener.open(request, timeout=60) as found:
                return found.status, html.unescape(found.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            with error:
                return error.code, html.unescape(error.read().decode())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    secrets, written = OneBrowser(), Event()
    state = WizardState(tmp_path / "site.yaml", {})
    with OnvifCamera(password=PASSWORD) as camera:

        def find() -> list:
            return discover(wait_s=0.8, target=camera.discovery, interfaces=("127.0.0.1",))

        app = create_wizard(secrets, state, Activity(), force=False, written=written.set, find=find)
        with WebServer(app, "127.0.0.1", 0) as server:
            yield Site(server, secrets, state, written, camera)


def test_a_camera_that_is_found_shows_its_streams(site, rtsp_server):
    stream = rtsp_server(user="viewer", password=PASSWORD, mount="/stream")
    # a device tells an inner address; the port is that of the real stream
    site.camera.rtsp = f"rtsp://192.168.1.64:{stream.port}/stream"
    _, text = site.send("discover")
    assert "127.0.0.1  North gate DS-2CD" in text
    _, text = site.send("devices/0", user="viewer", password="n0t-the-one")
    assert "it refuses the user or password" in text
    assert site.camera.refused == 1
    _, text = site.send("devices/0", user="viewer", password=PASSWORD)
    assert "mainStream: H264 2560x1440, 25 frames a second" in text
    assert 'value="0" checked' in text
    _, text = site.send("devices/0/stream", stream="1")
    assert "h264 320x240" in text
    assert "profile=sub" in text
    number = next(iter(site.state.drafts))
    _, text = site.send(f"cameras/{number}", name="gate", require=["hard_hat", "face_mask"], where="picture")
    assert "Hard hats and face masks required" in text
    assert PASSWORD not in text


def test_what_is_written_is_what_was_reviewed(site):
    site.send("site", name="yard", timezone="UTC")
    _, text = site.send("broker", host=f"127.0.0.1:{free_port()}", user="watch", password="br0ker-c4nary")
    assert "nothing listens there" in text
    assert "br0ker" not in text
    _, text = site.send("broker", host="127.0.0.1", user="watch", keep="1")
    assert "The first camera" in text
    status, text = site.send("cameras", url="rtsp:/viewer:hunter22@h", user="")
    assert (status, "hunter22" in text) == (422, False)
    _, text = site.send("cameras", url=f"rtsp://viewer:{PASSWORD}@127.0.0.1:{free_port()}/s")
    assert "Connection refused" in text
    assert PASSWORD not in text
    number = next(iter(site.state.drafts))
    status, text = site.send(f"cameras/{number}", name="no name", require=[])
    assert (status, "a name takes letters" in text) == (422, True)
    site.send(f"cameras/{number}", name="gate", require=["face_mask"], where="zone")
    _, text = site.send("write", place="yaml", show="1")
    assert 'password: "***"' in text
    assert PASSWORD not in text
    assert not site.state.path.exists()
    site.state.path.write_text("mine\n")
    status, text = site.send("write", place="files", write="1")
    assert (status, "may be replaced" in text) == (422, True)
    assert site.state.path.read_text() == "mine\n"
    assert not site.written.is_set()
    _, text = site.send("write", place="files", write="1", replace="on")
    assert "ppewatch check" in text
    assert site.written.wait(30)
    assert load_site(site.state.path, {}).cameras["gate"].credentials == ("viewer", PASSWORD)
    folder = site.state.path.with_name("site.secrets")
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_broker_that_is_told_as_encrypted_is_never_asked_in_clear(site):
    site.send("site", name="yard", timezone="UTC")
    port = free_port()
    _, text = site.send("broker", host=f"mqtts://127.0.0.1:{port}", user="watch", password="br0ker-c4nary")
    assert (site.state.broker.port, site.state.broker.tls) == (port, True)
    assert f'value="127.0.0.1:{port}"' in text
    assert 'name="tls" checked' in text


def test_another_sites_page_changes_nothing(site):
    root = site.secrets.root
    before = site.state.name
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
    ):
        assert site.send("site", name="evil", timezone="UTC", headers=headers)[0] == 403
    assert site.send("site", name="evil", timezone="UTC", token="guess")[0] == 403
    assert site.send("site", name="evil", timezone="UTC", token="\N{SNOWMAN}")[0] == 403
    assert site.get(f"{root}/site", Host="evil.example")[0] == 421
    assert site.state.name == before
    own = site.server.address
    assert (
        site.send(
            "site", name="mine", timezone="UTC", headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}
        )[0]
        == 200
    )
    assert site.state.name == "mine"


def test_without_the_cookie_even_the_right_path_is_refused(site):
    address = f"{site.server.address}{site.secrets.root}/site"
    for cookie in (
        "",
        "ppewatch_init=guess",
        "ppewatch_init=\xe4",
        "\x01;;=",
        f"ppewatch_init={site.secrets.form}",
    ):
        headers = {"Cookie": cookie} if cookie else {}
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.build_opener().open(urllib.request.Request(address, headers=headers), timeout=30)
        with refused.value as error:
            assert error.code == 403
    request = urllib.request.Request(f"{site.server.address}/start?token={site.secrets.entry}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener().open(request, timeout=30)
    with refused.value as error:
        assert error.code == 403


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=" + b"&a=" * 500, b"token=%FF", b""])
def test_what_is_no_form_is_refused(site, body):
    address = f"{site.server.address}{site.secrets.root}/site"
    assert site._ask(urllib.request.Request(address, body))[0] in {400, 403}


def test_a_page_loads_nothing_from_elsewhere_and_is_kept_nowhere(site):
    with site.opener.open(f"{site.server.address}{site.secrets.root}/cameras", timeout=30) as found:
        assert "default-src 'none'" in found.headers["content-security-policy"]
        assert found.headers["cache-control"] == "no-store"
        text = found.read().decode()
    loaded = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert loaded
    assert all(path.startswith(("/", "#")) for path in loaded)
    assert site.get("/assets/../access.py")[0] in {403, 404}
    assert site.get(f"{site.secrets.root}/cameras/9")[0] == 404
    assert site.get(f"{site.secrets.root}/devices/0")[0] == 404
