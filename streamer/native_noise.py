"""Keeps TensorFlow's start-up chatter off standard error.

Its C++ libraries print a few lines of information (oneDNN, missing CUDA drivers) before their log level can be set;
no environment variable stops them. People take them for errors, and the journal keeps them for ever.
"""

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: glog's and absl's lines of severity INFO, absl's own announcement of them, and what is called an error and is none.
_NOISE: Final = re.compile(
    rb"I\d{4} [\d:. ]+\d+ [\w./]+\.cc:\d+\]"
    rb"|\d{4}-\d\d-\d\d [\d:.]+: I "
    rb"|WARNING: All log messages before absl"
    # no error on a machine without a GPU: asked for one, the device itself is reported missing
    rb"|E\d{4} [\d:. ]+\d+ cuda_\w+\.cc:\d+\] failed call to cuInit"
    # about a shortcut that is not taken
    rb"|E\d{4} [\d:. ]+\d+ util\.cc:\d+\] oneDNN supports DT_[A-Z0-9]+ only"
)


@contextmanager
def native_noise_hidden() -> Iterator[None]:
    """While it holds, what the process writes to standard error passes through a filter that drops such lines.

    Everything else goes on at once, line by line. Where standard error cannot be redirected nothing is filtered.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
        receiver, sender = os.pipe()
    except OSError:
        yield
        return
    os.dup2(sender, 2)
    os.close(sender)
    forwarder = threading.Thread(target=_forward, args=(receiver, saved), name="stderr-filter", daemon=True)
    forwarder.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        # the pipe's last writer goes away with this, which ends the forwarder
        os.dup2(saved, 2)
        forwarder.join(2.0)
        os.close(saved)


def _forward(receiver: int, target: int) -> None:
    with os.fdopen(receiver, "rb") as lines:
        for line in lines:
            if not _NOISE.match(line):
                os.write(target, line)
