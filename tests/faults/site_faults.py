"""What can happen to a whole site: settings that are written while they are read, and half of many cameras down."""

import os
import random
import signal
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

import yaml
from faults.camera_faults import served
from faults.registry import Size, fault
from faults.rig import FaultRig
from faults.watching import Watching, apply_site, status_of, wait_status
from peers import rtsp
from peers.dead_ends import DarkHost, HangingPort, refusing_port

from streamer.soak.busy_clip import busy_clip

#: Streams of the RTSP server, each seen by many.
MOUNTS = 5
#: Two cameras make the alerts; the others are looked at more seldom, so that a small machine has time for all.
_BUSY: dict[str, object] = {"priority": "critical"}
_LOOKED_AT: dict[str, object] = {"fps": 0.2, "input_size": 256, "models": ["retinaface"]}
#: Hundreds of cameras on a loaded machine: so long for a share of the messages.
_MANY_S = 400.0
#: From so many on, the site is also started anew with all of them.
_MANY = 50


@fault("SIGHUP storms", full=Size(400, 120), short=Size(40, 10))
def sighup_storms(rig: FaultRig, *, times: int, seed: int) -> None:
    """Bursts of SIGHUP while the settings are as they were, others, wrong, half written, empty or not there."""
    chance = random.Random(seed)
    rig.start_daemon()
    rig.wait_stored(2)
    words = (" reloaded: ", "not reloaded")
    before = [rig.log.count(word) for word in words]
    with Watching(rig, others=["camera0"]) as watching, watching.fault():
        rig.injected = 0
        while rig.injected < times:
            seen, end_s = [rig.log.count(word) for word in words], time.monotonic() + 1.0
            rig.injected += _burst(rig, chance)
            # most bursts are taken up, the others run into one another
            while chance.random() < 0.99 and time.monotonic() < end_s:
                if [rig.log.count(word) for word in words] != seen:
                    break
                time.sleep(0.02)
        rig.site["cameras"]["camera1"]["fps"] = 4
        apply_site(rig)
        for name in rig.site["cameras"]:
            wait_status(rig, name, "online")
        rig.wait_stored(rig.share(1))
    after = [rig.log.count(word) for word in words]
    rig.notes.append(f"settings taken {after[0] - before[0]} times, refused {after[1] - before[1]} times")


def _burst(rig: FaultRig, chance: random.Random) -> int:
    """Leave the settings in some state and send some signals; how many."""
    path = rig.folder / "site.yaml"
    rig.site["cameras"]["camera1"]["fps"] = chance.choice((3, 4))
    whole = yaml.safe_dump(rig.site).encode()
    left = {
        "whole": whole,
        "wrong": whole.replace(b"fps:", b"fsp:", 1),
        "half": whole[: chance.randrange(len(whole))],
        "in two": whole[: len(whole) // 2],
        "empty": b"",
        "noise": chance.randbytes(200),
    }
    how = chance.choice((*left, "whole", "gone"))
    if how == "gone":
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(left[how])
    signals = chance.randrange(1, 8)
    for _ in range(signals):
        os.kill(rig.pid, signal.SIGHUP)
        time.sleep(chance.choice((0.0, 0.0, 0.02)))
    if how == "in two":
        path.write_bytes(whole)
    return signals


@fault("half of the cameras down", full=Size(100, 150), short=Size(9, 10), needs=rtsp.missing_reason)
def half_down(rig: FaultRig, *, times: int, seed: int) -> None:
    """As many cameras that are well, and ``times`` whose host is off, whose port is closed, or that hang: the ones are
    looked at as before, of the others it is said what is wrong.
    """
    with served(file=busy_clip(rig.folder), mounts=MOUNTS, shared=True) as server:
        live = {
            f"live{n}": {"url": str(busy_clip(rig.folder)), "loop": True, **_LOOKED_AT}
            if n % 2
            else {"url": f"rtsp://127.0.0.1:{server.port}/stream{n // 2 % MOUNTS}", **_LOOKED_AT}
            for n in range(times)
        }
        busy = {name: rig.site["cameras"][name] | _BUSY for name in ("camera0", "camera1")}
        live |= busy
        rig.site["cameras"] = live
        rig.notes.append(
            f"{times} cameras are online {_start_s(rig, live):.1f} s after the start of the process"
        )
        rig.wait_stored(2, _MANY_S)
        with dead_ends(times) as dead, Watching(rig, others=live) as watching:
            rig.wait_stored(rig.share(4), _MANY_S)
            with watching.fault():
                rig.injected = times
                rig.site["cameras"] = live | _cameras_at(dead)
                begun_s = time.monotonic()
                apply_site(rig)
                told_s = [
                    wait_status(rig, name, "connecting", "unreachable", since_s=begun_s, within_s=240.0)
                    for name in dead
                ]
                # cameras are added one after the other, and each waits for its turn among those that are looked at
                stated_s = 10.0 + (times if times >= _MANY else 0)
                watching.told_after(max(told_s), stated_s=stated_s, what="what is wrong with the last")
                rig.wait_stored(rig.share(2), _MANY_S)
                off = [name for name in live if status_of(rig, name)["state"] != "online"]
                if off:
                    rig.problems.append(f"live cameras that are not online: {off}")
            rig.site["cameras"] = live
            apply_site(rig)
        rig.site["cameras"] = busy
        if times < _MANY:
            apply_site(rig)
            return
        with dead_ends(times) as dead:
            rig.stop_daemon()
            rig.site["cameras"] = live | _cameras_at(dead)
            rig.notes.append(f"{_start_s(rig, live):.1f} s beside {times} dead ones")
            rig.wait_stored(rig.share(4), _MANY_S)
            rig.stop_daemon()
        rig.site["cameras"] = busy


def _start_s(rig: FaultRig, live: Collection[str]) -> float:
    """Start the daemon; the seconds from there until each of ``live`` is online."""
    rig.witness.states.clear()
    begun_s = time.monotonic()
    apply_site(rig)
    return max(wait_status(rig, name, "online", since_s=begun_s, within_s=240.0) for name in live)


def _cameras_at(addresses: dict[str, str]) -> dict[str, dict[str, object]]:
    return {
        name: {"url": url, "reconnect": {"timeout": 3, "max": 5}, **_LOOKED_AT}
        for name, url in addresses.items()
    }


@contextmanager
def dead_ends(count: int) -> Iterator[dict[str, str]]:
    """Addresses of ``count`` cameras of which a third is switched off, a third refuses, and a third hangs."""
    with ExitStack() as open_ends:
        addresses = {}
        for number in range(count):
            host = f"127.0.1.{1 + number % 250}"
            if number % 3 == 0:
                end: DarkHost | HangingPort = open_ends.enter_context(DarkHost(host))
                port = end.port
            elif number % 3 == 1:
                port = refusing_port(host)
            else:
                port = open_ends.enter_context(HangingPort(host)).port
            addresses[f"dead{number}"] = f"rtsp://{host}:{port}/stream"
        yield addresses
