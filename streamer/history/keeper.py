"""Keeps the history while the daemon runs."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from rules import Compliance
from streamer.history.errors import HistoryError
from streamer.history.recorder import ComplianceRecorder
from streamer.history.store import ComplianceHistory

_log = logging.getLogger(__name__)

#: How often what was counted goes to the disk; so much is lost when the power fails.
_FLUSH_EVERY_S: Final = 10.0
_CLEAN_EVERY_S: Final = 3600.0


class HistoryKeeper:
    """Takes the counts of all cameras and stores what was added. One thread at a time uses it.

    ``keep_s``: buckets older than this are removed. Where storing fails the log says so, once until it works again, and
    what was counted waits in memory: a few numbers for each zone and quarter of an hour.
    """

    def __init__(self, history: ComplianceHistory, *, keep_s: float) -> None:
        self._history = history
        self._keep_s = keep_s
        self._recorder = ComplianceRecorder()
        self._flushed_at: float | None = None
        self._cleaned_at: float | None = None
        self._failing = False

    def take(self, counts: Mapping[str, Sequence[Compliance]], at: float) -> None:
        """The counts by camera at ``at``, UTC epoch seconds; a clock that was put back does no harm."""
        self._recorder.take(counts, at)
        if self._flushed_at is None:
            self._flushed_at = at
        if abs(at - self._flushed_at) >= _FLUSH_EVERY_S:
            self._flushed_at = at
            self.flush()
        if self._cleaned_at is None or abs(at - self._cleaned_at) >= _CLEAN_EVERY_S:
            self._cleaned_at = at
            self._clean(at)

    def flush(self) -> None:
        """Store what was counted since the last time."""
        buckets = self._recorder.flush()
        try:
            self._history.add(buckets)
        except HistoryError as error:
            self._recorder.put_back(buckets)
            if not self._failing:
                _log.error("the history of compliance waits in memory: %s", error)
            self._failing = True
            return
        if self._failing:
            _log.warning("the history of compliance is stored again")
        self._failing = False

    def _clean(self, at: float) -> None:
        try:
            self._history.remove_before(at - self._keep_s)
        except HistoryError as error:
            _log.error("old history of compliance stays: %s", error)
