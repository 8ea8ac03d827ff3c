"""The real daemon as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


class DaemonProcess:
    """``ppewatch run SITE.yaml``; what it prints is in ``log``.

    ``options`` come last; ``module`` is what is run as ``ppewatch``.
    """

    def __init__(
        self,
        site: Path,
        log: Path,
        *,
        environ: dict[str, str] | None = None,
        module: str = "streamer.cli",
        options: tuple[str, ...] = (),
    ) -> None:
        self._log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, "run", str(site), *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environ or {})},
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for_log(self, text: str, timeout_s: float) -> None:
        """Wait until the log holds ``text``; fails when the process ends or the time is up."""
        end = time.monotonic() + timeout_s
        while text not in self.log:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log[-4000:]}")
            if time.monotonic() > end:
                raise AssertionError(
                    f"{text!r} is not in the log after {timeout_s:.0f} s:\n{self.log[-4000:]}"
                )
            time.sleep(0.1)

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def end(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
