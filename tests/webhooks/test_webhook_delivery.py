"""Alerts out of a real outbox to a real HTTP server: signed, in order, again until taken, each accounted for."""

import base64
import json
import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alerts.alert_factory import PREFIX, make_alert, noise_jpeg, picture_bytes
from alerts.subscriber import wait_until
from peers.mosquitto import free_port
from peers.webhook_server import TAKEN, Posted, Reply, WebhookServer
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from webhooks.couriers import KEY, courier, episode, target_at

from streamer.alerts.errors import OutboxFullError
from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_history import OutboxLimits
from streamer.service.heartbeats import Heartbeats
from streamer.webhooks import line
from streamer.webhooks.desk import WebhookDesk
from streamer.webhooks.ledger import Entry, WebhookLedger
from streamer.webhooks.target import ALERT_EVENTS, PictureForm
from streamer.webhooks.waiting import WaitingEvents

NOW = 1_795_245_245.0


@pytest.fixture
def outbox(tmp_path: Path):
    with Outbox(tmp_path / "state") as opened:
        opened.webhooks.add_target("desk")
        yield opened


def put(outbox: Outbox, count: int, *, first: int = 0) -> list[str]:
    """Whole episodes; returns the events' ids."""
    ids = []
    for number in range(first, first + count):
        for alert in episode(f"A{number:03d}"):
            ids.append(f"{alert.alert_id}_{outbox.enqueue(alert, at=time.time())}")
    return ids


def test_the_published_library_verifies_what_is_posted(outbox):
    alert = make_alert()
    seq = outbox.enqueue(alert, at=time.time())
    with WebhookServer() as server, courier(outbox, target_at(server.url)):
        (posted,) = server.wait_taken(1)
        wait_until(lambda: outbox.webhooks.entries("desk") == [])
    verifier = Webhook(base64.b64encode(KEY).decode())
    told = verifier.verify(posted.body, posted.headers)
    assert told["type"] == "alert.new"
    assert told["data"]["alert_id"] == alert.alert_id
    assert told["data"]["seq"] == seq
    assert told["data"]["published_at"] is not None
    assert posted.event_id == f"{alert.alert_id}_{seq}"
    assert posted.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        verifier.verify(posted.body + b" ", posted.headers)


def test_both_keys_sign_while_one_is_replaced(outbox):
    old = bytes(reversed(KEY))
    outbox.enqueue(make_alert(), at=time.time())
    with WebhookServer() as server, courier(outbox, target_at(server.url, keys=(KEY, old), token="t0ken")):
        (posted,) = server.wait_taken(1)
    for key in (KEY, old):
        Webhook(base64.b64encode(key).decode()).verify(posted.body, posted.headers)
    assert posted.headers["authorization"] == "Bearer t0ken"


def refuse_often(posted: Posted) -> Reply:
    """Every failure that may pass, in turn, and every fourth attempt is taken."""
    replies = [Reply(500), Reply(0), Reply(429, {"retry-after": "0"}), TAKEN, Reply(302, {"location": "/elsewhere"}),
               Reply(401), Reply(404), TAKEN]  # fmt: skip
    return replies[posted.number % len(replies)]


def test_every_event_arrives_once_and_in_order_whatever_is_answered(outbox):
    ids = put(outbox, 8)
    with WebhookServer(refuse_often) as server, courier(outbox, target_at(server.url)) as running:
        taken = server.wait_taken(len(ids))
        wait_until(lambda: running.condition.delivered == len(ids))
        condition = running.condition
    assert [posted.event_id for posted in taken] == ids
    # nothing is begun before what is before it was taken
    first_tries = list(dict.fromkeys(posted.event_id for posted in server.posted))
    assert first_tries == ids
    assert condition.failed_attempts == len(server.posted) - len(ids) > 0
    assert (condition.state, condition.reason, condition.waiting, condition.dropped) == ("ok", "ok", 0, 0)
    assert {posted.path for posted in server.posted} == {"/hook"}, "redirects are not followed"


def test_an_id_and_its_alert_are_the_same_in_every_attempt(outbox):
    outbox.enqueue(make_alert(), at=time.time())
    replies = [Reply(503), Reply(0), TAKEN]
    with (
        WebhookServer(lambda posted: replies[posted.number - 1]) as server,
        courier(outbox, target_at(server.url)),
    ):
        server.wait_taken(1)
    assert len({posted.event_id for posted in server.posted}) == 1
    assert len(server.posted) == 3


