"""The dashboard of the real daemon in a real browser: what a safety manager sees and does.

The demo's clip runs as a camera, over and over. ``PPEWATCH_SCREENSHOTS=DIR`` keeps pictures of every page.
"""

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto
from peers.subscriber import Subscriber

from models.weights import STORE
from streamer.demo.site import CLIP

pytest.importorskip("playwright")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

CHROMIUM = shutil.which("chromium")
PREFIX = "ppewatch/desk"
USER, PASSWORD = "manager", "pass: wörd"
#: A loaded machine may take this long for what takes a second.
PATIENT_MS = 90_000

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.xdist_group("dashboard"),
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet"),
]


@dataclass(frozen=True)
class Desk:
    """A running daemon, its dashboard's address and a subscriber."""

    address: str
    subscriber: Subscriber
    daemon: DaemonProcess


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with Mosquitto(folder) as broker:
        site = {
            "site": {"name": "desk", "timezone": "Europe/Brussels"},
            "mqtt": {"port": broker.port, "topic_prefix": PREFIX},
            "http": {"listen": listen, "user": USER, "password": PASSWORD},
            "state_dir": str(folder / "state"),
            "cameras": {
                "entrance": {
                    "url": str(CLIP),
                    "loop": True,
                    "fps": 4,
                    "input_size": 640,
                    "zones": {
                        "hall": {"coordinates": "0.02,0.3, 0.98,0.3, 0.98,0.99, 0.02,0.99", "anchor": "head"}
                    },
                }
            },
            "rules": [
                {
                    "name": "face masks at the entrance",
                    "where": ["entrance/hall"],
                    "require": ["face_mask"],
                    "dwell": "1s",
                    "clear": "2s",
                    "cooldown": "0s",
                }
            ],
        }
        path = folder / "site.yaml"
        path.write_text(yaml.safe_dump(site))
        daemon = DaemonProcess(path, folder / "log")
        subscriber = Subscriber(broker.port, PREFIX)
        try:
            daemon.wait_for_log("ready: ", 180)
            yield Desk(f"http://{listen}", subscriber, daemon)
        finally:
            subscriber.stop()
            daemon.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser, desk: Desk) -> Iterator[Page]:
    """A page of somebody who is logged in; an error of its script fails the test."""
    context = browser.new_context(
        http_credentials={"username": USER, "password": PASSWORD}, viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(PATIENT_MS)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield opened
    context.close()
    assert errors == []


def first_alert(page: Page, desk: Desk) -> str:
    """The path of an alert, once there is one."""
    page.goto(f"{desk.address}/alerts")
    page.wait_for_selector("[data-alert]")
    return page.get_attribute("[data-alert] h3 a", "href") or ""


def test_a_wrong_password_is_refused(browser: Browser, desk: Desk) -> None:
    for credentials in (None, {"username": USER, "password": "guessed"}):
        context = browser.new_context(http_credentials=credentials)
        opened = context.new_page()
        answers: list[int] = []
        opened.on("response", lambda answer, answers=answers: answers.append(answer.status))
        # the browser shows an error of its own where it had a password that was refused
        with contextlib.suppress(PlaywrightError):
            opened.goto(f"{desk.address}/")
        assert opened.locator("nav").count() == 0
        assert set(answers) <= {401}
        context.close()


def test_the_wall_shows_people_who_move(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.address}/")
    page.wait_for_selector(".tile .view canvas:not([hidden])")
    moved = """() => {
        const box = document.querySelector(".person rect");
        if (box) (window.places ??= new Set()).add(box.getAttribute("x"));
        return (window.places?.size ?? 0) >= 3;
    }"""
    page.wait_for_function(moved, polling=100)
    # somebody without a mask, said in words too
    page.wait_for_function(
        "() => document.querySelector('.people').textContent.includes('face mask missing')"
    )
    page.wait_for_selector(".person.missing .head", state="attached")
    keep(page, "wall")
    assert page.locator("polygon.zone").count() == 1


def test_an_alert_appears_without_reloading(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.address}/alerts")
    page.evaluate("() => { window.same = true; }")
    before = page.locator("[data-alert]").count()
    page.wait_for_function(f"() => document.querySelectorAll('[data-alert]').length > {before}")
    assert page.evaluate("() => window.same") is True
    keep(page, "alerts")


def test_acknowledging_and_judging_reach_mqtt(page: Page, desk: Desk) -> None:
    path = first_alert(page, desk)
    alert_id = path.rpartition("/")[2]
    page.goto(desk.address + path)
    page.fill("input[name=by]", "Ann Example")
    page.click("button:has-text('Acknowledge')")
    page.wait_for_selector("#said:has-text('Noted')")
    page.wait_for_selector(".pill:has-text('acknowledged by Ann Example')")
    topic = f"{PREFIX}/command/alerts/{alert_id}/ack/state"
    answer = desk.subscriber.wait_for(
        lambda: [each for each in desk.subscriber.messages if each.topic == topic],
        30,
        "the acknowledgement",
    )[0]
    assert json.loads(answer.payload)["by"] == "Ann Example"
    page.select_option("select[name=what]", "face_mask_worn")
    page.click("button:has-text('False alarm')")
    page.wait_for_selector(".pill:has-text('false alarm: face mask worn')")
    # the name is there again on the next alert
    page.reload()
    assert page.input_value("input[name=by]") == "Ann Example"
    keep(page, "alert")


def test_the_feed_is_filtered(page: Page, desk: Desk) -> None:
    first_alert(page, desk)
    page.select_option("select[name=camera]", "entrance")
    page.fill("input[name=until]", "2020-01-01T00:00")
    page.click("button:has-text('Show')")
    page.wait_for_selector("text=No alert fits these conditions")
    page.click("text=Show all")
    page.wait_for_selector("[data-alert]")


def test_compliance_is_counted(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.address}/compliance")
    for _ in range(30):
        if page.locator("table").count():
            break
        page.wait_for_timeout(2000)
        page.reload()
    page.wait_for_selector("th:has-text('entrance / hall')")
    assert page.locator("svg.bar").count() >= 3
    with page.expect_download() as download:
        page.click("text=CSV by zone")
    assert "entrance,hall,face_mask" in Path(download.value.path()).read_text()
    keep(page, "compliance")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_pages_have_no_serious_fault_of_accessibility(
    page: Page, desk: Desk, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in ("/", "/alerts", first_alert(page, desk), "/compliance", "/system"):
        page.goto(desk.address + path)
        found = Axe().run(page).response["violations"]
        serious = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
        assert [(fault["id"], fault["nodes"][0]["html"][:120]) for fault in serious] == [], path
        # a phone's page is not to be pushed sideways
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), path


def test_it_can_be_used_with_the_keyboard_alone(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.address}/system")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    keep(page, "system")


def keep(page: Page, name: str) -> None:
    """A picture of the page, for whoever asks for it."""
    folder = os.environ.get("PPEWATCH_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
