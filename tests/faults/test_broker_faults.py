"""The short form of the faults of a broker: one daemon goes through them all."""

from pathlib import Path

import pytest
from faults.campaign import inject
from faults.registry import faults_of
from faults.rig import FaultRig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


def test_no_alert_is_lost_or_doubled_whatever_the_broker_does(tmp_path: Path):
    with FaultRig(tmp_path) as rig:
        for fault in faults_of("broker_faults"):
            inject(rig, fault, fault.short, seed=1)
            row = rig.row(fault.name)
            assert row.clean, row
            assert row.injected == fault.short.times
            assert row.comparison.expected >= fault.short.alerts
        assert rig.finish("its end").clean
