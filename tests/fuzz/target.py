"""What a fuzzing campaign throws hostile input at."""

import contextlib
import json
import logging
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Final

from config.errors import ConfigError
from models.errors import ModelError
from streamer.errors import StreamerError

#: The roots of our trees: a refusal is one of these.
OURS: Final = (ConfigError, ModelError, StreamerError)

#: Stands where a password would; whatever tells it has told a secret.
CANARY: Final = "s3cr3t-CANARY-0b7"

#: Longer is no line or two for people. ``ConfigError`` has a line for each problem.
LONGEST_WORDS: Final = 4000
MOST_LOG_LINES: Final = 60
MOST_NATIVE_BYTES: Final = 100_000


class Unexpected(Exception):  # noqa: N818 - what the campaign counts
    """The product answered in a way in which it must not."""


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile input. ``options`` decide how it is read, as far as that varies."""

    data: bytes
    suffix: str = ".bin"
    options: int = 0

    @classmethod
    def of_parts(cls, parts: list[bytes], *, options: int = 0) -> "Case":
        """A case of several pieces, such as the answers of a server."""
        return cls(json.dumps([part.decode("latin-1") for part in parts]).encode(), ".json", options)

    @property
    def parts(self) -> list[bytes]:
        """The pieces again."""
        return [str(part).encode("latin-1") for part in json.loads(self.data)]


class Target(ABC):
    """One kind of input. Made once in a process of its own, in ``folder``, which is shared by all such processes.

    - ``title``: its name in the table.
    - ``cases``: of a full campaign; ``short``: of the tests.
    - ``limit_s``: a case that takes longer hangs; ``most_mb``: what one case may take of memory, for a while.
    """

    title: ClassVar[str]
    cases: ClassVar[int]
    short: ClassVar[int] = 200
    limit_s: ClassVar[float] = 30.0
    most_mb: ClassVar[float] = 512.0
    #: Messages of the log that are no fault of ours although they carry a traceback.
    expected_tracebacks: ClassVar[Callable[[logging.LogRecord], bool] | None] = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: What is counted beside outcomes.
        self.facts: dict[str, int] = {}

    @abstractmethod
    def make(self, rng: Random) -> Case:
        """The case that ``rng`` stands for."""

    @abstractmethod
    def run(self, case: Case) -> bool:
        """Have the product take it. True: accepted. An error of ``OURS`` or False: refused. Anything else that is
        raised, ``Unexpected`` too, is a defect.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End what was started."""

    @property
    def watched_pid(self) -> int | None:
        """The process whose memory counts, where that is not this one."""
        return None

    def count(self, name: str, number: int = 1) -> None:
        """Add to ``facts``."""
        self.facts[name] = self.facts.get(name, 0) + number


def check_words(words: str, *, where: str, longest: int = LONGEST_WORDS) -> None:
    """Raises ``Unexpected`` when a message tells the canary, steers a terminal or is no message any more."""
    if CANARY in words:
        raise Unexpected(f"{where} tells a secret")
    if len(words) > longest:
        raise Unexpected(f"{where} is {len(words)} characters long: {words[:200]!r}")
    if odd := sorted({char for char in words if not char.isprintable() and char not in "\n\t"}):
        raise Unexpected(f"{where} holds control characters {odd[:5]!r}: {words[:300]!r}")


def seeds_in(folder: Path, name: str, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """Seeds by name: made once for all processes of a campaign, and kept in ``folder``."""
    kept = folder / f"seeds-{name}"
    if not kept.is_dir():
        making = Path(tempfile.mkdtemp(dir=folder))
        for key, data in make().items():
            (making / key).write_bytes(data)
        # of several processes the first one's are kept
        with contextlib.suppress(OSError):
            making.rename(kept)
    return {path.name: path.read_bytes() for path in sorted(kept.iterdir())}


class LogWatch(logging.Handler):
    """Collects what is logged during one case."""

    def __init__(self, is_expected: Callable[[logging.LogRecord], bool] | None) -> None:
        super().__init__(logging.INFO)
        self._is_expected = is_expected
        self.lines = 0
        self.problem: str | None = None

    def begin(self) -> None:
        """A new case."""
        self.lines, self.problem = 0, None

    def emit(self, record: logging.LogRecord) -> None:
        """Count and look at one record; the worst is kept."""
        self.lines += 1
        words = record.getMessage()
        if record.exc_info and not (self._is_expected and self._is_expected(record)):
            self.problem = f"a traceback was logged: {words}: {record.exc_info[1]!r}"[:2000]
            return
        try:
            check_words(words, where=f"a line of the log ({record.name})")
        except Unexpected as error:
            self.problem = self.problem or str(error)


def described(error: BaseException) -> dict[str, Any]:
    """An error as a report has it."""
    return {"type": type(error).__name__, "words": str(error)[:1500]}