def test_one_target_that_is_away_holds_up_nobody_else(outbox, tmp_path):
    outbox.webhooks.add_target("away")
    ids = put(outbox, 4)
    nowhere = target_at(f"http://127.0.0.1:{free_port()}/hook", name="away")
    with (
        WebhookServer() as server,
        courier(outbox, nowhere) as lost,
        courier(outbox, target_at(server.url)),
    ):
        taken = server.wait_taken(len(ids))
        wait_until(lambda: lost.condition.failed_attempts > 0)
        assert (lost.condition.state, lost.condition.reason) == ("failing", "unreachable")
    assert [posted.event_id for posted in taken] == ids
    # the broker's own count is another's matter
    assert outbox.stats().pending == len(ids)
    assert [entry.event_id for entry in outbox.webhooks.entries("away")] == ids


def test_a_message_that_is_not_taken_holds_up_its_own_alert_alone(outbox):
    ids = put(outbox, 3)
    with (
        WebhookServer(lambda posted: Reply(422) if posted.event_id == ids[3] else TAKEN) as server,
        courier(outbox, target_at(server.url)) as running,
    ):
        taken = server.wait_taken(6)
        wait_until(lambda: running.condition.waiting == 3)
    assert [posted.event_id for posted in taken] == ids[:3] + ids[6:]
    assert [entry.event_id for entry in outbox.webhooks.entries("desk")] == ids[3:6]


def test_retry_after_is_honoured(outbox):
    outbox.enqueue(make_alert(), at=time.time())
    replies = [Reply(429, {"retry-after": "2"}), TAKEN]
    with (
        WebhookServer(lambda posted: replies[posted.number - 1]) as server,
        courier(outbox, target_at(server.url)),
    ):
        server.wait_taken(1)
    first, second = server.posted
    assert second.at - first.at >= 1.95


def test_gone_ends_it_until_the_next_reload(outbox, caplog):
    ids = put(outbox, 1)
    gone = True
    with (
        caplog.at_level(logging.ERROR, "streamer.webhooks"),
        WebhookServer(lambda _posted: Reply(410) if gone else TAKEN) as server,
        courier(outbox, target_at(server.url)) as running,
    ):
        wait_until(lambda: running.condition.state == "gone")
        more = put(outbox, 1, first=1)
        running.notify()
        wait_until(lambda: running.condition.waiting == 6)
        assert len(server.posted) == 1
        assert "until the next reload" in caplog.text
        gone = False
        running.retry_now()
        taken = server.wait_taken(6)
    assert [posted.event_id for posted in taken] == ids + more


def test_what_is_too_old_or_too_much_is_given_up_and_counted(outbox, caplog):
    day_s = 86_400.0
    for alert in episode("OLD"):
        outbox.enqueue(alert, at=time.time() - 4 * day_s)
    ids = put(outbox, 5)
    nowhere = f"http://127.0.0.1:{free_port()}/hook"
    with (
        caplog.at_level(logging.ERROR, "streamer.webhooks"),
        courier(outbox, target_at(nowhere, max_waiting=10)) as running,
    ):
        wait_until(lambda: running.condition.waiting == 10)
        wait_until(lambda: running.condition.dropped == 8)
    # all updates go before any other
    kept = [one for number, one in enumerate(ids) if number % 3 != 1]
    assert [entry.event_id for entry in outbox.webhooks.entries("desk")] == kept
    assert "given up" in caplog.text
    assert outbox.webhooks.targets() == {"desk": 8}


def test_a_clock_that_is_set_makes_nothing_too_old(outbox):
    """A machine without a battery begins in 1970, until a time server answers."""
    clock = [1000.0]
    server = WebhookServer()
    target = target_at(server.url, max_age_s=3600.0)
    with courier(outbox, target, wall_clock=lambda: clock[0]) as running:
        with server:
            outbox.enqueue(episode("BEFORE")[0], at=clock[0])
            running.notify()
            server.wait_taken(1)
        outbox.enqueue(episode("A")[0], at=clock[0])
        running.notify()
        wait_until(lambda: running.condition.failed_attempts)
        clock[0] = time.time()
        failed = running.condition.failed_attempts
        # each attempt looks at the ages again
        wait_until(lambda: running.condition.failed_attempts >= failed + 3)
        assert (running.condition.waiting, running.condition.dropped) == (1, 0)


