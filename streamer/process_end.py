"""How a process ends whose libraries still hold threads."""

import atexit
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn


def run_to_the_end(main: Callable[[], int]) -> NoReturn:
    """Run ``main`` as this process's whole work, and end the process with the exit code that it returns.

    Threads that still run then end with the process, wherever they are. The interpreter cannot do that by itself: a
    connection to a camera that hangs asks PyAV ten times a second whether to go on, PyAV takes the interpreter's lock
    for the answer, and one that has been taken down already makes that a segmentation fault. So the interpreter
    is not taken down then; what is registered with ``atexit`` from here on has run before, and what ``sys.stdout`` and
    ``sys.stderr`` hold is written.

    Raises ``SystemExit`` when no such thread is left, or what ``main`` raises.
    """
    exit_code = 0

    def end() -> None:
        if any(thread.daemon and thread.is_alive() for thread in threading.enumerate()):
            end_at_once(exit_code)

    # registered before everything else, it runs after everything else
    atexit.register(end)
    exit_code = 1
    exit_code = main()
    sys.exit(exit_code)


def end_at_once(exit_code: int) -> NoReturn:
    """End the process wherever its threads are, once what ``sys.stdout`` and ``sys.stderr`` hold is written."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)


def end_within(seconds: float, exit_code: int, last_words: str) -> threading.Timer:
    """Whatever hangs, the process has ended after so long: with ``exit_code``, and ``last_words`` on standard error if
    they can be written. ``cancel`` of what this returns calls it off.
    """

    def end() -> None:
        # a reader that has stopped reading must not hold this up, so somebody else says it
        speaker = threading.Thread(target=_say, args=(last_words,), daemon=True)
        speaker.start()
        speaker.join(1.0)
        os._exit(exit_code)

    timer = threading.Timer(seconds, end)
    timer.name = "end-guard"
    timer.daemon = True
    timer.start()
    return timer


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())
