"""Names of episodes: ULIDs (sortable by time, safe in topics and file names)."""

from hashlib import sha256

from ulid import ULID

from rules import Violation


def random_alert_id(violation: Violation) -> str:
    """The time at which the episode was confirmed, and chance: unique over restarts and sites."""
    return str(ULID.from_timestamp(violation.confirmed_at))


def repeatable_alert_id(violation: Violation) -> str:
    """The time at which the episode was confirmed, and its ``violation_id``: the same on every replay."""
    milliseconds = max(0, round(violation.confirmed_at * 1000))
    rest = sha256(violation.violation_id.encode()).digest()[:10]
    return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + rest))
