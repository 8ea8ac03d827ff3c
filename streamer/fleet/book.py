"""How the sites of a fleet stand, from what they publish. No threads, no sockets; clocks are passed in.

What a broker sends is not trusted: sizes are bounded, and what is no JSON object is left out.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Any, Final

#: More sites, cameras of a site and open alerts are not followed: anybody who may publish could make them up.
_MOST_SITES: Final = 10_000
_MOST_CAMERAS: Final = 2_000
_MOST_ALERTS: Final = 10_000
_MAX_BYTES: Final = 1_000_000
_LONGEST_TEXT: Final = 200


class SiteState(StrEnum):
    """How a site stands, the worst first."""

    #: the broker says that it is gone: the last will
    OFFLINE = "offline"
    #: it says nothing, and nobody said that it is gone
    SILENT = "silent"
    #: named in fleet.yaml, and never heard of
    UNKNOWN = "unknown"
    #: it is there, and does not watch
    UNREADY = "unready"
    #: it watches, and not every camera
    CAMERAS_DOWN = "cameras down"
    #: it ended by intent
    STOPPED = "stopped"
    #: it watches all its cameras
    ONLINE = "online"


#: What of a site is not as it should be.
BAD: Final = frozenset(SiteState) - {SiteState.ONLINE, SiteState.STOPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """A site at one moment.

    - ``lag_s``: age of the oldest message that waits in its outbox, 0 where none does; None: not told yet.
    - ``age_s``: since it was heard last, None: never. Retained messages tell what was, not that it lives.
    - ``alerts_open``: opened and not ended since we listen.
    """

    broker: str
    prefix: str
    name: str
    state: SiteState
    reason: str
    version: str
    config_revision: str
    cameras: int
    cameras_down: tuple[str, ...]
    alerts_open: int
    lag_s: float | None
    pending: int | None
    age_s: float | None


@dataclass(slots=True)
class _Site:
    broker: str
    prefix: str
    first_s: float
    heard_s: float | None = None
    available: str = ""
    health: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    stats_s: float = 0.0
    cameras: dict[str, str] = field(default_factory=dict)
    alerts: dict[str, None] = field(default_factory=dict)

    @property
    def was_heard(self) -> bool:
        """Whether it ever said how it stands."""
        return bool(self.available or self.health)


class FleetBook:
    """Takes messages from any thread; ``views`` is how all sites stand now.

    ``silent_after_s``: a site that was not heard for so long is silent.
    """

    def __init__(self, *, silent_after_s: float = 150.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._silent_after_s = silent_after_s
        self._clock = clock
        self._lock = Lock()
        self._sites: dict[tuple[str, str], _Site] = {}

    def expect(self, broker: str, prefix: str) -> None:
        """A site that ought to be there, whether it is ever heard or not."""
        with self._lock:
            self._site(broker, prefix)

    def receive(self, broker: str, prefix: str, subtopic: str, payload: bytes, *, retained: bool) -> None:
        """A message of a site, on ``<prefix>/<subtopic>``."""
        if len(payload) > _MAX_BYTES:
            return
        with self._lock:
            site = self._site(broker, prefix)
            if site is None:
                return
            if not retained:
                site.heard_s = self._clock()
            if subtopic == "available":
                site.available = payload[:_LONGEST_TEXT].decode(errors="replace")
            else:
                self._take(site, subtopic, _object(payload))

    def views(self) -> list[SiteView]:
        """All sites, those that stand worst first.

        A prefix is one site, whatever its broker: where it was heard at one, nobody waits for it at another.
        """
        order = list(SiteState)
        with self._lock:
            heard = {site.prefix for site in self._sites.values() if site.was_heard}
            sites = [site for site in self._sites.values() if site.was_heard or site.prefix not in heard]
            views = [self._view(site) for site in sites]
        return sorted(views, key=lambda one: (order.index(one.state), one.name, one.prefix))

    def view_of(self, prefix: str) -> SiteView | None:
        """One site by its prefix, whatever its broker."""
        return next((one for one in self.views() if one.prefix == prefix), None)

    def _site(self, broker: str, prefix: str) -> _Site | None:
        site = self._sites.get((broker, prefix))
        if site is None and len(self._sites) < _MOST_SITES:
            site = self._sites[broker, prefix] = _Site(broker, prefix, self._clock())
        return site

    def _take(self, site: _Site, subtopic: str, message: dict[str, Any] | None) -> None:
        levels = subtopic.split("/")
        if levels[0] == "cameras" and len(levels) == 3 and levels[2] == "status":
            if message is None:
                # taken off the broker: the camera is no more
                site.cameras.pop(levels[1], None)
            elif levels[1] in site.cameras or len(site.cameras) < _MOST_CAMERAS:
                site.cameras[levels[1]] = _text(message.get("state"))
        elif message is None:
            return
        elif subtopic == "health":
            site.health = message
        elif subtopic == "stats":
            site.stats, site.stats_s = message, self._clock()
        elif subtopic == "alerts":
            alert_id = _text(message.get("alert_id"))
            if message.get("type") == "end":
                site.alerts.pop(alert_id, None)
            elif len(site.alerts) < _MOST_ALERTS:
                site.alerts[alert_id] = None

    def _view(self, site: _Site) -> SiteView:
        now_s = self._clock()
        outbox = site.stats.get("outbox")
        outbox = outbox if isinstance(outbox, dict) else {}
        lag_s = outbox.get("oldest_pending_age_s", None if not outbox else 0.0)
        down = tuple(
            sorted(name for name, state in site.cameras.items() if state not in {"online", "disabled"})
        )
        state = self._state(site, down, now_s)
        return SiteView(
            broker=site.broker,
            prefix=site.prefix,
            name=_text(site.health.get("site")) or site.prefix.rsplit("/", 1)[-1],
            state=state,
            reason=_reason(site, state),
            version=_text(site.health.get("version")),
            config_revision=_text(site.health.get("config_revision")),
            cameras=len(site.cameras),
            cameras_down=down,
            alerts_open=len(site.alerts),
            lag_s=_number(lag_s) if lag_s is not None else (0.0 if outbox else None),
            pending=int(_number(outbox.get("pending"))) if outbox else None,
            age_s=None if site.heard_s is None else max(0.0, now_s - site.heard_s),
        )

    def _state(self, site: _Site, down: tuple[str, ...], now_s: float) -> SiteState:
        if not site.was_heard:
            return SiteState.UNKNOWN
        if site.available == "stopped":
            return SiteState.STOPPED
        if site.available == "offline":
            return SiteState.OFFLINE
        # retained words may be old: who is never heard is given as long as one who was
        heard_s = site.first_s if site.heard_s is None else site.heard_s
        if now_s - heard_s > self._silent_after_s:
            return SiteState.SILENT
        if site.health.get("state") != "ready":
            return SiteState.UNREADY
        return SiteState.CAMERAS_DOWN if down else SiteState.ONLINE


def _reason(site: _Site, state: SiteState) -> str:
    if state in {SiteState.UNREADY, SiteState.STOPPED} or site.health.get("reason"):
        words = [_text(site.health.get(key)) for key in ("state", "reason", "detail")]
        return ": ".join(word for word in words if word)
    return ""


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: Any) -> str:
    # JSON can escape half of a character, which no page and no terminal can be sent
    return value[:_LONGEST_TEXT].encode(errors="replace").decode() if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e15 else 0.0


def worst(views: Iterable[SiteView]) -> list[SiteView]:
    """Those that are not as they should be."""
    return [view for view in views if view.state in BAD]
