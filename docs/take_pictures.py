"""Takes the pictures of the dashboard that docs/dashboard.md shows: ``python docs/take_pictures.py``.

The real daemon watches the demo's clip, which is our own, as two cameras; a third is not there. A webhook takes the
alerts. The person-seconds of the charts are made up, for a clip of some seconds has none worth a chart. Needs the
extra ``test`` and Chromium; ``--only NAME`` takes some, ``--out FOLDER`` puts them elsewhere.
"""

import argparse
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import cv2
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from peers.webhook_server import WebhookServer  # noqa: E402 - what is run as a script finds them now

from streamer.bench.broker import bench_broker  # noqa: E402
from streamer.bench.daemon_child import DaemonChild  # noqa: E402
from streamer.demo.site import CLIP  # noqa: E402
from streamer.history.buckets import BUCKET_S, Bucket, PersonSeconds, Place, bucket_start  # noqa: E402
from streamer.history.store import ComplianceHistory  # noqa: E402

ZONE = ZoneInfo("Europe/Brussels")
USER, PASSWORD = "manager", "a password of nobody"
PATIENT_MS = 120_000
#: Both cameras show somebody who lacks a mask.
BOTH = ".tile:nth-child(1):has(.person.missing) ~ .tile:has(.person.missing)"


@dataclass(frozen=True)
class Shot:
    """A picture of ``path``: how large the window is, in which colours, and what must be there first; then ``press`` is
    pressed, where it is given, and ``then`` waited for.
    """

    name: str
    path: str
    wait: str
    width: int = 1280
    height: int = 860
    dark: bool = False
    kind: str = "png"
    press: str = ""
    then: str = ""


SHOTS = (
    Shot("wall", "/", BOTH, kind="jpeg"),
    Shot("wall-dark", "/", BOTH, dark=True, kind="jpeg"),
    Shot("wall-phone", "/", BOTH, width=390, height=844, kind="jpeg"),
    Shot("alerts", "/alerts", "[data-alert]", kind="jpeg"),
    Shot("alert", "ALERT", ".snapshot img", height=1100, kind="jpeg"),
    Shot(
        "zones",
        "/cameras/entrance/zones",
        ".people rect",
        height=1000,
        kind="jpeg",
        press="#try",
        then="#trial-alerts li",
    ),
    Shot("compliance", "/compliance", "svg", height=1000),
    Shot("system", "/system", "text=Webhooks", height=1120),
    Shot("system-dark-phone", "/system", "text=Webhooks", width=390, height=844, dark=True),
)


