"""Takes what people say of alerts, keeps the frames for it, and keeps the rules in step with the suppression areas."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from rules import AreaPolicy, Suppression, SuppressionArea
from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import encode_json, utc_iso
from streamer.errors import StreamerError
from streamer.feedback.areas import StoredArea
from streamer.feedback.example import Example
from streamer.feedback.example_store import ExampleLimits
from streamer.feedback.store import Consequence, Place
from streamer.feedback.words import read_ack, read_feedback

_log = logging.getLogger(__name__)

SCHEMA: Final = 1
_RETENTION_S: Final = 60.0


class RefusedError(StreamerError):
    """A command that cannot be carried out; the message is the answer."""


class FeedbackDesk:
    """Every method may be called from any thread.

    - ``on_areas(camera)``: the areas of a camera changed; read them by ``areas_of``.
    - ``announce(subtopic, payload)``: tells subscribers, once.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        policy: AreaPolicy,
        limits: ExampleLimits,
        on_areas: Callable[[str], None] = lambda _camera: None,
        announce: Callable[[str, bytes], None] = lambda _subtopic, _payload: None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self.policy = policy
        self.limits = limits
        self._on_areas = on_areas
        self._announce = announce
        self._wall_clock = wall_clock
        self._clock = clock
        self._next_retention_s = 0.0
        self._seen: tuple[int, int] | None = None
        self._cameras: set[str] = set()
        self.examples_lost = 0

    # -- what people say ----------------------------------------------------------------------------

    def acknowledge(self, alert_id: str, payload: bytes) -> dict[str, Any]:
        """Note that somebody has seen an alert; returns the answer. Raises ``RefusedError``."""
        try:
            note = read_ack(alert_id, payload, self._wall_clock())
            self._place_of(alert_id)
            self._outbox.feedback.acknowledge(note)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        except OutboxError as error:
            raise RefusedError(f"cannot be kept: {error}") from error
        _log.info("alert %s acknowledged", alert_id)
        return {"alert_id": alert_id, "by": note.by}

    def judge(self, alert_id: str, payload: bytes) -> dict[str, Any]:
        """Note whether an alert was right, and learn from it; returns the answer. Raises ``RefusedError``."""
        try:
            note = read_feedback(alert_id, payload, self._wall_clock())
            done = self._outbox.feedback.judge(note, self._place_of(alert_id), self.policy)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        except OutboxError as error:
            raise RefusedError(f"cannot be kept: {error}") from error
        _log.info("alert %s was judged: %s %s", alert_id, note.verdict, note.what)
        self._tell(done)
        answer: dict[str, Any] = {"alert_id": alert_id, "verdict": note.verdict, "what": note.what}
        if done.made is not None:
            answer["suppression"] = done.made.as_dict()
        return answer

    def remove_area(self, area_id: str) -> dict[str, Any]:
        """Take a suppression area away; returns the answer. Raises ``RefusedError``."""
        try:
            area = self._outbox.feedback.remove_area(area_id)
        except OutboxError as error:
            raise RefusedError(f"cannot be removed: {error}") from error
        if area is None:
            raise RefusedError("there is no such suppression area")
        self._tell(Consequence(removed=(area,)))
        return {"area_id": area_id}

    # -- what the daemon does with it ---------------------------------------------------------------

    def keep(self, alert_id: str, example: Example | None) -> None:
        """Keep the frame of an alert, if there is one, until a verdict comes."""
        if example is None:
            return
        try:
            kept = self._outbox.examples.keep(alert_id, example, self.limits, at=self._wall_clock())
        except OutboxError as error:
            kept = False
            _log.error("the frame of alert %s is not kept: %s", alert_id, error)
        self.examples_lost += not kept

    def note_held(self, camera_id: str, episodes: Sequence[Suppression]) -> None:
        """Episodes that areas of a camera held back: counted, logged and kept with their traces."""
        for held in episodes:
            _log.info(
                "camera %s: rule %s held back in suppression area %s (track %d)",
                *(camera_id, held.rule, held.because_of, held.track_id),
            )
        try:
            self._outbox.feedback.note_held(episodes)
        except OutboxError as error:
            _log.error("episodes that were held back cannot be noted: %s", error)

    def areas_of(self, camera_id: str) -> tuple[SuppressionArea, ...]:
        """What the rules of a camera have to go by; none when they cannot be read."""
        try:
            return tuple(area.for_rules() for area in self._outbox.feedback.areas(camera_id))
        except OutboxError as error:
            # to alarm once too often is better than not to
            _log.error("the suppression areas of %s cannot be read: %s", camera_id, error)
            return ()

    def states(self, cameras: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Retained topics, below the prefix, with the areas of those of ``cameras`` that have or had any.

        Raises ``OutboxError``.
        """
        by_camera: dict[str, list[StoredArea]] = {}
        for area in self._outbox.feedback.areas():
            by_camera.setdefault(area.camera, []).append(area)
        self._cameras |= set(by_camera)
        for camera in sorted(self._cameras.intersection(cameras)):
            message = {
                "schema": SCHEMA,
                "camera": camera,
                "areas": [area.as_dict() for area in by_camera.get(camera, [])],
            }
            yield f"cameras/{camera}/suppressions", encode_json(message)

    def housekeeping(self) -> None:
        """Call this about once a second: expires areas, keeps within the limits, learns what others have changed."""
        try:
            store = self._outbox.feedback
            # another process may have removed areas; and a database that was damaged has given way to another
            seen = (id(store), store.changed_elsewhere())
            if self._seen is not None and seen != self._seen:
                for camera in self._cameras | {area.camera for area in store.areas()}:
                    self._on_areas(camera)
            self._seen = seen
            at = self._wall_clock()
            expired = store.expire(at)
            if expired:
                self._tell(Consequence(removed=tuple(expired)), why="expired")
            if self._clock() >= self._next_retention_s:
                removed = self._outbox.examples.enforce(self.limits, at=at)
                removed += store.forget(before=at - self.limits.age_s)
                self._next_retention_s = self._clock() + (1.0 if removed else _RETENTION_S)
        except OutboxError as error:
            _log.error("feedback cannot be kept in order: %s", error)
            self._next_retention_s = self._clock() + _RETENTION_S

    def _place_of(self, alert_id: str) -> Place:
        messages = self._outbox.messages_of(alert_id)
        if not messages:
            raise ValueError("there is no such alert")
        return Place.of_message(json.loads(messages[0].body))

    def _tell(self, done: Consequence, *, why: str = "removed") -> None:
        """Say what became of areas: in the log, to subscribers, and to the rules."""
        for area in done.removed:
            _log.warning(
                "camera %s: suppression area %s %s (rule %s)", area.camera, area.area_id, why, area.rule
            )
            self._event(why, area)
        if done.made is not None:
            area = done.made
            _log.warning(
                "camera %s: %d false alarms of rule %s at one place: suppression area %s until %s",
                *(area.camera, len(area.alert_ids), area.rule, area.area_id, utc_iso(area.expires_at)),
            )
            self._event("made", area)
        changed = {area.camera for area in (*done.removed, done.made) if area is not None}
        self._cameras |= changed
        for camera in sorted(changed):
            self._on_areas(camera)

    def _event(self, kind: str, area: StoredArea) -> None:
        message = {"schema": SCHEMA, "type": kind, "at": utc_iso(self._wall_clock()), "area": area.as_dict()}
        self._announce("suppressions", encode_json(message))
