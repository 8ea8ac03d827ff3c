"""How sites stand, from what they publish; the clock is the test's."""

import json

from hypothesis import given
from hypothesis import strategies as st

from streamer.fleet.book import FleetBook, SiteState
from streamer.fleet.table import fleet_json, fleet_lines


class Clock:
    """Stands still until it is set."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def _book():
    clock = Clock()
    return FleetBook(silent_after_s=60.0, clock=clock), clock


def _hear(book, subtopic, message, *, prefix="ppewatch/north", retained=False):
    payload = message.encode() if isinstance(message, str) else json.dumps(message).encode()
    book.receive("main", prefix, subtopic, payload, retained=retained)


def _ready(book, **kwargs):
    _hear(book, "available", "online", **kwargs)
    _hear(
        book,
        "health",
        {"site": "north", "state": "ready", "version": "1.2", "config_revision": "sha256:ab"},
        **kwargs,
    )


def _one(book):
    (view,) = book.views()
    return view


def test_a_site_that_watches_all_its_cameras_is_online():
    book, clock = _book()
    _ready(book)
    _hear(book, "cameras/gate/status", {"state": "online"})
    _hear(book, "cameras/off/status", {"state": "disabled"})
    _hear(book, "stats", {"outbox": {"pending": 3, "oldest_pending_age_s": 7.5}})
    clock.now_s += 5
    view = _one(book)
    assert (view.state, view.name, view.version, view.config_revision) == (
        SiteState.ONLINE,
        "north",
        "1.2",
        "sha256:ab",
    )
    assert (view.cameras, view.cameras_down, view.lag_s, view.pending, view.age_s) == (2, (), 7.5, 3, 5.0)


def test_states_from_the_last_will_to_a_camera():
    book, clock = _book()
    book.expect("main", "ppewatch/north")
    assert _one(book).state is SiteState.UNKNOWN
    _ready(book)
    _hear(book, "cameras/gate/status", {"state": "stalled"})
    assert _one(book).state is SiteState.CAMERAS_DOWN
    assert _one(book).cameras_down == ("gate",)
    _hear(book, "health", {"state": "unready", "reason": "models_not_ready", "detail": "built anew"})
    assert (_one(book).state, _one(book).reason) == (
        SiteState.UNREADY,
        "unready: models_not_ready: built anew",
    )
    clock.now_s += 61
    assert _one(book).state is SiteState.SILENT
    _hear(book, "available", "stopped")
    assert _one(book).state is SiteState.STOPPED
    _hear(book, "available", "offline")
    assert _one(book).state is SiteState.OFFLINE


def test_what_a_broker_kept_says_nothing_of_now():
    book, clock = _book()
    _ready(book, retained=True)
    assert (_one(book).state, _one(book).age_s) == (SiteState.ONLINE, None)
    clock.now_s += 61
    assert _one(book).state is SiteState.SILENT


def test_alerts_are_open_until_they_end_and_cameras_there_until_they_are_taken_away():
    book, _ = _book()
    _ready(book)
    for kind, alert_id in (("new", "a"), ("new", "b"), ("update", "a"), ("end", "b"), ("end", "unknown")):
        _hear(book, "alerts", {"type": kind, "alert_id": alert_id})
    assert _one(book).alerts_open == 1
    _hear(book, "cameras/gate/status", {"state": "refused"})
    _hear(book, "cameras/gate/status", "")
    assert _one(book).cameras == 0


def test_the_worst_come_first_and_the_table_counts_all():
    book, _ = _book()
    _ready(book)
    _hear(book, "cameras/gate/status", {"state": "online"})
    for name, word in (("south", "offline"), ("east", "stopped")):
        _hear(book, "available", word, prefix=f"ppewatch/{name}")
    views = book.views()
    assert [view.name for view in views] == ["south", "east", "north"]
    lines = fleet_lines(views)
    assert lines[0].split()[:4] == ["site", "state", "version", "config"]
    assert lines[-1] == "3 sites, 1 not as they should be; 1 cameras, 0 down; 0 alerts open"
    told = fleet_json(views)
    assert told["by_state"] == {"offline": 1, "stopped": 1, "online": 1}
    assert json.loads(json.dumps(told)) == told


def test_a_site_steers_no_terminal():
    book, _ = _book()
    _hear(book, "available", "online")
    _hear(book, "health", {"site": "\x1b[2Jgone", "state": "\x07ready"})
    assert not any(ord(char) < 32 for line in fleet_lines(book.views()) for char in line)


def test_half_a_character_is_none():
    book, _ = _book()
    book.receive("main", "p", "available", b"online", retained=False)
    book.receive(
        "main", "p", "health", b'{"site": "a\\ud800", "state": "ready", "version": "\\udfff"}', retained=False
    )
    (view,) = book.views()
    assert (view.name, view.version) == ("a?", "?")
    json.dumps(fleet_json([view]), ensure_ascii=False).encode()


def test_a_site_that_names_its_broker_otherwise_is_one_site():
    book, _ = _book()
    for broker in ("main", "other"):
        book.expect(broker, "ppewatch/north")
    assert {view.state for view in book.views()} == {SiteState.UNKNOWN}
    book.receive("other", "ppewatch/north", "available", b"online", retained=True)
    book.receive("other", "ppewatch/north", "health", b'{"state": "ready"}', retained=True)
    view = _one(book)
    assert (view.broker, view.state) == ("other", SiteState.ONLINE)
    assert book.view_of("ppewatch/north") == view


@given(
    st.sampled_from(["available", "health", "stats", "alerts", "cameras/gate/status", "cameras", ""]),
    st.one_of(
        st.binary(max_size=60), st.sampled_from([b"[1]", b'{"outbox": 3}', b'{"outbox": {"pending": "x"}}'])
    ),
)
def test_whatever_comes_the_view_stands(subtopic, payload):
    book, _ = _book()
    book.receive("main", "p", subtopic, payload, retained=False)
    fleet_lines(book.views())
    json.dumps(fleet_json(book.views()), allow_nan=False)


def test_strangers_fill_nothing():
    book, _ = _book()
    for number in range(3000):
        _hear(book, f"cameras/c{number}/status", {"state": "online"})
    assert _one(book).cameras == 2000