def site_of(folder: Path, *, broker_port: int, listen: str, webhook: str) -> Path:
    """Write the site's file."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = free.getsockname()[1]
    hall = {"coordinates": "0.02,0.25, 0.98,0.25, 0.98,0.99, 0.02,0.99", "anchor": "head"}
    camera = {"url": str(CLIP), "loop": True, "fps": 4, "input_size": 640}
    path = folder / "site.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "site": {"name": "north-yard", "timezone": str(ZONE)},
                "mqtt": {"port": broker_port},
                "http": {"listen": listen, "user": USER, "password": PASSWORD, "edit_zones": True},
                "state_dir": str(folder / "state"),
                "cameras": {
                    "entrance": {**camera, "zones": {"hall": hall}},
                    "workshop": {**camera, "zones": {"bench": hall}},
                    "loading-dock": {"url": f"rtsp://127.0.0.1:{nowhere}/stream"},
                },
                "rules": [
                    {
                        "name": f"face masks, {shift} shift",
                        "where": ["entrance/hall", "workshop/bench", "loading-dock"],
                        "require": ["face_mask"],
                        "dwell": "1s",
                        "clear": "2s",
                        "cooldown": "0s",
                        "schedule": {"days": "daily", "from": begins, "to": ends},
                    }
                    for shift, begins, ends in (("day", "06:00", "18:00"), ("night", "18:00", "06:00"))
                ],
                "webhooks": {"safety-desk": {"url": webhook, "secret": "nobody's secret of 32 characters"}},
            },
            sort_keys=False,
        )
    )
    return path


def make_up_history(state_dir: Path) -> None:
    """Person-seconds of the last two days, more by day than by night."""
    state_dir.mkdir(parents=True, exist_ok=True)
    chance = random.Random(7)  # noqa: S311 - figures that are made up, the same each time
    buckets = []
    now = datetime.now(ZONE)
    for quarter in range(1, 2 * 96):
        at = now - timedelta(seconds=BUCKET_S * quarter)
        busy = max(0.0, 1 - abs(at.hour + at.minute / 60 - 11.5) / 6.5)
        for camera, zone, worn in (
            ("entrance", "", 0.93),
            ("entrance", "hall", 0.93),
            ("workshop", "", 0.84),
            ("workshop", "bench", 0.84),
        ):
            total_s = busy * chance.uniform(900, 2600)
            if total_s < 60:
                continue
            unknown_s = total_s * chance.uniform(0.05, 0.22)
            seen_s = total_s - unknown_s
            share = min(1.0, max(0.0, chance.gauss(worn, 0.05)))
            incorrect_s = (1 - share) * seen_s * 0.3
            buckets.append(
                Bucket(
                    bucket_start(at.timestamp()),
                    Place(camera, zone, "face_mask"),
                    PersonSeconds(
                        worn_s=share * seen_s,
                        missing_s=(1 - share) * seen_s - incorrect_s,
                        incorrect_s=incorrect_s,
                        unknown_s=unknown_s,
                    ),
                )
            )
    ComplianceHistory(state_dir).add(buckets)


@contextmanager
def dashboard(folder: Path) -> Iterator[str]:
    """The address of the daemon's dashboard."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    make_up_history(folder / "state")
    with bench_broker() as (_, port), WebhookServer() as webhook:
        site = site_of(folder, broker_port=port, listen=listen, webhook=webhook.url)
        with DaemonChild(site) as daemon:
            daemon.start()
            yield f"http://{listen}"


def open_page(browser: Browser, shot: Shot) -> Page:
    """A page of somebody who is logged in."""
    context = browser.new_context(
        http_credentials={"username": USER, "password": PASSWORD},
        viewport={"width": shot.width, "height": shot.height},
        color_scheme="dark" if shot.dark else "light",
        locale="en-GB",
    )
    context.set_default_timeout(PATIENT_MS)
    return context.new_page()


def take(browser: Browser, address: str, shot: Shot, folder: Path) -> None:
    """Take one picture."""
    page = open_page(browser, shot)
    path = shot.path
    if path == "ALERT":
        path = judged_alert(page, address)
    page.goto(address + path)
    page.wait_for_selector(shot.wait, state="attached")
    if shot.press:
        page.click(shot.press)
        page.wait_for_selector(shot.then)
        page.wait_for_selector(shot.wait, state="attached")
    page.wait_for_function(
        """() => [...document.images].every((one) => one.naturalWidth
            || one.getBoundingClientRect().top > window.innerHeight)"""
    )
    suffix = "jpg" if shot.kind == "jpeg" else "png"
    target = folder / f"dashboard-{shot.name}.{suffix}"
    page.screenshot(path=str(target), **({"type": "jpeg", "quality": 78} if shot.kind == "jpeg" else {}))
    if shot.kind == "png":
        # the same pixels in fewer bytes
        cv2.imwrite(str(target), cv2.imread(str(target)), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")
    page.context.close()


def judged_alert(page: Page, address: str) -> str:
    """The path of an alert that has ended and was acknowledged."""
    page.goto(f"{address}/alerts")
    page.wait_for_selector("[data-alert].ended")
    path = page.get_attribute("[data-alert].ended h3 a", "href") or ""
    page.goto(address + path)
    page.fill("input[name=by]", "Ann Example")
    page.click("button:has-text('Acknowledge')")
    page.wait_for_selector(".pill:has-text('acknowledged by Ann Example')")
    return path


def main() -> None:
    """Take all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", default="", help="part of a picture's name")
    args = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Chromium")
    args.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        dashboard(Path(folder)) as address,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--lang=en-GB"])
        # some alerts for the feed
        time.sleep(45)
        for shot in SHOTS:
            if args.only in shot.name:
                take(browser, address, shot, args.out)
        browser.close()


if __name__ == "__main__":
    main()
