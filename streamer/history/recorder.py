"""From counts that grow, and start over, to what was added in each quarter of an hour."""

from collections.abc import Iterable, Mapping, Sequence

from rules import Compliance
from streamer.history.buckets import Bucket, PersonSeconds, Place, bucket_start


class ComplianceRecorder:
    """Takes the counts of all cameras every few seconds and gives what was added to each bucket. No clock, no file.

    Counts start over with a shift, with a camera's new rules and with the process; whatever is lower than before has
    begun anew.
    """

    def __init__(self) -> None:
        self._before: dict[Place, tuple[float, PersonSeconds]] = {}
        self._added: dict[tuple[int, Place], PersonSeconds] = {}

    def take(self, counts: Mapping[str, Sequence[Compliance]], at: float) -> None:
        """The counts by camera at ``at``, UTC epoch seconds: what was added falls into the bucket of that moment."""
        start = bucket_start(at)
        for camera_id, reports in counts.items():
            for report in reports:
                place = Place(camera_id, report.zone or "", str(report.gear))
                now = PersonSeconds(report.worn_s, report.missing_s, report.incorrect_s, report.unknown_s)
                added = now - self._base(place, report.since, now)
                self._before[place] = report.since, now
                if not added.is_nothing:
                    key = start, place
                    self._added[key] = self._added.get(key, PersonSeconds()) + added

    def flush(self) -> list[Bucket]:
        """What was added since the last flush; the caller keeps it."""
        added, self._added = self._added, {}
        return [Bucket(start, place, seconds) for (start, place), seconds in added.items()]

    def put_back(self, buckets: Iterable[Bucket]) -> None:
        """Take what a flush gave and could not be kept: the next flush gives it again."""
        for bucket in buckets:
            key = bucket.starts_at, bucket.place
            self._added[key] = self._added.get(key, PersonSeconds()) + bucket.seconds

    def _base(self, place: Place, since: float, now: PersonSeconds) -> PersonSeconds:
        known_since, before = self._before.get(place, (since, PersonSeconds()))
        grown = now - before
        began_anew = min(grown.worn_s, grown.missing_s, grown.incorrect_s, grown.unknown_s) < 0
        return PersonSeconds() if since != known_since or began_anew else before
