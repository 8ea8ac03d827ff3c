"""Who carries out what is changed on the page of a camera's zones. Any thread may call."""

import logging
import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Final, Protocol

from config.site_edit import CameraWish, ZoneWish
from rules import CameraEngine, SuppressionArea
from streamer.reloads import Reloads
from streamer.zone_editor.errors import BusyError, ConflictError, ZoneEditError
from streamer.zone_editor.recent_looks import RecentLooks
from streamer.zone_editor.site_file import SiteFile
from streamer.zone_editor.trial import alerts_of
from streamer.zone_editor.values import EditorRule, EditorState, SaveReport, TrialReport, Wish
from streamer.zone_editor.versions import Versions

_log = logging.getLogger(__name__)

#: Cameras are let go one after the other; an answer must come before the web server cuts the connection.
_RELOAD_S: Final = 45.0


class SiteReader(Protocol):
    """What the text of a site's file means; ``streamer.site_text.SiteText`` is one. All raise ``WrongWishError``."""

    def usable(self, raw: bytes) -> object:
        """Nothing but an error where the daemon could not go by this text."""
        ...

    def edited(self, raw: bytes, wish: CameraWish) -> bytes:
        """The text with a wish in it that the daemon can go by."""
        ...

    def cameras(self) -> list[str]:
        """Those that the daemon watches."""
        ...

    def is_in_force(self, raw: bytes) -> bool:
        """Whether the daemon goes by this text."""
        ...

    def zones(self, raw: bytes, camera_id: str) -> tuple[ZoneWish, ...]:
        """The zones of a camera."""
        ...

    def rules(self, raw: bytes, camera_id: str) -> tuple[EditorRule, ...]:
        """All rules, as they can be changed at a camera."""
        ...

    def differences(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """What differs, in words."""
        ...

    def engine(self, camera_id: str, raw: bytes | None = None) -> CameraEngine:
        """The rules of a camera by a text, or those in force, begun anew."""
        ...

    def untold(self, raw: bytes, camera_id: str, at: float) -> list[str]:
        """What past looks cannot tell of the rules in a text."""
        ...

    def gear(self) -> tuple[str, ...]:
        """What a rule can require."""
        ...


class ZoneEditor:
    """Reads, tries and writes. One trial and one change at a time; ``BusyError`` for the others.

    - ``areas_of``: the suppression areas of a camera, which hold for a trial too.
    - ``wall_clock``: UTC epoch s, dates the versions.
    """

    def __init__(
        self,
        *,
        file: SiteFile,
        site: SiteReader,
        versions: Versions,
        looks: RecentLooks,
        reloads: Reloads,
        areas_of: Callable[[str], Iterable[SuppressionArea]],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._site = site
        self._versions = versions
        self._looks = looks
        self._reloads = reloads
        self._areas_of = areas_of
        self._wall_clock = wall_clock
        self._trying = Lock()
        self._changing = Lock()

    def state(self, camera_id: str) -> EditorState | None:
        """What can be changed at a camera; None: there is no such camera. Raises ``ZoneEditError``."""
        if camera_id not in self._site.cameras():
            return None
        raw = self._file.read()
        warning = self._file.trouble()
        zones, rules = self._site.zones(raw, camera_id), self._site.rules(raw, camera_id)
        if not self._site.is_in_force(raw):
            warning = (
                warning
                or "the file has been changed since the daemon read it; saving puts all of it into force"
            )
        return EditorState(
            camera=camera_id,
            revision=self._file.revision(raw),
            zones=zones,
            rules=rules,
            gear=self._site.gear(),
            versions=self._versions.all(),
            warning=warning,
        )

    def try_out(self, camera_id: str, wish: Wish) -> TrialReport:
        """What a wish would have said of the last minute. Nothing is written. Raises ``ZoneEditError``."""
        with _Turn(self._trying, "somebody else is just trying something"):
            after = self._site.edited(self._unchanged(wish.revision), _camera_wish(camera_id, wish))
            looks = self._looks.of(camera_id)
            if not looks:
                raise ZoneEditError("nothing was seen at this camera in the last minute")
            until = looks[-1].captured_at
            areas = list(self._areas_of(camera_id))
            engines = [self._site.engine(camera_id, after), self._site.engine(camera_id)]
            for engine in engines:
                engine.set_areas(areas)
            alerts, present = (alerts_of(engine, looks) for engine in engines)
            return TrialReport(
                since=looks[0].captured_at,
                until=until,
                looks=len(looks),
                alerts=alerts,
                present=present,
                notes=tuple(self._site.untold(after, camera_id, until)),
            )

    def save(self, camera_id: str, wish: Wish) -> SaveReport:
        """Write a wish into the file and have it reloaded. Raises ``ZoneEditError``; nothing is changed then."""
        with _Turn(self._changing, "another change is just being saved"):
            before = self._unchanged(wish.revision)
            after = self._site.edited(before, _camera_wish(camera_id, wish))
            return self._write(before, after)

    def bring_back(self, version: str, revision: str) -> SaveReport | None:
        """Make the file what it was, and have it reloaded; None: there is no such version. Raises ``ZoneEditError``."""
        with _Turn(self._changing, "another change is just being saved"):
            after = self._versions.read(version)
            if after is None:
                return None
            before = self._unchanged(revision)
            self._site.usable(after)
            return self._write(before, after)

    def _unchanged(self, revision: str) -> bytes:
        raw = self._file.read()
        if self._file.revision(raw) != revision:
            raise ConflictError("the file has changed since this page was opened")
        return raw

    def _write(self, before: bytes, after: bytes) -> SaveReport:
        changes = self._site.differences(before, after)
        if before != after:
            what = "; ".join(changes) or "nothing that the settings tell"
            version = self._versions.keep(before, like=self._file.path, what=what, at=self._wall_clock())
            try:
                self._file.replace(after, expected=self._file.revision(before))
            except ZoneEditError:
                self._versions.forget(version)
                raise
            _log.info("the site's file was changed from the dashboard: %s", what)
        outcome = self._reloads.ask(_RELOAD_S)
        error = "the daemon has not answered yet" if outcome is None else outcome.error or ""
        return SaveReport(
            revision=self._file.revision(after), changes=changes, in_force=not error, error=error
        )


class _Turn:
    """A lock that is not waited for: ``BusyError``, which says ``why``."""

    def __init__(self, lock: Lock, why: str) -> None:
        self._lock = lock
        self._why = why

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise BusyError(f"{self._why}: try again in a moment")

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _camera_wish(camera_id: str, wish: Wish) -> CameraWish:
    return CameraWish(camera=camera_id, zones=wish.zones, rules=wish.rules, removed_rules=wish.removed_rules)
