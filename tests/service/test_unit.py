"""The systemd unit, judged by systemd itself."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"

#: On systemd's scale from 0 (sealed) to 10 (open); the network, the host's /proc and JIT-compiled kernels remain.
EXPOSURE_LIMIT = 1.5

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def unit(tmp_path):
    """The unit with a program that is there on every machine."""
    text = (SYSTEMD / "ppewatch.service").read_text()
    path = tmp_path / "ppewatch.service"
    path.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE))
    return path


def test_it_has_no_error_and_no_unknown_key(unit):
    done = analyze("verify", "--man=no", unit)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_an_error_in_it_would_be_found(unit):
    unit.write_text(unit.read_text() + "\n[Service]\nProtectHoem=yes\n")
    assert "ProtectHoem" in analyze("verify", "--man=no", unit).stderr


@pytest.mark.parametrize(
    "dropin", ["credentials.conf", "edit-zones.conf", "gpu.conf", "private-networks.conf", "webcam.conf"]
)
def test_the_drop_ins_fit(unit, dropin):
    folder = unit.with_name("ppewatch.service.d")
    folder.mkdir()
    text = (SYSTEMD / dropin).read_text().replace("#LoadCredential", "LoadCredential")
    text = re.sub(r"^ExecStart=/\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    (folder / dropin).write_text(text)
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("dropin", [None, "edit-zones.conf", "private-networks.conf"])
def test_its_exposure_stays_low(unit, dropin):
    if dropin is not None:
        # below the unit itself: systemd-analyze reads no drop-ins offline
        unit.write_text(unit.read_text() + (SYSTEMD / dropin).read_text())
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_LIMIT * 10:.0f}", unit)
    overall = re.search(r"Overall exposure level for \S+ ([0-9.]+)", done.stdout)
    assert overall, done.stderr
    print(f"exposure {overall[1]} (limit {EXPOSURE_LIMIT})")
    assert float(overall[1]) <= EXPOSURE_LIMIT, done.stdout
    assert done.returncode == 0


def test_the_watchdog_outlasts_the_slowest_stage_and_the_wrong_settings_are_not_retried(unit):
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(unit)
    service = parser["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) / 2 > 10, "a stage is late after 10 s; the watchdog is fed at half"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["Restart"] == "on-failure"
    assert service["LimitCORE"] == "0"
