"""``ppewatch init --browser``: from nothing to a site that the daemon starts with, in a real browser.

A real broker, a real RTSP camera. ``PPEWATCH_SCREENSHOTS=DIR`` keeps pictures of every page.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from peers.daemon import ROOT, DaemonProcess
from peers.mosquitto import Mosquitto, free_port

from config import load_site
from models.weights import STORE
from streamer.demo.site import CLIP

pytest.importorskip("playwright")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
BROKER_PASSWORD, CAMERA_PASSWORD = "br0ker: c4nary", "c4mera#c4nary/?"
#: A loaded machine may take this long for what takes a second.
PATIENT_MS = 90_000

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]


class Wizard:
    """The command as a process; ``address`` is what it has printed."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "init", "site.yaml", "--browser", *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "Europe/Brussels"},
        )
        self.said = ""
        while (found := re.search(r"http://127\.0\.0\.1:\d+/start\?token=\S+", self.said)) is None:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        self.address = found[0]

    def end(self) -> int:
        """Read what it says to its end; its exit code."""
        self.said += self.process.stdout.read()
        return self.process.wait(60)

    def kill(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def wizard(tmp_path: Path) -> Iterator[Wizard]:
    folder = tmp_path / "site"
    folder.mkdir()
    running = Wizard(folder)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def opened(context: BrowserContext) -> tuple[Page, list[str]]:
    """A page, and the list to which errors of its scripts and of its content policy go."""
    context.set_default_timeout(PATIENT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    return page, errors


def check_access(page: Page) -> None:
    """No serious fault of accessibility, and nothing that pushes a phone's page sideways."""
    found = Axe().run(page).response["violations"]
    serious = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
    assert [(fault["id"], fault["nodes"][0]["html"][:160]) for fault in serious] == [], page.url
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), page.url


def keep(page: Page, name: str) -> None:
    """A picture of the page, for whoever asks for it."""
    folder = os.environ.get("PPEWATCH_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"init-{name}.png"), full_page=True)


@pytest.mark.parametrize(
    ("look", "width", "script"), [("light", 360, False), ("dark", 1280, True)], ids=["phone", "desk"]
)
def test_from_nothing_to_a_daemon_that_starts(
    browser: Browser, wizard: Wizard, tmp_path: Path, rtsp_server, look, width, script
) -> None:
    camera = rtsp_server(user="viewer", password=CAMERA_PASSWORD, file=str(CLIP))
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=look, java_script_enabled=True
    )
    page, errors = opened(context)
    if not script:
        # pages work without their script; axe needs one of its own
        page.route("**/assets/init.js", lambda route: route.abort())

    def at(title: str) -> None:
        page.wait_for_selector(f"h1:has-text('{title}')")
        check_access(page)

    def see(name: str) -> None:
        keep(page, f"{name}-{look}")

    with Mosquitto(tmp_path, users={"watch": BROKER_PASSWORD}) as broker:
        page.goto(wizard.address)
        at("Site")
        assert page.input_value("input[name=timezone]") == "Europe/Brussels"
        page.fill("input[name=name]", "north-yard")
        page.fill("input[name=timezone]", "Europe/Brusels")
        page.click("text=Go on")
        page.wait_for_selector("[role=alert]:has-text('no IANA time zone')")
        see("site")
        page.fill("input[name=timezone]", "Europe/Brussels")
        page.click("text=Go on")

        at("Broker")
        page.fill("input[name=host]", f"127.0.0.1:{broker.port}")
        page.fill("input[name=user]", "watch")
        page.fill("input[name=password]", "n0t-the-one")
        page.click("text=Try it and go on")
        page.wait_for_selector("[role=alert]:has-text('wrong user or password')")
        at("Broker")
        see("broker")
        assert page.input_value("input[name=password]") == ""
        page.fill("input[name=password]", BROKER_PASSWORD)
        page.click("text=Try it and go on")

        at("Cameras")
        page.fill("input[name=url]", "rtsp:/10.0.0.1/x")
        page.click("text=Try it")
        page.wait_for_selector("[role=alert]:has-text('should begin with its scheme')")
        see("cameras")
        page.fill("input[name=url]", f"rtsp://127.0.0.1:{free_port()}/stream")
        page.click("text=Try it")
        at("Camera: camera")
        page.wait_for_selector("[role=alert]:has-text('Connection refused')")
        see("camera-problem")
        page.fill("input[name=url]", camera.url)
        page.fill("input[name=user]", "viewer")
        page.fill("input[name=password]", "n0t-the-one")
        page.click("text=Try it again")
        page.wait_for_selector("[role=alert]:has-text('refuses the user or password')")
        page.fill("input[name=password]", CAMERA_PASSWORD)
        page.click("text=Try it again")
        page.wait_for_selector("figcaption:has-text('h264 1280x720')")
        at("Camera: camera")
        page.wait_for_function("() => document.querySelector('figure img').naturalWidth === 1280")
        see("camera")
        page.fill("input[name=name]", "gate")
        page.uncheck("input[value=hard_hat]")
        page.check("input[value=face_mask]")
        page.check("input[value=zone]")
        page.click("text=Take this camera")

        at("Cameras")
        page.wait_for_selector("[data-camera=gate]:has-text('Face masks required, in a zone')")
        see("cameras-taken")
        page.click("text=Go on to the review")

        at("Review and write")
        assert "gate/area" in page.text_content("pre")
        page.check("input[value=env]")
        page.click("text=Show the file so")
        page.wait_for_selector("pre:has-text('${GATE_PASSWORD}')")
        page.check("input[value=files]")
        see("review")
        assert list(wizard.folder.iterdir()) == []
        page.click("text=Write it and end")
        page.wait_for_selector("text=The site file is written")
        check_access(page)
        see("done")
        context.close()
        assert wizard.end() == 0
        assert errors == []

        path = wizard.folder / "site.yaml"
        assert load_site(path, {}).cameras["gate"].credentials == ("viewer", CAMERA_PASSWORD)
        secrets = wizard.folder / "site.secrets"
        assert {stat.S_IMODE(each.stat().st_mode) for each in secrets.iterdir()} == {0o600}
        for secret in (BROKER_PASSWORD, CAMERA_PASSWORD):
            assert secret not in wizard.said + path.read_text()
        if look == "light" or not (STORE / "retinaface.safetensors").exists():
            return
        # on a port of its own, beside whatever listens on the usual one
        site = yaml.safe_load(path.read_text())
        site["http"]["listen"] = f"127.0.0.1:{free_port()}"
        path.write_text(yaml.safe_dump(site))
        daemon = DaemonProcess(path, tmp_path / "log", environ={"STATE_DIRECTORY": str(tmp_path / "state")})
        try:
            daemon.wait_for_log("ready: ", 400)
        finally:
            daemon.end()


def test_the_address_is_good_once_and_for_one_browser(browser: Browser, wizard: Wizard) -> None:
    first, second = browser.new_context(), browser.new_context()
    page, _ = opened(first)
    page.goto(wizard.address)
    page.wait_for_selector("h1:has-text('Site')")
    other, _ = opened(second)
    for address in (wizard.address, page.url):
        other.goto(address)
        assert "for the browser that first opened" in other.content()
    page.reload()
    page.wait_for_selector("h1:has-text('Site')")
    first.close()
    second.close()


def test_guesses_are_refused_and_then_not_even_looked_at(wizard: Wizard) -> None:
    base = wizard.address.partition("/start")[0]

    def status(path: str, **headers: str) -> int:
        try:
            with urllib.request.urlopen(
                urllib.request.Request(base + path, headers=headers), timeout=30
            ) as found:
                return found.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert status("/start?token=guess", Host="evil.example") == 421
    answers = [status(f"/start?token=guess{number}") for number in range(12)]
    assert answers[0] == 403
    assert answers[-1] == 429
