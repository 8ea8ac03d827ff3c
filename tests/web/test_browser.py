"""The page in a real browser: its script runs under the page's own policy and keeps it fresh."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from web_site import Site

from streamer.web.server import WebServer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


def browse(
    server: WebServer, profile: Path, *options: str, path: str = "/"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            *options,
            server.address + path,
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )


def console(run: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in run.stderr.splitlines() if ":CONSOLE" in line]


def test_the_script_refreshes_the_page_under_its_own_policy(
    server: WebServer, site: Site, tmp_path: Path
) -> None:
    answers = []
    first = site.camera_list

    class Changing(list):  # type: ignore[type-arg]
        """Another state at every look, so that a refresh shows in the page."""

        def __iter__(self):  # type: ignore[no-untyped-def]
            answers.append(len(answers))
            return iter([replace(first[0], reason=f"look {len(answers)}")])

    site.camera_list = Changing(first)
    run = browse(server, tmp_path, "--virtual-time-budget=9000", "--dump-dom", path="/system")
    looks = [int(number) for number in re.findall(r"look (\d+)", run.stdout)]
    assert len(looks) == 1
    assert looks[0] > 4, "the page was not refreshed after it was first shown"
    assert re.search(r'<p id="offline"[^>]* hidden', run.stdout)
    assert console(run) == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn_in_light_and_dark_on_phone_and_desk(
    server: WebServer, tmp_path: Path, width: int, scheme: str
) -> None:
    picture = tmp_path / "page.png"
    dark = ["--force-dark-mode"] if scheme == "dark" else []
    run = browse(
        server,
        tmp_path / "profile",
        "--virtual-time-budget=1500",
        f"--window-size={width},1600",
        f"--screenshot={picture}",
        *dark,
    )
    assert console(run) == []
    page = cv2.imread(str(picture))
    assert page is not None
    corner = float(page[-1, 0].mean())
    assert (corner < 60) if scheme == "dark" else (corner > 200)
    # something is drawn on it: neither blank nor the browser's error page
    assert page.std() > 12
