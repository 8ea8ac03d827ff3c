"""A safety manager draws a zone on the dashboard of the real daemon: what was drawn is what it then goes by.

The demo's clip runs as a camera, over and over. ``PPEWATCH_SCREENSHOTS=DIR`` keeps pictures of the page.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto
from peers.subscriber import Subscriber

from models.weights import STORE
from streamer.demo.site import CLIP

pytest.importorskip("playwright")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
PREFIX = "ppewatch/drawn"
USER, PASSWORD = "manager", "pass: wörd"
#: A loaded machine may take this long for what takes a second.
PATIENT_MS = 90_000

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet"),
]

SITE = """\
# The site of this test; every comment has to be here at the end.
site: {{name: drawn,   timezone: Europe/Brussels}}   # where
mqtt: {{port: {port}, topic_prefix: ppewatch/drawn}}
http:
  listen: {listen}
  user: manager
  password: ${{PAGE_PASSWORD}}     # never written out
  edit_zones: true
state_dir: {state}
cameras:
  entrance:
    url: {clip}
    loop: true
    fps: 4
    input_size: 640
    zones:
      corner:    # nobody ever stands there
        coordinates: "0.00,0.00, 0.03,0.00, 0.03,0.03, 0.00,0.03"
        anchor: head

# ---- who has to wear what ----
rules:
  - name: face masks in the corner
    where: [entrance/corner]
    require: [face_mask]
    dwell: 1s        # quick
    clear: 2s
    cooldown: 0s
# the end
"""


@dataclass(frozen=True)
class Desk:
    """A running daemon, its dashboard's address, its site's file and a subscriber."""

    address: str
    path: Path
    text: str
    subscriber: Subscriber

    @property
    def file(self) -> str:
        return self.path.read_text()

    def alerts_in(self, zone: str) -> list[dict[str, object]]:
        return [alert for alert in self.subscriber.alerts() if alert["zone"] == zone]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("drawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with Mosquitto(folder) as broker:
        text = SITE.format(port=broker.port, listen=listen, state=folder / "state", clip=CLIP)
        path = folder / "site.yaml"
        path.write_text(text)
        path.chmod(0o640)
        daemon = DaemonProcess(path, folder / "log", environ={"PAGE_PASSWORD": PASSWORD})
        subscriber = Subscriber(broker.port, PREFIX)
        try:
            daemon.wait_for_log("ready: ", 400)
            yield Desk(f"http://{listen}", path, text, subscriber)
            assert "Traceback" not in daemon.log, daemon.log[daemon.log.index("Traceback") - 500 :]
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
    """The page of the camera's zones; an error of its script, or of its policy, fails the test."""
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
    opened.goto(f"{desk.address}/")
    opened.click("text=Zones and rules")
    opened.wait_for_selector("#editor:not([hidden])")
    opened.wait_for_selector("#waiting", state="hidden")
    yield opened
    context.close()
    assert errors == []


def draw(page: Page, *corners: tuple[float, float]) -> None:
    """Click the corners of a zone, and the first one again."""
    page.click("#draw")
    box = page.locator("#overlay").bounding_box()
    assert box
    for x, y in (*corners, corners[0]):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_a_zone_drawn_with_the_mouse_changes_which_alerts_come(page: Page, desk: Desk) -> None:
    draw(page, (0.02, 0.05), (0.98, 0.05), (0.98, 0.97), (0.02, 0.97))
    page.wait_for_selector(".zones .zone:nth-child(2)")
    page.fill("#zone-form input", "hall")
    page.select_option("#zone-form select", "head")
    page.click("#new-rule")
    rule = page.locator(".rule").last
    rule.locator("input").first.fill("face masks in the hall")
    rule.get_by_label("hard hat").uncheck()
    rule.get_by_label("face mask", exact=True).check()
    rule.get_by_label("Alert after").fill("1")
    assert rule.get_by_label("hall").is_checked()

    # tried, nothing is saved by that
    tries = (
        "() => { if (!document.querySelector('#trial-alerts li')) document.getElementById('try').click(); "
    )
    page.wait_for_function(
        tries + "return document.querySelectorAll('#trial-alerts li').length > 0; }", polling=4000
    )
    assert "the rules in force lead to no alert" in page.inner_text("#trial-sum")
    assert "without face mask in hall" in page.inner_text("#trial-alerts")
    page.click("#alert-0")
    page.wait_for_selector("svg .alerts rect", state="attached")
    keep(page, "zones-tried")
    assert desk.file == desk.text
    assert desk.alerts_in("hall") == []

    page.click("#save")
    page.wait_for_selector("#said:has-text('Saved and in force')")
    assert "zone hall added" in page.inner_text("#said")
    desk.subscriber.wait_for(lambda: desk.alerts_in("hall"), 120, "an alert in the zone that was drawn")
    assert desk.alerts_in("corner") == []
    keep(page, "zones")

    # nothing but what was drawn is other than it was
    left = iter(desk.file.splitlines())
    assert all(line in left for line in desk.text.splitlines())
    assert "password: ${PAGE_PASSWORD}     # never written out" in desk.file
    assert PASSWORD not in desk.file
    assert desk.path.stat().st_mode & 0o777 == 0o640

    # and back
    page.click("summary:has-text('Earlier versions')")
    keep(page, "zones-versions")
    page.click("text=Bring this back")
    page.wait_for_selector("#said:has-text('zone hall removed')")
    assert desk.file == desk.text
    assert page.locator(".zones .zone").count() == 1


