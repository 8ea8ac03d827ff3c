"""A site that stores and posts alerts until it is killed; run by the tests as a process of its own.

Prints each event's id after it was stored. Arguments: state directory, the webhook's address.
"""

import itertools
import sys
import time
from pathlib import Path

from alert_factory import make_alert
from webhooks.couriers import FAST, target_at

from streamer.alerts.outbox import Outbox
from streamer.webhooks.courier import Courier


def main() -> None:
    outbox = Outbox(Path(sys.argv[1]))
    target = target_at(sys.argv[2])
    outbox.webhooks.add_target(target.name)
    courier = Courier(target, outbox, backoff=FAST)
    courier.start()
    for _ in itertools.count():
        alert_id = f"A{time.time_ns()}"
        seq = outbox.enqueue(make_alert(alert_id), at=time.time())
        courier.notify()
        sys.stdout.write(f"{alert_id}_{seq}\n")
        sys.stdout.flush()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
