"""Person-seconds as rows of a table, and by hour of the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from streamer.history.buckets import Bucket, PersonSeconds, Place
from streamer.history.grouping import Period
from streamer.web.status import UtcTime


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceRow:
    """The person-seconds of one gear in one place over one period.

    ``worn_share`` is that of the time in which it could be told; it never goes without ``unknown_share``, the part of
    all time in which nobody could.
    """

    since: UtcTime
    until: UtcTime
    period: str
    camera: str
    zone: str | None
    gear: str
    worn_s: float
    missing_s: float
    incorrect_s: float
    unknown_s: float
    worn_share: float | None
    unknown_share: float | None


def row_of(period: Period, place: Place, seconds: PersonSeconds) -> ComplianceRow:
    """One place over one period."""
    return ComplianceRow(
        since=period.since,
        until=period.until,
        period=period.name,
        camera=place.camera,
        zone=place.zone or None,
        gear=place.gear,
        worn_s=round(seconds.worn_s, 1),
        missing_s=round(seconds.missing_s, 1),
        incorrect_s=round(seconds.incorrect_s, 1),
        unknown_s=round(seconds.unknown_s, 1),
        worn_share=_rounded(seconds.worn_share),
        unknown_share=_rounded(seconds.unknown_share),
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def by_hour_of_day(buckets: Sequence[Bucket], zone: ZoneInfo) -> list[tuple[int, dict[str, PersonSeconds]]]:
    """The sums of each gear over all places by hour of the local day, 0 to 23; whole cameras alone, which hold their
    zones.
    """
    sums: list[dict[str, PersonSeconds]] = [{} for _ in range(24)]
    for bucket in buckets:
        hour = sums[datetime.fromtimestamp(bucket.starts_at, UTC).astimezone(zone).hour]
        if not bucket.place.zone:
            hour[bucket.place.gear] = hour.get(bucket.place.gear, PersonSeconds()) + bucket.seconds
    return list(enumerate(sums))
