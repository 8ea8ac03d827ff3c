"""A site that enqueues and publishes until it is killed; run by the tests as a process of its own.

Prints each ``seq`` after it was stored. Arguments: state directory, broker host and port (0 for none), alerts a second.
"""

import itertools
import sys
import time
from pathlib import Path

from alert_factory import PREFIX, make_alert, picture_bytes

from streamer.alerts.broker import Broker
from streamer.alerts.outbox import Outbox
from streamer.alerts.publisher import Publisher


def main() -> None:
    state_dir, host, port, rate = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    outbox = Outbox(state_dir)
    publisher = None
    if port:
        publisher = Publisher(Broker(host=host, port=port), outbox, topic_prefix=PREFIX)
        publisher.start()
    for n in itertools.count():
        jpeg = picture_bytes(n)
        alert_id = f"A{time.time_ns()}"
        seq = outbox.enqueue(make_alert(alert_id, jpeg), jpeg, at=time.time())
        if publisher is not None:
            publisher.notify()
        sys.stdout.write(f"{seq} {alert_id}\n")
        sys.stdout.flush()
        time.sleep(1 / rate)


if __name__ == "__main__":
    main()
