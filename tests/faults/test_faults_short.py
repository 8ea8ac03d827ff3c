"""The short form of every fault. Those that leave the daemon running share one, as far as they can."""

from pathlib import Path

import pytest
from faults.campaign import inject, run_fault
from faults.registry import Fault, faults_of
from faults.rig import FaultRig

pytestmark = [pytest.mark.campaign, pytest.mark.e2e, pytest.mark.timeout(400)]

ALONE = [
    fault
    for family in ("webhook_faults", "power_faults", "disk_faults", "clock_faults")
    for fault in faults_of(family)
]


def test_whatever_the_broker_does_no_alert_is_lost_or_doubled(tmp_path: Path):
    with FaultRig(tmp_path) as rig:
        for fault in faults_of("broker_faults"):
            inject(rig, fault, fault.short, seed=1)
            row = rig.row(fault.name)
            assert row.clean, row
            assert row.injected == fault.short.times
            assert row.comparison.expected >= fault.short.alerts
        assert rig.finish("its end").clean


@pytest.mark.parametrize("fault", ALONE, ids=lambda fault: fault.name)
def test_no_alert_is_lost_or_doubled(fault: Fault, tmp_path: Path):
    missing = fault.needs()
    if missing is not None:
        pytest.skip(missing)
    row = run_fault(fault, tmp_path, fault.short, seed=1)
    assert row.clean, row
    assert row.injected == fault.short.times
    assert row.comparison.expected >= fault.short.alerts
