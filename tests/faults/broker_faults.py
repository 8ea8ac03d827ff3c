"""What can happen to a broker, and between it and the daemon."""

import random
import time

from faults.registry import Size, fault
from faults.rig import FaultRig


@fault("broker killed, restarted with persistence", full=Size(6, 120), short=Size(1, 8))
def broker_killed(rig: FaultRig, *, times: int, seed: int) -> None:
    """SIGKILL at random moments while alerts flow; it is back after some seconds."""
    chance = random.Random(seed)
    rig.start_daemon()
    for _ in range(times):
        rig.wait_stored(rig.share(times))
        time.sleep(chance.uniform(0.0, 0.5))
        rig.broker.kill()
        rig.injected += 1
        time.sleep(chance.uniform(1.2, 3.0))
        rig.broker.start()
        rig.wait_delivered()


@fault("broker restarted in order", full=Size(5, 120), short=Size(1, 8))
def broker_restarted(rig: FaultRig, *, times: int, seed: int) -> None:
    """SIGTERM, on which it saves its sessions, and a new start at once.

    Full: never soon after the last one, for connections that keep ending soon are taken for those of two clients.
    """
    chance = random.Random(seed)
    rig.start_daemon()
    for number in range(times):
        if number:
            time.sleep(25.0)
        rig.wait_stored(rig.share(times))
        time.sleep(chance.uniform(0.0, 0.5))
        rig.broker.stop()
        rig.injected += 1
        rig.broker.start()
        rig.wait_delivered()


@fault("broker unreachable for a minute", full=Size(2, 120), short=Size(1, 8))
def broker_unreachable(rig: FaultRig, *, times: int, seed: int) -> None:
    """Nothing listens on its port; in the short form until a few alerts wait."""
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


@fault("broker refuses (not authorised)", full=Size(4, 120), short=Size(1, 8))
def broker_refuses(rig: FaultRig, *, times: int, seed: int) -> None:
    """It knows the daemon's user no more, until somebody sets that right and reloads the daemon."""
    rig.start_daemon()
    for _ in range(times):
        refused = rig.log.count("not authorised")
        rig.forbid_daemon(True)
        rig.injected += 1
        rig.wait_until(
            lambda before=refused: rig.log.count("not authorised") > before, "the refusal in the log"
        )
        rig.wait_stored(rig.share(times))
        rig.forbid_daemon(False)
        rig.reload_daemon()
        rig.wait_delivered()


@fault("broker slow (0.3 s each way, 30 kB/s)", full=Size(2, 150), short=Size(1, 8))
def broker_slow(rig: FaultRig, *, times: int, seed: int) -> None:
    """Less passes than is raised, so that alerts wait; then it is as fast as before."""
    proxy = rig.use_proxy()
    rig.start_daemon()
    for _ in range(times):
        for flow in (proxy.up, proxy.down):
            flow.delay_s, flow.bytes_per_s = 0.3, 30_000
        rig.injected += 1
        rig.wait_stored(rig.share(times))
        time.sleep(15.0 if times > 1 else 2.0)
        proxy.heal()
        rig.wait_delivered()


@fault("connection half-open", full=Size(4, 120), short=Size(1, 8))
def half_open(rig: FaultRig, *, times: int, seed: int) -> None:
    """What is sent on the connection vanishes and nothing comes, while both ends take it for whole."""
    proxy = rig.use_proxy()
    rig.start_daemon()
    for _ in range(times):
        rig.wait_stored(2)
        proxy.up.swallow = proxy.down.swallow = True
        rig.injected += 1
        rig.wait_stored(rig.share(times))
        # connections that are made from now on are whole again
        proxy.heal()
        rig.wait_delivered()
