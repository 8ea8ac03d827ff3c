"""Exports that are missing are made in one process, and what is wrong with one of them harms no other."""

import subprocess
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.runtime import cache
from models.runtime.cache import exported, make_missing
from models.weights import STORE

RETINAFACE, MASK_STATE = (STORE / f"{name}.safetensors" for name in ("retinaface", "mask_state"))


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """The commands that were run to export; this process passes for one that holds no TensorFlow."""
    run_really, commands = subprocess.run, []

    def run(command: list[str], **options):
        commands.append(command)
        return run_really(command, **options)

    monkeypatch.setattr(cache, "_tensorflow_is_here", lambda: False)
    monkeypatch.setattr(cache.subprocess, "run", run)
    return commands


def networks_in(folder: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (folder / "exports").iterdir())


def test_one_process_makes_all_that_are_missing_but_for_the_one_that_is_wrong(tmp_path, commands) -> None:
    absent = tmp_path / "absent.safetensors"
    weights = {"maskrcnn": MASK_STATE, "retinaface": RETINAFACE, "mask_state": MASK_STATE}
    make_missing(weights | {"another": absent}, folder=tmp_path)
    assert len(commands) == 1
    assert str(absent) not in commands[0]
    assert networks_in(tmp_path) == ["mask_state", "retinaface"]
    for network in ("retinaface", "mask_state"):
        assert exported(network, weights[network], folder=tmp_path).network == network
    make_missing(weights, folder=tmp_path)
    assert len(commands) == 1
    with pytest.raises(WeightsError, match="holds weights of 'mask_state', expected 'mask_rcnn'"):
        exported("maskrcnn", MASK_STATE, folder=tmp_path)


def test_a_process_that_cannot_be_started_leaves_nothing_behind(tmp_path, monkeypatch, commands) -> None:
    monkeypatch.setattr(cache.sys, "executable", str(tmp_path / "python"))
    make_missing({"retinaface": RETINAFACE, "mask_state": MASK_STATE}, folder=tmp_path)
    assert len(commands) == 1
    assert networks_in(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_left_to_the_one_that_says_so(tmp_path, commands) -> None:
    (tmp_path / "exports").touch()
    make_missing({"retinaface": RETINAFACE, "mask_state": MASK_STATE}, folder=tmp_path)
    assert commands == []
