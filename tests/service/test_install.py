"""The installer, run for real into a temporary root, and dry."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "deploy" / "install.sh"


def install(*arguments, **environ):
    return subprocess.run(
        ["sh", INSTALL, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environ,
        timeout=240,
    )


def everything_below(folder):
    return {path.relative_to(folder): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def build_tools(tmp_path_factory):
    """A lock of the project's own that holds only what building the project takes."""
    blocks = (ROOT / "requirements" / "run.lock").read_text().replace("\\\n", "\0").splitlines()
    wanted = [block for block in blocks if block.startswith(("setuptools==", "wheel==", "packaging=="))]
    assert wanted
    lock = tmp_path_factory.mktemp("lock") / "build.lock"
    lock.write_text("\n".join(wanted).replace("\0", "\\\n") + "\n")
    return lock


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
@pytest.mark.parametrize("script", sorted((ROOT / "deploy").glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_clean(script):
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_dry_run_says_everything_and_changes_nothing(tmp_path):
    done = install("--dry-run", "--root", tmp_path)
    assert done.returncode == 0, done.stderr
    assert everything_below(tmp_path) == {}
    for word in ("venv", "--require-hashes", "site.yaml", "ppewatch.service", "credentials"):
        assert word in done.stdout
    assert "useradd" not in done.stdout, "a staged root is no live system"


def test_a_dry_run_of_the_live_system_names_user_and_systemd():
    done = install("--dry-run", PYTHON="/usr/bin/python3")
    assert done.returncode == 0, done.stderr
    assert "useradd --system" in done.stdout or "ppewatch" in Path("/etc/passwd").read_text()


def test_installed_twice_updated_and_removed(tmp_path, build_tools):
    root = tmp_path / "root"
    options = ("--root", root, "--prefix", "/srv/ppewatch", "--requirements", build_tools)
    done = install(*options)
    if done.returncode and ("No matching distribution" in done.stderr or "onnection" in done.stderr):
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stderr
    etc = root / "etc/ppewatch"
    unit = root / "etc/systemd/system/ppewatch.service"
    program = root / "srv/ppewatch/venv/bin/ppewatch"
    assert program.is_file()
    assert os.access(program, os.X_OK)
    assert (root / "usr/local/bin/ppewatch").readlink() == Path("/srv/ppewatch/venv/bin/ppewatch")
    packages = next((root / "srv/ppewatch/venv/lib").glob("python3.*/site-packages"))
    for part in ("streamer/inference/worker.py", "models/weights", "rules", "config"):
        assert (packages / part).exists(), part
    assert (mode(etc), mode(etc / "site.yaml"), mode(etc / "credentials")) == (0o750, 0o640, 0o700)
    assert (etc / "site.yaml").read_bytes() == (ROOT / "config/example.yaml").read_bytes()
    assert "ExecStart=/srv/ppewatch/venv/bin/ppewatch run /etc/ppewatch/site.yaml" in unit.read_text()
    assert "/opt/ppewatch" not in unit.read_text()

    (etc / "site.yaml").write_text("site: {name: mine}\n")
    (etc / "credentials/gate").write_text("s3cret\n")
    unit.write_text("# spoilt\n")
    before = {path: seen for path, seen in everything_below(etc).items() if path != Path()}
    done = install(*options)
    assert done.returncode == 0, done.stderr
    assert everything_below(etc) == before, "settings and credentials are not touched"
    assert "ExecStart=" in unit.read_text(), "the unit is repaired"
    assert "s3cret" not in done.stdout + done.stderr

    done = install("--root", root, "--prefix", "/srv/ppewatch", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert not (root / "srv/ppewatch").exists()
    assert not unit.exists()
    assert (etc / "credentials/gate").exists()
    assert install("--root", root, "--prefix", "/srv/ppewatch", "--uninstall", "--purge").returncode == 0
    assert not etc.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--bogus",),
        ("--prefix",),
        ("--prefix", "relative"),
        ("--prefix", "/"),
        ("--prefix", "/usr"),
        ("--prefix", "/opt/it's"),
        ("--purge",),
        ("--root", "/nonexistent-staging", "--requirements", "/nonexistent.lock"),
    ],
)
def test_wrong_usage_is_refused_before_anything_happens(wrong):
    done = install("--dry-run", *wrong)
    assert done.returncode != 0
    assert done.stderr
    assert "would run: rm" not in done.stdout
