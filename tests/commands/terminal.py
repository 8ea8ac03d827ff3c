"""``ppewatch`` on a terminal of its own, as people have it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from command_line import COMMAND, environment

#: Makes the terminal the one that passwords are asked on, and becomes the command. Whoever runs the tests in the
#: background of a shell has Ctrl-C ignored, which a person's shell has not.
_CONTROLLED = """\
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """One command; ``screen`` is all that it has written so far. A context manager that ends it."""

    def __init__(self, *arguments: object, cwd: Path, **variables: str) -> None:
        self._master, slave = os.openpty()
        self.screen = ""
        self._read_to = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", _CONTROLLED, *COMMAND, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=cwd,
            env=environment(**{"TERM": "dumb", **variables}),
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self._master)

    def expect(self, text: str, timeout_s: float = 60) -> None:
        """Wait until ``text`` is on the screen, behind what was expected before."""
        end = time.monotonic() + timeout_s
        while (place := self.screen.find(text, self._read_to)) < 0:
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} is not on the screen:\n{self.screen}")
        self._read_to = place + len(text)

    def answer(self, question: str, text: str = "") -> None:
        """Wait for ``question`` and type ``text`` and Enter."""
        self.expect(question)
        self.expect(": ")
        os.write(self._master, text.encode() + b"\n")

    def interrupt(self) -> None:
        """Ctrl-C at the question that it asks."""
        self._until_it_reads()
        os.write(self._master, b"\x03")

    def close_input(self) -> None:
        """Ctrl-D."""
        os.write(self._master, b"\x04")

    def terminate(self) -> None:
        """SIGTERM at the question that it asks."""
        self._until_it_reads()
        self.process.send_signal(signal.SIGTERM)

    def end(self, timeout_s: float = 60) -> int:
        """Read to its end; returns the exit code."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self._read(end - time.monotonic()):
            pass
        return self.process.wait(timeout_s)

    def _until_it_reads(self) -> None:
        """Until it sleeps with the terminal set for reading keys.

        A signal that comes between the prompt and that sleep is not seen by CPython's ``call_readline`` before the next
        key; a person is not that fast.
        """
        status = Path("/proc", str(self.process.pid), "stat")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            reads_keys = not termios.tcgetattr(self._master)[3] & termios.ICANON
            if reads_keys and status.read_text().rpartition(")")[2].split()[0] == "S":
                return
            time.sleep(0.01)
        raise AssertionError(f"it reads nothing:\n{self.screen}")

    def _read(self, timeout_s: float) -> bool:
        readable, _, _ = select.select([self._master], [], [], timeout_s)
        data = b""
        # the other side is gone: Linux says so by an error
        with contextlib.suppress(OSError):
            data = os.read(self._master, 65_536) if readable else b""
        self.screen += data.decode(errors="replace")
        return bool(data)
