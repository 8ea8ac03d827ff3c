"""Runs ``ppewatch`` as people do: in a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.errors import WeightsError
from models.loading import weights_paths

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "streamer.cli")

#: A password that must be nowhere in what a command prints.
CANARY = "c4n4ry-s3cret"


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.out + self.err


def environment(**variables: str) -> dict[str, str]:
    """The test's environment with ``variables``; the package is found from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


def ppewatch(*arguments: object, timeout: float = 120, cwd: Path | None = None, **variables: str) -> Done:
    """Run one command to its end; ``variables`` are set in its environment."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        env=environment(**variables),
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def started(*arguments: object, **settings: Any) -> subprocess.Popen[str]:
    """Start one command; the test ends it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        **settings,
    )


def one_line_of(done: Done) -> str:
    """The error that a command ended with: one line on standard error, no traceback, nothing on standard output."""
    assert done.out == ""
    assert "Traceback" not in done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    return lines[0]


def need_weights() -> None:
    """Skip the test where the weights that ship are not there."""
    try:
        weights_paths()
    except WeightsError as error:
        pytest.skip(f"needs the shipped weights: {error}")
