"""What people meet who keep the pages open: cameras that go, daemons that start anew, keys, small screens."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from judging.site_of_one import START, face
from web_site import FIRST_ALERT, Site, live_picture
from zone_editor.edited_site import EditedSite

from config import load_site
from streamer.web.app import create_app
from streamer.web.credentials import Credentials
from streamer.web.server import WebServer
from streamer.web.status import CameraStatus

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = shutil.which("chromium")
USER, PASSWORD = "operator", "password"
#: A loaded machine may take this long for what takes a second.
PATIENT_MS = 30_000
LONG = "a-name-that-is-as-long-as-the-settings-allow-it-to-be_0123456789"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@dataclass
class CountingDesk:
    """Takes what people say of alerts; slow, so that a second click meets the first."""

    said: list[tuple[str, bytes]] = field(default_factory=list)
    pause: threading.Event = field(default_factory=threading.Event)

    def acknowledge(self, alert_id: str, payload: bytes) -> Mapping[str, Any]:
        self.said.append((alert_id, payload))
        self.pause.wait(0.5)
        return {}

    judge = acknowledge

    def remove_area(self, area_id: str) -> Mapping[str, Any]:
        self.said.append((area_id, b""))
        return {}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page of somebody who is logged in; an error of its script fails the test."""
    contexts = []
    errors: list[str] = []

    def open_page(address: str, *, width: int = 1280, **options: object) -> Page:
        context = browser.new_context(
            http_credentials={"username": USER, "password": PASSWORD},
            viewport={"width": width, "height": 900},
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(PATIENT_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def app_of(site: Site, *, desk: CountingDesk | None = None, file: EditedSite | None = None) -> Any:
    return create_app(
        site,
        site_name="yard",
        version="1",
        timezone="Europe/Brussels",
        credentials=Credentials(USER, PASSWORD),
        live=site,
        history=site,
        changes=desk,
        zone_editor=None if file is None else file.editor,
    )


def away(site: Site) -> None:
    """The first camera is away; what it showed last is still there."""
    gone = replace(site.camera_list[0], state="stalled", reason="no frame for 10 s")
    site.camera_list = [gone, *site.camera_list[1:]]


# -- the wall --


def test_a_camera_that_goes_away_takes_its_picture_with_it(
    server: WebServer, site: Site, opened: Open
) -> None:
    page = opened(server.address)
    tile = page.locator("[data-camera=entrance]")
    tile.locator("canvas:not([hidden])").wait_for()
    away(site)
    tile.locator(".waiting:has-text('no frame for 10 s')").wait_for()
    # some rounds later it has not come back
    page.wait_for_timeout(3000)
    assert tile.locator("canvas").is_hidden()
    assert tile.locator(".person").count() == 0
    assert tile.locator(".people").inner_text().strip() == ""


def test_zones_on_the_wall_bear_their_names(server: WebServer, opened: Open) -> None:
    page = opened(server.address)
    assert page.locator("[data-camera=entrance] .names text").all_text_contents() == ["desk"]
    assert page.locator("[data-camera=store] .names text").count() == 0


def test_the_wall_follows_the_settings(server: WebServer, site: Site, opened: Open) -> None:
    page = opened(server.address)
    page.evaluate("() => { window.same = true; }")
    page.wait_for_timeout(2500)
    assert page.evaluate("() => window.same") is True
    site.camera_list = [*site.camera_list, CameraStatus(camera="new-gate", state="connecting", since=1.0)]
    page.wait_for_selector("[data-camera=new-gate]")


@pytest.mark.parametrize("count", [0, 50])
def test_a_wall_of_no_camera_and_of_fifty(server: WebServer, site: Site, opened: Open, count: int) -> None:
    site.camera_list = [
        CameraStatus(camera=f"camera-{number}", state="online", since=site.now) for number in range(count)
    ]
    site.pictures = {one.camera: live_picture(one.camera, site.now) for one in site.camera_list}
    page = opened(server.address)
    if count:
        page.locator("[data-camera=camera-0] canvas:not([hidden])").wait_for()
        last = page.locator(f"[data-camera=camera-{count - 1}]")
        last.scroll_into_view_if_needed()
        last.locator("canvas:not([hidden])").wait_for()
    else:
        page.wait_for_selector("text=No camera is configured")


# -- parts that are renewed --


def test_keys_keep_their_place_while_a_page_renews_itself(site: Site, opened: Open) -> None:
    with WebServer(app_of(site, desk=CountingDesk()), "127.0.0.1", 0) as server:
        for path, place in (
            ("/system", "[data-remove-area]"),
            (f"/alerts/{FIRST_ALERT}", "summary"),
            (f"/alerts/{FIRST_ALERT}", ".scroll"),
            ("/", ".finding a"),
        ):
            page = opened(server.address + path)
            page.focus(place)
            kept = page.evaluate_handle("() => document.activeElement")
            # the wall's lines above the pictures change when a finding does
            first, *others = site.camera_list
            finding = replace(first.findings[0], code=f"{first.findings[0].code}_again")
            site.camera_list = [replace(first, findings=(finding,)), *others]
            page.wait_for_function("(kept) => !kept.isConnected", arg=kept)
            assert page.evaluate("(place) => document.activeElement.matches(place)", place), (path, place)


def test_a_table_on_a_phone_stays_where_it_was_pushed(server: WebServer, site: Site, opened: Open) -> None:
    page = opened(f"{server.address}/alerts/{FIRST_ALERT}", width=360)
    page.evaluate("() => { document.querySelector('.scroll').scrollLeft = 60; }")
    at = page.evaluate("() => document.querySelector('.scroll').scrollLeft")
    assert at > 0
    region = page.query_selector(".scroll")
    page.wait_for_function("(region) => !region.isConnected", arg=region)
    assert page.evaluate("() => document.querySelector('.scroll').scrollLeft") == at


def test_the_headline_is_told_when_it_changes_and_not_before(
    server: WebServer, site: Site, opened: Open
) -> None:
    page = opened(f"{server.address}/system")
    page.evaluate("() => { window.headline = document.querySelector('.headline'); }")
    old = page.query_selector("#cameras-title")
    page.wait_for_function("(old) => !old.isConnected", arg=old)
    assert page.evaluate("() => document.querySelector('.headline') === window.headline")
    away(site)
    page.wait_for_selector(".headline:has-text('0 of 2 cameras online')")
    assert page.evaluate("() => document.querySelector('.headline') === window.headline")


# -- what is changed --


def test_a_double_click_says_it_once(site: Site, opened: Open) -> None:
    desk = CountingDesk()
    with WebServer(app_of(site, desk=desk), "127.0.0.1", 0) as server:
        page = opened(f"{server.address}/alerts/{FIRST_ALERT}")
        page.dblclick("button:has-text('Acknowledge')")
        page.wait_for_selector("#said:has-text('Noted')")
        assert len(desk.said) == 1
        page.click("text=It was right")
        page.wait_for_timeout(1500)
        assert len(desk.said) == 2


def test_a_page_outlives_the_daemon_that_it_came_from(site: Site, opened: Open) -> None:
    desk = CountingDesk()
    with WebServer(app_of(site, desk=desk), "127.0.0.1", 0) as server:
        port = int(server.address.rpartition(":")[2])
        page = opened(f"{server.address}/alerts/{FIRST_ALERT}")
        page.click("button:has-text('Acknowledge')")
        page.wait_for_selector("#said:has-text('Noted')")
    page.click("button:has-text('Acknowledge')")
    page.wait_for_selector("#said:has-text('Not noted: ppewatch does not answer')")
    page.wait_for_selector("#offline:not([hidden])")
    with WebServer(app_of(site, desk=desk), "127.0.0.1", port):
        page.wait_for_selector("#offline", state="hidden")
        page.click("button:has-text('Acknowledge')")
        page.wait_for_function("() => document.querySelector('#said').textContent === 'Noted.'")


# -- small screens --


def test_long_names_and_tables_fit_a_phone(server: WebServer, site: Site, opened: Open) -> None:
    site.camera_list = [replace(site.camera_list[0], camera=LONG), *site.camera_list[1:]]
    site.alert_list = [replace(alert, camera=LONG, rule="ä" * 100) for alert in site.alert_list]
    site.buckets = [replace(one, place=replace(one.place, camera=LONG)) for one in site.buckets]
    page = opened(server.address, width=360)
    for path in ("/", "/alerts", f"/alerts/{FIRST_ALERT}", "/compliance", "/system"):
        page.goto(server.address + path)
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), path
        for field_ in page.locator("select, input").all():
            box = field_.bounding_box()
            assert box is None or box["x"] + box["width"] <= 360, path
        # one line a word: no cell is narrower than what it holds
        broken = page.evaluate(
            """() => [...document.querySelectorAll("thead th, td time")].filter((cell) => {
                const range = document.createRange();
                range.selectNodeContents(cell);
                const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size;
                return lines > cell.textContent.trim().split(/\\s+/).length;
            }).map((cell) => cell.textContent)"""
        )
        assert broken == [], path


# -- the editor of zones --


@dataclass
class Drawn:
    """A camera's editor over a real file."""

    site: Site
    file: EditedSite
    server: WebServer

    @property
    def path(self) -> str:
        return f"{self.server.address}/cameras/gate/zones"


@pytest.fixture
def drawn(site: Site, tmp_path: Path) -> Iterator[Drawn]:
    site.camera_list = [
        CameraStatus(camera=name, state="online", since=site.now) for name in ("gate", "door")
    ]
    site.pictures = {"gate": live_picture("gate", site.now)}
    file = EditedSite(tmp_path / "site.yaml")
    for number in range(50):
        file.looks.take("gate", face(number / 5), START + number / 5)
    with WebServer(app_of(site, file=file), "127.0.0.1", 0) as server:
        yield Drawn(site, file, server)


def editor(drawn: Drawn, opened: Open, **options: object) -> Page:
    page = opened(drawn.path, **options)
    page.wait_for_selector("#editor:not([hidden])")
    return page


def test_the_editor_tells_why_no_picture_comes_and_that_the_last_is_old(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened)
    page.wait_for_selector("#waiting", state="hidden")
    page.wait_for_selector(".people rect", state="attached")
    away(drawn.site)
    page.wait_for_selector("#waiting:has-text('This picture is old. no frame for 10 s')")
    assert page.locator(".people rect").count() == 0
    page.reload()
    page.wait_for_selector("#waiting:has-text('no frame for 10 s')")


def test_the_editor_tells_time_as_the_other_pages_do(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened, timezone_id="America/New_York", locale="en-GB")
    page.click("#rectangle")
    page.click("#save")
    page.wait_for_selector("#said:has-text('Saved and in force')")
    page.click("#history summary")
    at = page.get_attribute("#versions time", "datetime")
    shown = page.inner_text("#versions time")
    expected = page.evaluate(
        "(at) => new Date(at).toLocaleTimeString('en-GB', { timeZone: 'Europe/Brussels' })", at
    )
    assert expected in shown


def test_what_was_wrong_is_no_longer_told_once_it_is_right(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened)
    page.click("#rectangle")
    name = page.locator("#zone-form input[id$=-name]")
    name.fill("Tür 1")
    page.click("#try")
    page.wait_for_selector("#said:has-text('a name takes letters')")
    # the field beside it keeps its place
    assert page.locator(".problem").bounding_box()["y"] > name.bounding_box()["y"] + 20
    name.fill("door-1")
    assert page.inner_text("#said") == ""
    page.click("#try")
    page.wait_for_selector("#trial:not([hidden])")
    assert page.locator(".problem").count() == 0


def test_a_zone_that_no_rule_names_says_so(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened)
    assert page.locator("text=No rule names this zone").count() == 0
    page.click("#rectangle")
    page.wait_for_selector("text=No rule names this zone")


def test_what_was_drawn_outlives_the_daemon_and_others_changes(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened)
    page.click("#rectangle")
    # somebody changes another camera, and the file's name for what it holds is new
    drawn.file.path.write_text(drawn.file.text.replace("fps: 2", "fps: 3"))
    drawn.file.site = load_site(drawn.file.path, drawn.file.environ)
    page.click("#save")
    page.wait_for_selector("#said:has-text('Saved and in force')")
    assert "zone-2" in drawn.file.text
    assert "fps: 3" in drawn.file.text


@pytest.mark.parametrize(
    ("change", "in_force"), [(("dwell: 1s", "dwell: 7s"), True), (("fps: 2", "fps: 3"), False)]
)
def test_nobody_overwrites_or_puts_into_force_what_the_page_has_not_shown(
    drawn: Drawn, opened: Open, change: tuple[str, str], in_force: bool
) -> None:
    page = editor(drawn, opened)
    page.click("#rectangle")
    theirs = drawn.file.text.replace(*change)
    assert theirs != drawn.file.text
    drawn.file.path.write_text(theirs)
    if in_force:
        drawn.file.site = load_site(drawn.file.path, drawn.file.environ)
    page.click("#save")
    page.wait_for_selector("#said:has-text('the file has changed since this page was opened')")
    assert drawn.file.text == theirs
    page.wait_for_selector("#anew:not([hidden])")


def test_what_became_of_a_change_is_in_sight_from_the_button(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened, width=360)
    page.click("#rectangle")
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    page.click("#save")
    page.wait_for_selector("#said:has-text('Saved and in force')")
    top = page.locator("#said").bounding_box()["y"]
    assert 0 <= top < 800


def test_nothing_is_drawn_that_the_answer_would_take_away(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened)
    page.click("#rectangle")
    held = threading.Event()

    def slowly(route: Route) -> None:
        if route.request.method == "PUT":
            box = page.locator("#rectangle").bounding_box()
            assert box
            page.mouse.click(box["x"] + 5, box["y"] + 5)
            assert page.locator(".chosen .choice").count() == 2
            held.set()
        route.continue_()

    page.route("**/zones", slowly)
    page.click("#save")
    page.wait_for_selector("#said:has-text('Saved and in force')")
    assert held.is_set()
    page.click("#rectangle")
    assert page.locator(".chosen .choice").count() == 3


def test_sides_that_cross_are_told_when_the_zone_is_closed(drawn: Drawn, opened: Open) -> None:
    page = editor(drawn, opened)
    page.wait_for_selector("#waiting", state="hidden")
    page.click("#draw")
    box = page.locator("#overlay").bounding_box()
    for x, y in ((0.2, 0.2), (0.6, 0.6), (0.6, 0.2), (0.2, 0.6), (0.2, 0.2)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    assert re.search("sides of this zone cross", page.inner_text("#told"))
