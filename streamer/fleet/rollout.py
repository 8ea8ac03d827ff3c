"""Changes go through a fleet in waves, and each wave waits until every site of the last one runs what it was given."""

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from streamer.errors import StreamerError
from streamer.fleet.book import FleetBook, SiteState, SiteView
from streamer.fleet.folder import written

#: A hook that takes longer hangs.
_HOOK_S: Final = 600.0
_LOOK_EVERY_S: Final = 0.2
_LONGEST_WORDS: Final = 400

#: Of these a site can be given anything: it is there, and watches what it can reach.
_TAKES: Final = frozenset({SiteState.ONLINE, SiteState.CAMERAS_DOWN})


class RolloutError(StreamerError):
    """A rollout stopped; the message says at which site and why."""


class Step(StrEnum):
    """What became of a site."""

    UNCHANGED = "unchanged"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    NOT_ROLLED_BACK = "NOT rolled back"
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One site's change.

    - ``prefix``: its topics. ``target`` and ``text``: the file and what it shall hold; None: no file changes.
    - ``hooks``: commands, in their order, each a list of words. ``back``: those that undo them; none for a version: it
      is not known which one ran before.
    - ``revision``, ``version``: what it must say then; None: whatever it says.
    """

    site: str
    prefix: str
    target: Path | None = None
    text: str | None = None
    hooks: Sequence[Sequence[str]] = ()
    back: Sequence[Sequence[str]] = ()
    revision: str | None = None
    version: str | None = None


@dataclass(slots=True)
class RolloutReport:
    """What became of each site, and why the rollout stopped (empty: it did not)."""

    steps: dict[str, Step] = field(default_factory=dict)
    stopped: str = ""


@dataclass(slots=True)
class _Before:
    """What a site ran before it was changed."""

    text: str | None
    revision: str
    version: str
    cameras_down: int


class Rollout:
    """Carries changes out. ``answered`` is to be told what sites answer to a reload; from any thread.

    - ``within_s``: for a site to say that it runs what it was given. ``hold_s``: for a wave to stay healthy after that.
    - ``tell``: hears in words what is done.
    """

    def __init__(
        self,
        book: FleetBook,
        *,
        within_s: float,
        hold_s: float,
        tell: Callable[[str], None],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._book = book
        self._within_s = within_s
        self._hold_s = hold_s
        self._tell = tell
        self._environ = dict(os.environ if environ is None else environ)
        self._refusals: dict[str, str] = {}
        self._lock = threading.Lock()
        self._before: dict[str, _Before] = {}

    def answered(self, prefix: str, payload: bytes) -> None:
        """A site has answered a reload: a refusal is known at once, not only after ``within_s``."""
        try:
            answer = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if isinstance(answer, dict) and answer.get("ok") is False:
            error = answer.get("error")
            with self._lock:
                # what is no text may be nested too deeply to be written as one
                self._refusals[prefix] = (
                    error[:_LONGEST_WORDS] if isinstance(error, str) else "it does not say why"
                )

    def would_change(self, change: Change) -> bool:
        """Whether a site does not yet run what it is to run."""
        view = self._book.view_of(change.prefix)
        same_file = change.target is None or written(change.target) == change.text
        return not (same_file and view is not None and _runs(view, change))

    def run(self, waves: Sequence[Sequence[Change]]) -> RolloutReport:
        """Change one wave after the other. At the first site that is unhealthy, or whose file cannot be
        read or written, its wave is rolled back, and the rest is not begun.

        So it is when it is ended from outside, by Ctrl-C say, which then goes on its way.
        """
        report = RolloutReport({change.site: Step.NOT_BEGUN for wave in waves for change in wave})
        for number, wave in enumerate(waves, start=1):
            self._tell(f"wave {number} of {len(waves)}: {', '.join(change.site for change in wave)}")
            begun: list[Change] = []
            try:
                for change in wave:
                    with _at(change.site):
                        self._begin(change, begun, report)
                for change in begun:
                    self._wait(change)
                self._hold(begun)
            except RolloutError as error:
                report.stopped = str(error)
                self._tell(f"stopped: {error}")
                self._roll_back(begun, report)
                return report
            except BaseException:
                self._tell("ended before the wave was done")
                self._roll_back(begun, report)
                raise
            for change in begun:
                report.steps[change.site] = Step.DONE
        return report

    def _begin(self, change: Change, begun: list[Change], report: RolloutReport) -> None:
        view = self._book.view_of(change.prefix)
        if view is None or view.state not in _TAKES:
            state = "unknown" if view is None else f"{view.state} {view.reason}".strip()
            raise RolloutError(f"{change.site}: is {state} before anything was changed")
        now = None if change.target is None else written(change.target)
        if not self.would_change(change):
            report.steps[change.site] = Step.UNCHANGED
            return
        self._before[change.site] = _Before(now, view.config_revision, view.version, len(view.cameras_down))
        with self._lock:
            self._refusals.pop(change.prefix, None)
        begun.append(change)
        report.steps[change.site] = Step.FAILED
        if change.target is not None and change.text is not None:
            _write(change.target, change.text)
        self._call(change.site, change.hooks)

    def _wait(self, change: Change) -> None:
        end_s = time.monotonic() + self._within_s
        while True:
            view = self._book.view_of(change.prefix)
            with self._lock:
                refusal = self._refusals.get(change.prefix)
            if refusal is not None:
                raise RolloutError(f"{change.site}: refused the reload: {refusal}")
            if view is not None and view.state in _TAKES and _runs(view, change):
                self._tell(f"{change.site}: runs it")
                return
            if time.monotonic() > end_s:
                raise RolloutError(
                    f"{change.site}: does not say within {self._within_s:g} s that it runs it; {_stands(view)}"
                )
            time.sleep(_LOOK_EVERY_S)

    def _hold(self, begun: Sequence[Change]) -> None:
        """All sites of a wave stay as they are for a while: watching, and no more cameras down than before."""
        if not begun:
            return
        end_s = time.monotonic() + self._hold_s
        while time.monotonic() < end_s:
            for change in begun:
                view = self._book.view_of(change.prefix)
                if view is None or view.state not in _TAKES or not _runs(view, change):
                    raise RolloutError(f"{change.site}: became unhealthy; {_stands(view)}")
            time.sleep(min(_LOOK_EVERY_S, self._hold_s))
        for change in begun:
            view = self._book.view_of(change.prefix)
            before = self._before[change.site].cameras_down
            if view is not None and len(view.cameras_down) > before:
                raise RolloutError(
                    f"{change.site}: {len(view.cameras_down)} cameras are down, {before} were before"
                )

    def _roll_back(self, begun: Sequence[Change], report: RolloutReport) -> None:
        for change in begun:
            report.steps[change.site] = Step.NOT_ROLLED_BACK
            try:
                with _at(change.site):
                    self._undo(change, self._before[change.site])
            except RolloutError as error:
                self._tell(f"could not be rolled back: {error}")
            else:
                report.steps[change.site] = Step.ROLLED_BACK
                self._tell(f"{change.site}: rolled back")

    def _undo(self, change: Change, before: _Before) -> None:
        if change.version is not None and not (change.back and before.version):
            raise RolloutError(f"{change.site}: which version it ran before is not known")
        if change.target is not None:
            if before.text is None:
                change.target.unlink(missing_ok=True)
            else:
                _write(change.target, before.text)
        with self._lock:
            self._refusals.pop(change.prefix, None)
        self._call(change.site, change.back)
        if before.text is not None or change.version is not None:
            self._wait(_undone(change, before))

    def _call(self, site: str, hooks: Sequence[Sequence[str]]) -> None:
        for words in hooks:
            try:
                done = subprocess.run(
                    list(words),
                    check=False,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=_HOOK_S,
                    env=self._environ,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise RolloutError(f"{site}: {words[0]}: {type(error).__name__}") from error
            if done.returncode:
                said = (done.stderr or done.stdout).strip()[-_LONGEST_WORDS:]
                raise RolloutError(f"{site}: {words[0]} ended with {done.returncode}: {said}")


@contextlib.contextmanager
def _at(site: str) -> Iterator[None]:
    """A file that cannot be read or written is a rollout that stops at this site."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise RolloutError(f"{site}: {error}") from error


def _undone(change: Change, before: _Before) -> Change:
    """What a site must say once it runs again what it ran before."""
    revision = before.revision if change.revision is not None else None
    version = before.version if change.version is not None else None
    return Change(site=change.site, prefix=change.prefix, revision=revision or None, version=version)


def _runs(view: SiteView, change: Change) -> bool:
    revision = change.revision is None or view.config_revision == change.revision
    return revision and (change.version is None or view.version == change.version)


def _stands(view: SiteView | None) -> str:
    if view is None:
        return "it was never heard"
    told = (
        f"it is {view.state}, version {view.version or '?'}, configuration {view.config_revision[:15] or '?'}"
    )
    return f"{told} {view.reason}".strip()


def _write(path: Path, text: str) -> None:
    """Whole or not at all, readable by whom the file before was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(text.encode(errors="surrogateescape"))
        partial.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o640)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
