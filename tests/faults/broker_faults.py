"""What can happen to a broker, and between it and the daemon."""

import random
import time

from faults.registry import Size, fault
from faults.rig import FaultRig


@fault("broker killed, restarted with persistence", full=Size(10, 120), short=Size(2, 10))
def broker_killed(rig: FaultRig, *, times: int, seed: int) -> None:
    """SIGKILL at random moments while alerts flow; it is back after up to two seconds."""
    chance = random.Random(seed)
    rig.start_daemon()
    for _ in range(times):
        rig.wait_stored(rig.share(times))
        time.sleep(chance.uniform(0.0, 0.5))
        rig.broker.kill()
        rig.injected += 1
        time.sleep(chance.uniform(0.0, 2.0))
        rig.broker.start()
        rig.wait_delivered()


@fault("broker restarted in order", full=Size(10, 120), short=Size(2, 10))
def broker_restarted(rig: FaultRig, *, times: int, seed: int) -> None:
    """SIGTERM, on which it saves its sessions, and a new start at once."""
    chance = random.Random(seed)
    rig.start_daemon()
    for _ in range(times):
        rig.wait_stored(rig.share(times))
        time.sleep(chance.uniform(0.0, 0.5))
        rig.broker.stop()
        rig.injected += 1
        rig.broker.start()
        rig.wait_delivered()


@fault("broker unreachable", full=Size(2, 120), short=Size(1, 10))
def broker_unreachable(rig: FaultRig, *, times: int, seed: int) -> None:
    """Nothing listens on its port: for a minute, in the short form until a few alerts wait."""
    rig.start_daemon()
    for _ in range(times):
        rig.wait_stored(2)
        rig.broker.stop()
        rig.injected += 1
        away_s = time.monotonic()
        rig.wait_stored(rig.share(times))
        if times > 1:
            time.sleep(max(0.0, 60.0 - (time.monotonic() - away_s)))
        rig.broker.start()
        rig.wait_delivered()
