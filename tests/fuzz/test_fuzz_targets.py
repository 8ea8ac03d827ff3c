"""The short form of the campaign: some cases of each input, each taken or refused as it must be.

Continuous integration has the same cases each time; other runs look for new ones. What fails is told with its
seed and number, which ``make fuzz ARGS="--only TARGET --seed N --case K"`` takes again.
"""

import os
import time
from pathlib import Path

import pytest
from fuzz.supervision import run_target
from fuzz.targets import TARGETS, target_of
from peers import mosquitto

SEED = 1 if "CI" in os.environ else time.time_ns() % 1_000_000_000
#: A busy machine is no hang.
LIMIT_S = 150.0

#: The daemon itself takes too long to start for a short form; the tests of its own drive it.
SHORT = [name for name in TARGETS if name not in ("daemon", "faulty")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", SHORT)
def test_hostile_input(folder: Path, name: str):
    if name == "broker" and mosquitto._BINARY is None:
        pytest.skip("mosquitto is not installed")
    result = run_target(
        name,
        seed=SEED,
        cases=target_of(name).short,
        folder=folder / name,
        failures=folder / "failures",
        limit_s=LIMIT_S,
    )
    assert result.clean, f"seed {SEED}: {result.failures}"
    assert result.accepted + result.refused == result.cases