def test_what_has_waited_for_too_long_goes_whatever_the_clock_says():
    waiting = WaitingEvents()
    entries = [Entry(n, f"A_{n}", n, "alert.new", "A", 2e9) for n in range(1, 4)]
    waiting.add(entries[:1])
    waiting.add(entries[1:2], came_s=100.0)
    waiting.add(entries[2:], came_s=200.0)
    assert waiting.surplus(most=10, max_age_s=60.0, at=1e9, now_s=161.0) == [entries[1]]
    assert waiting.surplus(most=10, max_age_s=60.0, at=2e9 + 61.0, now_s=161.0) == [entries[0]]
    assert waiting.oldest() == entries[2]


def test_a_message_that_the_disk_has_torn_holds_up_no_other(tmp_path, caplog):
    state = tmp_path / "state"
    with Outbox(state) as outbox:
        outbox.webhooks.add_target("desk")
        ids = put(outbox, 3)
        # the broker has taken all of them: the outbox has no reason to look at them again
        for message in outbox.pending():
            outbox.acknowledge(message.seq, at=2.0)
    with closing(sqlite3.connect(state / "outbox.sqlite3")) as db, db:
        db.execute("UPDATE messages SET body = ? WHERE seq = 2", (b'{"schema":1,' + bytes(40),))
    with (
        Outbox(state) as outbox,
        WebhookServer() as server,
        courier(outbox, target_at(server.url)) as running,
    ):
        server.wait_taken(len(ids) - 1)
        wait_until(lambda: running.condition.dropped == 1)
        assert [posted.event_id for posted in server.taken] == ids[:1] + ids[2:]
        wait_until(lambda: outbox.webhooks.entries("desk") == [])
    assert f"{ids[1]} is not what was stored" in caplog.text


def test_an_event_that_is_an_error_of_ours_holds_up_its_own_alert_alone(outbox, monkeypatch, caplog):
    real = line.alert_message

    def broken(message, *args, **options):
        if message.alert_id == "A000":
            raise RuntimeError("made up")
        return real(message, *args, **options)

    monkeypatch.setattr(line, "alert_message", broken)
    with WebhookServer() as server, courier(outbox, target_at(server.url)) as running:
        ids = put(outbox, 2)
        running.notify()
        mine = [one for one in ids if not one.startswith("A000_")]
        assert [posted.event_id for posted in server.wait_taken(len(mine))] == mine
    assert "made up" in caplog.text


def test_what_the_outbox_gives_up_is_counted_for_each_target(tmp_path):
    limits = OutboxLimits(backlog_messages=4)
    with Outbox(tmp_path / "state", limits=limits) as outbox:
        outbox.webhooks.add_target("desk")
        ids = put(outbox, 3)
        with WebhookServer() as server, courier(outbox, target_at(server.url)):
            taken = [posted.event_id for posted in server.wait_taken(4)]
            wait_until(lambda: outbox.webhooks.entries("desk") == [])
        assert taken == [one for one in ids if one in taken]
        assert outbox.webhooks.targets()["desk"] + len(taken) == len(ids)


def test_only_what_is_wanted_is_posted(outbox):
    wanted = {
        "types": frozenset({ALERT_EVENTS["new"]}),
        "places": frozenset({("gate", "apron"), ("dock", None)}),
        "rules": frozenset({"hard hats on the apron"}),
    }
    for number, changes in enumerate(
        (
            {},
            {"zone": "hall"},
            {"camera": "dock", "zone": "ramp"},
            {"camera": "dock", "zone": None},
            {"rule": "another"},
            {"camera": "yard"},
        )
    ):
        for alert in episode(f"A{number}", **changes):
            outbox.enqueue(alert, at=time.time())
    with WebhookServer() as server, courier(outbox, target_at(server.url, **wanted)):
        taken = server.wait_taken(3)
        wait_until(lambda: outbox.webhooks.entries("desk") == [])
    assert [posted.told["data"]["alert_id"] for posted in taken] == ["A0", "A2", "A3"]
    assert len(server.posted) == 3


