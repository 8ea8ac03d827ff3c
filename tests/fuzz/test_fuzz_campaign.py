"""The campaign sees what it looks for, and has the same cases for the same seed."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from fuzz.byte_mutation import damaged, damaged_in_place
from fuzz.faulty import FAULTS
from fuzz.structured_mutation import (
    damaged_jpeg,
    damaged_length_units,
    damaged_mp4,
    damaged_nal_units,
    damaged_png,
    damaged_riff,
    damaged_text,
    damaged_ts,
)
from fuzz.supervision import ROOT, run_target
from fuzz.target import CANARY, Unexpected, check_words

DATA = bytes(range(256)) * 8


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("faulty")
    return run_target(
        "faulty", seed=1, cases=len(FAULTS), folder=folder, failures=folder / "failures"
    ), folder


def test_every_fault_is_counted_and_the_cases_go_on(faulty):
    result, _ = faulty
    assert result.cases == len(FAULTS)
    assert (result.accepted, result.refused) == (2, 1)
    assert (result.crashes, result.hangs) == (1, 1)
    assert result.unexpected == len(FAULTS) - 5
    assert not result.clean
    found = {failure["case"]: failure for failure in result.failures}
    assert sorted(found) == [
        number for number, fault in enumerate(FAULTS) if fault not in ("accepts", "refuses")
    ]
    for fault, words in {
        "raises": "surprise",
        "logs a traceback": "traceback was logged",
        "tells a secret": "tells a secret",
        "steers the terminal": "control characters",
        "crashes": "SIGABRT",
        "hangs": "nothing came",
        "takes memory": "MB more than before",
        "floods the log": "logged 500 lines",
        "fails in a thread": "KeyError: 'surprise'",
        "writes to standard error": "300000 bytes to standard error",
    }.items():
        assert words in found[FAULTS.index(fault)]["words"], fault


def test_inputs_that_failed_are_kept_with_what_was_said(faulty):
    result, folder = faulty
    for failure in result.failures:
        stem = folder / "failures" / f"faulty-1-{failure['case']}"
        assert len(stem.with_suffix(".bin").read_bytes()) == 8
        assert failure["words"] in stem.with_suffix(".txt").read_text()
    crash = folder / "failures" / f"faulty-1-{FAULTS.index('crashes')}.txt"
    assert "faulty.py" in crash.read_text(), "the stack of a native crash"


def test_growth_is_the_slope_of_the_second_half(monkeypatch: pytest.MonkeyPatch):
    from fuzz import supervision  # noqa: PLC0415

    climbing = [(number, 100 + number * 0.5, 7 + (number > 30)) for number in range(40)]
    growth_mb, files = supervision._growth(climbing)
    assert growth_mb == pytest.approx(9.5)
    assert files == 1
    settled = [(number, 100 + min(number, 10), 7) for number in range(40)]
    assert supervision._growth(settled) == (pytest.approx(0.0), 0)
    assert supervision._growth(settled[:6]) == (None, None)


@pytest.mark.parametrize(
    "mutate",
    [
        damaged,
        damaged_nal_units,
        damaged_mp4,
        damaged_png,
        damaged_jpeg,
        damaged_riff,
        damaged_ts,
        damaged_text,
    ],
)
@pytest.mark.parametrize("data", [DATA, b"", b"\0", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x01" * 9, b"{}"])
def test_mutators_take_anything_and_repeat_themselves(mutate, data: bytes):
    outcomes = [mutate(data, Random(seed)) for seed in range(60)]
    assert outcomes == [mutate(data, Random(seed)) for seed in range(60)]
    if data == DATA:
        assert len(set(outcomes)) > 20
        assert sum(outcome != data for outcome in outcomes) > 20


@pytest.mark.parametrize("mutate", [damaged_in_place, damaged_length_units])
def test_mutators_that_keep_the_length_do(mutate):
    data = (len(DATA)).to_bytes(4, "big") + DATA
    outcomes = [mutate(data, Random(seed)) for seed in range(60)]
    assert {len(outcome) for outcome in outcomes} == {len(data)}
    assert sum(outcome != data for outcome in outcomes) > 20


@pytest.mark.parametrize("words", [f"rtsp://a:{CANARY}@b", "\x1b[2J", "a\u202eb", "x" * 5000, "\x00"])
def test_words_that_must_not_be_said(words: str):
    with pytest.raises(Unexpected):
        check_words(words, where="a message")


def test_the_command_prints_and_writes_its_table(tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "fuzz.campaign",
        "--only",
        "safetensors",
        "--share",
        "0.002",
        "--seed",
        "3",
    ]
    command += ["--failures", str(tmp_path / "failures"), "--json", str(tmp_path / "f.json")]
    done = subprocess.run(
        [*command, "--markdown", str(tmp_path / "t.md")],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = (tmp_path / "t.md").read_text()
    assert table in done.stdout
    assert "| weights, safetensors | 30 |" in table
    assert "with seed 3" in table
    (figures,) = json.loads((tmp_path / "f.json").read_text())
    assert figures["accepted"] + figures["refused"] == 30
    again = subprocess.run(
        [*command, "--case", "7"], cwd=ROOT, env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert '"outcome"' in again.stdout
