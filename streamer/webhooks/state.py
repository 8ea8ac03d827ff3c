"""How delivery to one webhook stands, for status page, metrics and messages."""

from dataclasses import dataclass
from enum import StrEnum


class WebhookState(StrEnum):
    """What a target does with what it is sent."""

    #: nothing was sent since the start
    IDLE = "idle"
    OK = "ok"
    #: it is tried again
    FAILING = "failing"
    #: it answered 410 Gone: not tried again before the next reload
    GONE = "gone"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookCondition:
    """One target. Counts are since the start, ``dropped`` over the target's life.

    - ``address`` is without what is secret; ``reason`` is a code (``posting.Verdict``), ``detail`` the same in words.
    - ``since``: UTC epoch s, when ``state`` or ``reason`` changed last.
    - ``waiting`` events, the oldest for ``oldest_age_s``; ``next_attempt_s`` from now, None when nothing is put off.
    """

    name: str
    address: str
    state: WebhookState = WebhookState.IDLE
    reason: str = ""
    detail: str = ""
    since: float
    waiting: int = 0
    oldest_age_s: float | None = None
    next_attempt_s: float | None = None
    delivered: int = 0
    failed_attempts: int = 0
    dropped: int = 0
    last_delivered_at: float | None = None
