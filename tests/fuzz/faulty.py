"""A target that fails in every way in which one can, to show that a campaign sees it."""

import logging
import os
import threading
import time
from pathlib import Path
from random import Random

from fuzz.target import CANARY, Case, Target

from models.errors import PictureError

logger = logging.getLogger(__name__)

#: What case 0, 1, 2 ... does.
FAULTS = (
    "accepts", "refuses", "raises", "logs a traceback", "tells a secret", "steers the terminal", "crashes", "hangs",
    "takes memory", "floods the log", "fails in a thread", "writes to standard error", "accepts",
)  # fmt: skip


class Faulty(Target):
    """One case of each kind of fault."""

    title = "faults on purpose"
    cases = len(FAULTS)
    limit_s = 6.0
    most_mb = 40.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._number = folder / "number"
        self._held: list[bytes] = []

    def make(self, rng: Random) -> Case:
        return Case(rng.randbytes(8))

    def run(self, case: Case) -> bool:
        # cases know nothing of their number: it is counted over all processes
        number = int(self._number.read_text()) if self._number.exists() else 0
        self._number.write_text(str(number + 1))
        self.count("ran")
        fault = FAULTS[number % len(FAULTS)]
        if fault == "refuses":
            raise PictureError("cannot be read")
        if fault != "accepts":
            getattr(self, "_" + fault.replace(" ", "_"))()
        return True

    def _raises(self) -> None:
        raise KeyError("surprise")

    def _logs_a_traceback(self) -> None:
        try:
            self._raises()
        except KeyError:
            logger.exception("it failed")

    def _tells_a_secret(self) -> None:
        raise PictureError(f"rtsp://viewer:{CANARY}@camera: cannot be read")

    def _steers_the_terminal(self) -> None:
        logger.warning("\x1b[2J: cannot be read")

    def _crashes(self) -> None:
        os.abort()

    def _hangs(self) -> None:
        time.sleep(60)

    def _takes_memory(self) -> None:
        del [b"x" * 60_000_000][:]

    def _floods_the_log(self) -> None:
        for _ in range(500):
            logger.warning("again")

    def _fails_in_a_thread(self) -> None:
        thread = threading.Thread(target=self._raises)
        thread.start()
        thread.join()

    def _writes_to_standard_error(self) -> None:
        os.write(2, b"noise\n" * 50_000)
