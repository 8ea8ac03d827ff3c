"""TensorFlow's chatter is dropped; whatever else is written meanwhile arrives, also from C and other threads."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

CODE = """
import os, sys, threading
from streamer.native_noise import native_noise_hidden
print("before", file=sys.stderr)
with native_noise_hidden():
    os.write(2, b"I0000 00:00:1795254050.029203    8068 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"2026-11-21 09:00:00.123: I tensorflow/core/util/port.cc:153] chatter\\n")
    os.write(2, b"E0000 00:00:1795254050.029203    8068 cuda.cc:1] an error\\n")
    thread = threading.Thread(target=lambda: print("a thread", file=sys.stderr))
    thread.start(); thread.join()
os.write(2, b"I0000 00:00:1795254050.029203    8068 port.cc:153] after, unfiltered\\n")
"""


def test_only_the_noise_is_dropped_and_only_meanwhile():
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == [
        "before",
        "E0000 00:00:1795254050.029203    8068 cuda.cc:1] an error",
        "a thread",
        "I0000 00:00:1795254050.029203    8068 port.cc:153] after, unfiltered",
    ]