def test_a_picture_is_embedded_within_its_bound(outbox):
    jpeg = noise_jpeg(1)
    assert len(jpeg) > 100_000
    outbox.enqueue(make_alert(jpeg=jpeg), jpeg, at=time.time())
    target = {"picture": PictureForm.EMBED, "picture_bytes": 50_000}
    with WebhookServer() as server, courier(outbox, target_at(server.url, **target)):
        (posted,) = server.wait_taken(1)
    snapshot = posted.told["data"]["snapshot"]
    picture = base64.b64decode(snapshot["jpeg_base64"])
    assert len(picture) == snapshot["bytes"] <= 50_000
    assert picture[:2] == b"\xff\xd8"


def test_a_picture_that_is_refused_as_too_large_is_left_out(outbox):
    jpeg = picture_bytes(1)
    outbox.enqueue(make_alert(jpeg=jpeg), jpeg, at=time.time())
    with (
        WebhookServer(lambda posted: Reply(413) if len(posted.body) > 20_000 else TAKEN) as server,
        courier(outbox, target_at(server.url, picture=PictureForm.EMBED)),
    ):
        (posted,) = server.wait_taken(1)
    assert posted.told["data"]["snapshot"] is None
    assert "so large" in posted.told["data"]["snapshot_missing"]
    assert len(server.posted) == 2


def test_links_lead_to_the_dashboard(outbox):
    jpeg = picture_bytes(1)
    alert = make_alert(jpeg=jpeg)
    outbox.enqueue(alert, jpeg, at=time.time())
    changes = {"picture": PictureForm.LINK, "dashboard": "https://watch.example/"}
    with WebhookServer() as server, courier(outbox, target_at(server.url, **changes)):
        (posted,) = server.wait_taken(1)
    data = posted.told["data"]
    assert data["link"] == f"https://watch.example/alerts/{alert.alert_id}"
    assert data["snapshot"]["link"] == f"https://watch.example/api/alerts/{alert.alert_id}/snapshot"
    assert data["snapshot"]["topic"].startswith(PREFIX)
    assert "jpeg_base64" not in data["snapshot"]


def test_a_thread_that_was_given_up_leaves_nothing_untold(outbox):
    ids = put(outbox, 2)
    with (
        WebhookServer(lambda posted: Reply(pause_s=0.5) if posted.number == 1 else TAKEN) as server,
        courier(outbox, target_at(server.url)) as running,
    ):
        server.wait_for(lambda: server.posted)
        running.restart(running._line._pulse)
        wait_until(lambda: outbox.webhooks.entries("desk") == [])
    # what was on its way may be told twice, under the same id
    assert list(dict.fromkeys(posted.event_id for posted in server.posted)) == ids


def test_what_waits_at_the_end_is_posted_and_the_rest_stays(outbox):
    with WebhookServer() as server:
        with courier(outbox, target_at(server.url)) as running:
            ids = put(outbox, 3)
            running.stop(drain_s=20.0)
        assert [posted.event_id for posted in server.taken] == ids
        later = put(outbox, 1, first=3)
        with courier(outbox, target_at(server.url)):
            server.wait_taken(len(ids + later))
    assert [posted.event_id for posted in server.taken] == ids + later
    assert json.loads(server.taken[-1].body)["type"] == "alert.end"


def test_webhooks_that_are_silent_at_the_end_are_waited_for_together(outbox):
    with WebhookServer(lambda _posted: Reply(pause_s=30.0)) as server:
        desk = WebhookDesk(outbox, Heartbeats())
        names = [f"desk{number}" for number in range(8)]
        desk.set_targets([target_at(server.url, name=name) for name in names])
        put(outbox, 1)
        desk.notify()
        server.wait_for(lambda: len(server.posted) == len(names))
        began_s = time.monotonic()
        desk.stop(3.0)
        assert time.monotonic() - began_s < 15, "three seconds for all, not for each"


def test_a_ledger_that_takes_nothing_keeps_nobody_from_being_told(outbox, monkeypatch):
    refusing = [True]
    settle = WebhookLedger.settle

    def settle_later(ledger: WebhookLedger, *args: Any, **options: Any) -> None:
        if refusing[0]:
            raise OutboxFullError("no room")
        settle(ledger, *args, **options)

    monkeypatch.setattr(WebhookLedger, "settle", settle_later)
    wanted = frozenset({"alert.new"})
    with WebhookServer() as server, courier(outbox, target_at(server.url, types=wanted)):
        ids = put(outbox, 3)
        server.wait_taken(3)
        refusing[0] = False
        wait_until(lambda: outbox.webhooks.entries("desk") == [])
    assert [posted.event_id for posted in server.taken] == [ids[0], ids[3], ids[6]]
