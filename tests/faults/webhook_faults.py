"""What can happen to a webhook, while the broker and another webhook must not notice."""

import json
import random
from hashlib import sha256
from itertools import cycle

from faults.registry import Size, fault
from faults.rig import PATIENCE_S, FaultRig, StuckError
from peers.tcp_proxy import TcpProxy
from peers.webhook_server import TAKEN, Posted, Reply, WebhookServer

from streamer.soak.ledger import compare
from streamer.soak.witness import Told

_SECRET = "a-secret-of-the-fault-campaign-1"
#: Each says nothing for good of the events, but 410, which a reload undoes.
_TROUBLES = {
    "errs": Reply(500),
    "breaks off": Reply(0),
    "is busy": Reply(429, {"retry-after": "1"}),
    "is silent": Reply(pause_s=4.0, status=500),
    "is gone": Reply(410),
}


@fault("webhook away, busy, silent, gone; killed", full=Size(12, 150), short=Size(3, 12))
def webhook_troubled(rig: FaultRig, *, times: int, seed: int) -> None:
    """One of two webhooks takes nothing, in another way each time, or its connections are half-open; every other time
    the daemon is killed in the middle. The broker and the other webhook get everything meanwhile.
    """
    chance = random.Random(seed)
    with WebhookServer() as troubled, WebhookServer() as other, TcpProxy(troubled.port) as proxy:
        rig.site["webhooks"] = {
            name: {"url": url, "secret": _SECRET, "events": ["new", "update", "end"], "timeout": "2s"}
            for name, url in {"troubled": f"http://127.0.0.1:{proxy.port}/hook", "other": other.url}.items()
        }
        rig.start_daemon()
        kinds = list(_TROUBLES)
        chance.shuffle(kinds)
        for number, kind in zip(range(times), cycle([*kinds, "is half-open"]), strict=False):
            _trouble(troubled, proxy, kind)
            rig.injected += 1
            rig.wait_stored(rig.share(times))
            rig.wait_delivered()
            _wait_posted(rig, other)
            if number % 2:
                rig.kill_daemon()
                rig.start_daemon()
            troubled.reply = lambda _posted: TAKEN
            proxy.heal()
            if kind == "is gone":
                rig.reload_daemon()
            _wait_posted(rig, troubled)
        # what was stored up to now was waited for; both are held against the outbox as the broker's subscriber is
        last_seq = rig.delivered_seq
        rig.ledger.read(whole=True)
        for server in (troubled, other):
            told = [_told(posted) for posted in server.taken]
            rig.others.append(compare(rig.ledger, told, up_to_seq=last_seq))
        failed = len(troubled.posted) - len(troubled.taken)
        rig.notes.append(f"{failed} posts failed, {len(troubled.taken)} were taken")


def _trouble(server: WebhookServer, proxy: TcpProxy, kind: str) -> None:
    if kind == "is half-open":
        proxy.up.swallow = proxy.down.swallow = True
        return
    reply = _TROUBLES[kind]
    server.reply = lambda _posted: reply


def _wait_posted(rig: FaultRig, server: WebhookServer) -> None:
    """Until the server has taken everything that the broker's subscriber has."""
    wanted = range(1, rig.delivered_seq + 1)

    def has_all() -> bool:
        return {int(posted.event_id.rpartition("_")[2]) for posted in list(server.taken)}.issuperset(wanted)

    try:
        server.wait_for(has_all, PATIENCE_S)
    except AssertionError:
        raise StuckError(f"a webhook has not got everything within {PATIENCE_S:.0f} s") from None


def _told(posted: Posted) -> Told:
    told = posted.told["data"]
    rest = {name: value for name, value in told.items() if name not in {"published_at", "delayed"}}
    essence = sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    return Told(
        told["seq"],
        told["alert_id"],
        told["type"],
        told["camera"],
        posted.at,
        bool(told["delayed"]),
        essence,
        None,
    )
