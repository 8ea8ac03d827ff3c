"""The short form of the faults of cameras, models and settings: few daemons go through them all."""

from pathlib import Path

import pytest
from faults.campaign import inject
from faults.registry import Fault, faults_of
from faults.rig import FaultRig

pytestmark = [pytest.mark.campaign, pytest.mark.e2e, pytest.mark.timeout(900)]


def go_through(folder: Path, faults: list[Fault]) -> None:
    """Inject each in the same site, and require a clean row of each."""
    with FaultRig(folder) as rig:
        for fault in faults:
            if (missing := fault.needs()) is not None:
                pytest.skip(missing)
            inject(rig, fault, fault.short, seed=1)
            row = rig.row(fault.name)
            assert row.clean, row
            assert row.injected >= fault.short.times
            assert row.comparison.expected >= fault.short.alerts
        assert rig.finish("its end").clean


def named(family: str, *words: str) -> list[Fault]:
    """The faults of a family whose names hold one of ``words``."""
    return [fault for fault in faults_of(family) if any(word in fault.name for word in words)]


def test_no_alert_is_lost_or_doubled_whatever_a_camera_does(tmp_path: Path):
    go_through(tmp_path, faults_of("camera_faults"))


def test_no_alert_is_lost_or_doubled_when_models_fail(tmp_path: Path):
    # a site of its own for each: models that broke down leave the daemon another reason to be degraded
    for number, fault in enumerate(named("model_faults", "models", "device")):
        folder = tmp_path / str(number)
        folder.mkdir()
        go_through(folder, [fault])


def test_no_alert_is_lost_or_doubled_by_settings_and_weights_that_cannot_be_used(tmp_path: Path):
    go_through(tmp_path, [*named("site_faults", "SIGHUP"), *named("model_faults", "weights")])


def test_no_alert_is_lost_or_doubled_while_half_of_the_cameras_are_down(tmp_path: Path):
    go_through(tmp_path, named("site_faults", "half"))
