"""The floor of the daemon's memory: a process that holds the same networks, prepared for the same size.

``python -m streamer.bench.held_networks MODEL...`` prints the MB that are resident in it.
"""

import os
import subprocess
import sys
from collections.abc import Collection, Sequence

import numpy as np

from models.pictures import ArrayPicture
from streamer.bench.daemon_child import memory_of
from streamer.detector_loading import load_detector

#: What 16:9 pictures are looked at in by default.
_INPUT_HW = (736, 1280)


def floor_mb(models: Collection[str]) -> float:
    """Resident memory in MB of a process that only holds ``models``. Raises ``subprocess.CalledProcessError``."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, *sorted(models)], check=True, capture_output=True, text=True
    )
    return float(done.stdout.splitlines()[-1])


def hold(models: Sequence[str]) -> float:
    """Load ``models``, look once at a blank picture, and return the MB that are resident in this process then."""
    detector = load_detector(models=models)
    detector.warm_up(_INPUT_HW, (1,))
    detector.detect([ArrayPicture(np.zeros((*_INPUT_HW, 3), np.uint8))], _INPUT_HW)
    return memory_of(os.getpid()).rss_mb


if __name__ == "__main__":
    print(hold(sys.argv[1:]))
