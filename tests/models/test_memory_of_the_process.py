"""Large blocks that are freed leave the process, whatever was freed before and lies between them."""

import subprocess
import sys

import pytest

_HELD = """
import ctypes, sys
import numpy as np
from models.runtime.memory import keep_no_large_blocks

def resident_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000

if sys.argv[1] == "ours":
    keep_no_large_blocks()
del (first := [np.ones(4_000_000, np.uint8)])[:]  # glibc takes this size for a usual one from now on
before, small = resident_mb(), []
large = []
for _ in range(30):
    large.append(np.ones(3_000_000, np.uint8))
    small.append(bytearray(5_000))
large.clear()
print(resident_mb() - before)
"""


def _held_mb(who: str) -> float:
    done = subprocess.run([sys.executable, "-c", _HELD, who], check=True, capture_output=True, text=True)
    return float(done.stdout)


def test_freed_pictures_leave_the_process():
    if _held_mb("default") < 40:
        pytest.skip("this C library keeps no large blocks in the first place")
    assert _held_mb("ours") < 10