def test_corners_and_zones_move_by_mouse_and_keys_with_undo(page: Page, desk: Desk) -> None:
    page.click("#rectangle")
    name = page.input_value("#zone-form input")
    corner = page.locator(f"[aria-label^='Corner 1 of 4 of {name}']")
    assert page.evaluate("() => document.activeElement.dataset.corner") == "0"
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert "31 % from the left, 31.1 % from the top" in (corner.get_attribute("aria-label") or "")
    page.keyboard.press("+")
    assert page.locator(".handles .corner").count() == 5
    assert page.evaluate("() => document.activeElement.dataset.corner") == "1"
    page.keyboard.press("Delete")
    assert page.locator(".handles .corner").count() == 4
    for _ in range(3):
        page.keyboard.press("Control+z")
    assert "30 % from the left, 30 % from the top" in (corner.get_attribute("aria-label") or "")
    page.click("#redo")
    assert "31.1 % from the top" in (corner.get_attribute("aria-label") or "")

    # the third corner dragged, then a side, then the zone as a whole: each is one step
    box = page.locator("#overlay").bounding_box()
    assert box

    def drag(start: tuple[float, float], end: tuple[float, float]) -> None:
        (x1, y1), (x2, y2) = (
            (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)
        )
        page.mouse.move(x1, y1)
        page.mouse.down()
        page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2, steps=4)
        page.mouse.move(x2, y2, steps=4)
        page.mouse.up()

    drag((0.7, 0.7), (0.8, 0.9))
    label = page.get_attribute("[aria-label^='Corner 3 of 4']", "aria-label") or ""
    assert "80 % from the left, 90 % from the top" in label
    drag((0.5, 0.3055), (0.5, 0.2))
    assert page.locator(".handles .corner").count() == 5
    drag((0.5, 0.5), (0.4, 0.4))
    assert "from the left, 21.1 %" in (
        page.get_attribute("[aria-label^='Corner 1 of 5']", "aria-label") or ""
    )
    for _ in range(4):
        page.click("#undo")
    assert page.locator(".handles .corner").count() == 4
    page.click("#undo")
    page.click("#undo")
    assert page.locator(".zones .zone").count() == 1
    assert page.is_disabled("#save")


def test_what_is_wrong_is_told_at_its_field(page: Page, desk: Desk) -> None:
    draw(page, (0.1, 0.1), (0.6, 0.6), (0.6, 0.1), (0.1, 0.6))
    page.wait_for_selector(".zone.wrong")
    page.click("#save")
    page.wait_for_selector("#zone-form .problem:has-text('cross')")
    page.click("#undo")
    page.locator(".rule").first.get_by_label("Alert after").fill("9999")
    page.click("#save")
    page.wait_for_selector(".rule .problem:has-text('less than or equal to 3600')")
    assert page.locator(".rule [aria-invalid=true]").get_attribute("id").endswith("-dwell_s")  # type: ignore[union-attr]
    assert desk.file == desk.text
    # somebody edits the file meanwhile
    page.locator(".rule").first.get_by_label("Alert after").fill("2")
    by_hand = desk.text.replace("dwell: 1s", "dwell: 3s")
    desk.path.write_text(by_hand)
    page.click("#save")
    page.wait_for_selector("#said:has-text('the file has changed since this page was opened')")
    assert desk.file == by_hand
    page.click("#anew")
    page.wait_for_selector("#said:has-text('Read anew')")
    assert page.locator(".rule").first.get_by_label("Alert after").input_value() == "3"
    desk.path.write_text(desk.text)


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_the_page_has_no_serious_fault_of_accessibility(
    page: Page, desk: Desk, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.click("#rectangle")
    page.click("#new-rule")
    page.click("#try")
    page.wait_for_selector("#trial:not([hidden])")
    found = Axe().run(page).response["violations"]
    serious = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
    assert [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in serious] == []
    # a phone's page is not to be pushed sideways
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    keep(page, f"zones-{width}-{scheme}")


def test_a_finger_draws_too(browser: Browser, desk: Desk) -> None:
    context = browser.new_context(
        http_credentials={"username": USER, "password": PASSWORD},
        viewport={"width": 390, "height": 800},
        has_touch=True,
        is_mobile=True,
    )
    context.set_default_timeout(PATIENT_MS)
    opened = context.new_page()
    opened.goto(f"{desk.address}/cameras/entrance/zones")
    opened.wait_for_selector("#editor:not([hidden])")
    opened.tap("#draw")
    box = opened.locator("#overlay").bounding_box()
    assert box
    for x, y in ((0.2, 0.2), (0.8, 0.2), (0.5, 0.8), (0.2, 0.2)):
        opened.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])
    opened.wait_for_selector("[aria-label*='3 corners'].selected")
    context.close()


def keep(page: Page, name: str) -> None:
    """A picture of the page, for whoever asks for it."""
    folder = os.environ.get("PPEWATCH_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
