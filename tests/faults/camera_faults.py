"""What can happen to a camera, and between it and the daemon."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice

from faults.clips import recoded
from faults.registry import Size, fault
from faults.rig import FaultRig
from faults.watching import Watching, apply_site, camera, wait_alerts_of, wait_status
from peers import rtsp
from peers.rtsp_packets import InterleavedFaults, PacketFaults, RtspUdpRelay
from peers.tcp_proxy import TcpProxy

from streamer.soak.busy_clip import busy_clip

VICTIM = "victim"
#: As ``watching.camera`` sets it: nothing comes for so long, and a stream has stalled.
STALL_S = 2.0
#: An attempt is refused or fails at once; the pause before it is a second at most.
AT_ONCE_S = 2.0


@contextmanager
def served(**options: object) -> Iterator[rtsp.RtspServer]:
    """An RTSP camera that is ended with the fault."""
    server = rtsp.RtspServer(**options)
    try:
        yield server
    finally:
        server.stop()


def address(port: int) -> str:
    """Of a stream at 127.0.0.1."""
    return f"rtsp://127.0.0.1:{port}/stream"


def others_of(rig: FaultRig) -> list[str]:
    """The cameras that the fault is not about."""
    return [name for name in rig.site["cameras"] if name != VICTIM]


@fault("camera stalls", full=Size(9, 120), short=Size(1, 8), needs=rtsp.missing_reason)
def camera_stalls(rig: FaultRig, *, times: int, seed: int) -> None:
    """The network holds everything, or swallows it with the connection left open, or the camera itself hangs."""
    with (
        served(file=busy_clip(rig.folder)) as server,
        TcpProxy(server.port, seed=seed) as proxy,
        camera(rig, VICTIM, address(proxy.port)),
        Watching(rig, others=others_of(rig)) as watching,
    ):
        for how in islice(cycle(("swallow", "hang", "hold")), times):
            wait_alerts_of(rig, VICTIM)
            wait_status(rig, VICTIM, "online", "ok")
            with watching.fault():
                begun_s = time.monotonic()
                if how == "hang":
                    server.hang()
                else:
                    for flow in (proxy.up, proxy.down):
                        flow.swallow, flow.held = how == "swallow", how == "hold"
                # a slow machine tells the stall when it is trying again already
                told_s = wait_status(
                    rig, VICTIM, "stalled connecting", "stalled", "unreachable", since_s=begun_s
                )
                watching.told_after(told_s, stated_s=STALL_S + 1.0, what="a stall")
                rig.wait_stored(rig.share(times))
                if how == "hang":
                    server.wake()
                proxy.heal()
            wait_status(rig, VICTIM, "online", "ok")


@fault("camera refuses the password", full=Size(5, 120), short=Size(1, 10), needs=rtsp.missing_reason)
def camera_refuses(rig: FaultRig, *, times: int, seed: int) -> None:
    """It is given another password (401). Nobody asks again until the settings say the new one: the account would be
    locked.
    """
    with served(file=busy_clip(rig.folder), user="viewer", password=f"first-{seed}") as server:
        settings = {"user": "viewer", "password": f"first-{seed}"}
        with camera(rig, VICTIM, server.url, **settings), Watching(rig, others=others_of(rig)) as watching:
            for number in range(times):
                with watching.fault():
                    begun_s = time.monotonic()
                    server.restart(password=f"next-{number}")
                    told_s = wait_status(rig, VICTIM, "refused", "credentials_refused", since_s=begun_s)
                    watching.told_after(told_s, stated_s=AT_ONCE_S + 1.0, what="the refusal")
                    rig.wait_stored(rig.share(times))
                    rig.site["cameras"][VICTIM]["password"] = f"next-{number}"
                    apply_site(rig)
                wait_status(rig, VICTIM, "online", "ok")
                wait_alerts_of(rig, VICTIM)


@fault("camera gone, or without its stream", full=Size(8, 120), short=Size(2, 10), needs=rtsp.missing_reason)
def camera_gone(rig: FaultRig, *, times: int, seed: int) -> None:
    """Its port is closed, or its stream has another name (404); it comes back by itself."""
    with (
        served(file=busy_clip(rig.folder)) as server,
        camera(rig, VICTIM, server.url),
        Watching(rig, others=others_of(rig)) as watching,
    ):
        for number in range(times):
            with watching.fault():
                begun_s = time.monotonic()
                if number % 2:
                    server.stop()
                    told_s = wait_status(rig, VICTIM, "connecting", "unreachable", since_s=begun_s)
                else:
                    server.restart(mount="/elsewhere")
                    told_s = wait_status(rig, VICTIM, "connecting", "stream_not_found", since_s=begun_s)
                watching.told_after(told_s, stated_s=AT_ONCE_S + 1.0, what="the loss")
                rig.wait_stored(rig.share(times))
                server.restart(mount="/stream")
            wait_status(rig, VICTIM, "online", "ok")
            wait_alerts_of(rig, VICTIM)


#: Codec, height and width of the cameras that take one another's place.
REPLACEMENTS = (
    ("hevc", (360, 640)),
    ("mjpeg", (288, 512)),  # RTP tells its sizes in multiples of eight
    ("h264", (540, 960)),
    ("h264", (480, 270)),
)


@fault("camera replaced: size, codec", full=Size(8, 120), short=Size(2, 10), needs=rtsp.missing_reason)
def camera_replaced(rig: FaultRig, *, times: int, seed: int) -> None:
    """Another one answers at the same address: H.264, H.265 and MJPEG, in four sizes, one of them upright."""
    clip = busy_clip(rig.folder)
    clips = [recoded(clip, rig.folder, codec, image_hw) for codec, image_hw in REPLACEMENTS]
    with (
        served(file=clip) as server,
        camera(rig, VICTIM, server.url),
        # an upright picture is another size for the networks, which are kept for it
        Watching(rig, others=others_of(rig), more_threads=2) as watching,
    ):
        for (codec, image_hw), replacement in islice(cycle(zip(REPLACEMENTS, clips, strict=True)), times):
            with watching.fault():
                server.restart(file=replacement)
                height, width = image_hw
                said = f"{VICTIM}: online ({codec} {width}x{height}"
                count = rig.log.count(said)
                rig.wait_until(lambda said=said, count=count: rig.log.count(said) > count, said)
            wait_alerts_of(rig, VICTIM)
            rig.wait_stored(max(0, rig.share(times) - 2))


@fault("picture size changes in mid-stream", full=Size(12, 120), short=Size(1, 8), needs=rtsp.missing_reason)
def size_changes(rig: FaultRig, *, times: int, seed: int) -> None:
    """The same connection goes on in another size, every few seconds."""
    clip = busy_clip(rig.folder)
    other = recoded(clip, rig.folder, "h264", (360, 640))
    with (
        served(file=clip, then=other) as server,
        camera(rig, VICTIM, server.url),
        Watching(rig, others=others_of(rig)) as watching,
    ):
        before = rig.log.count(f"{VICTIM}: the stream changed from")

        def changes() -> int:
            return rig.log.count(f"{VICTIM}: the stream changed from") - before

        with watching.fault():
            rig.wait_until(lambda: changes() >= times, f"{times} changes of size")
            wait_alerts_of(rig, VICTIM, 2)
            rig.wait_stored(max(0, rig.share(times)))
        rig.injected = changes()


@fault("packets lost, late, damaged (TCP)", full=Size(6, 120), short=Size(2, 10), needs=rtsp.missing_reason)
def packets_in_tcp(rig: FaultRig, *, times: int, seed: int) -> None:
    """A fifth of the packets lost; one of fifty damaged; half a second late and slow; one byte of 20,000 damaged, be it
    of the protocol or of pictures.
    """
    faults = PacketFaults()
    with served(file=busy_clip(rig.folder)) as server, TcpProxy(server.port, seed=seed) as proxy:
        proxy.down.new_filter = lambda: InterleavedFaults(faults, seed=seed)
        with camera(rig, VICTIM, address(proxy.port)), Watching(rig, others=others_of(rig)) as watching:
            for how in islice(cycle(("lose", "bend", "late", "bend all")), times):
                with watching.fault():
                    faults.loss = 0.2 * (how == "lose")
                    faults.flip = 0.02 * (how == "bend")
                    proxy.down.delay_s = 0.5 * (how == "late")
                    proxy.down.bytes_per_s = 200_000 if how == "late" else None
                    proxy.down.flip_rate = 1 / 20_000 if how == "bend all" else 0.0
                    rig.wait_stored(rig.share(times))
                    faults.heal()
                    proxy.down.delay_s, proxy.down.bytes_per_s, proxy.down.flip_rate = 0.0, None, 0.0
                wait_status(rig, VICTIM, "online", "ok")
                wait_alerts_of(rig, VICTIM)
            rig.notes.append(
                f"{faults.lost} packets lost, {faults.flipped} damaged, {proxy.down.flipped_bytes} bytes damaged,"
                f" {proxy.connections} connections"
            )


@fault("packets lost, late, damaged (UDP)", full=Size(6, 120), short=Size(2, 10), needs=rtsp.missing_reason)
def packets_in_udp(rig: FaultRig, *, times: int, seed: int) -> None:
    """As in TCP, and late packets overtake each other."""
    with served(file=busy_clip(rig.folder)) as server, RtspUdpRelay(server.port, seed=seed) as relay:
        faults = relay.faults
        settings = {"transport": "udp"}
        with (
            camera(rig, VICTIM, address(relay.port), **settings),
            Watching(rig, others=others_of(rig)) as watching,
        ):
            for how in islice(cycle(("lose", "bend", "late")), times):
                with watching.fault():
                    faults.loss = 0.2 * (how == "lose")
                    faults.flip = 0.02 * (how == "bend")
                    faults.delay_s = 0.2 * (how == "late")
                    faults.jitter_s = 0.1 * (how == "late")
                    rig.wait_stored(rig.share(times))
                    faults.heal()
                wait_status(rig, VICTIM, "online", "ok")
                wait_alerts_of(rig, VICTIM)
            rig.notes.append(
                f"{faults.lost} of {faults.lost + faults.passed} packets lost, {faults.flipped} damaged"
            )
