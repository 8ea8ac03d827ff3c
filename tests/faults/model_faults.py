"""What can happen to the models: they raise, their device is lost, their files are damaged."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.clips import recoded
from faults.failing_models import VARIABLE
from faults.registry import Size, fault
from faults.rig import FaultRig, StuckError
from faults.watching import Watching, apply_site, camera, wait_alerts_of
from peers.daemon import ROOT

from models.weights import STORE
from streamer.soak.busy_clip import busy_clip

VICTIM = "victim"


def tell_models(rig: FaultRig, command: str) -> None:
    """What the models are to fail on from now on."""
    place = rig.folder / "models-command"
    unfinished = place.with_suffix(".part")
    unfinished.write_text(command)
    unfinished.replace(place)


def use_failing_models(rig: FaultRig, **inference: object) -> None:
    """Before the daemon starts: its models fail on command."""
    rig.module = "faults.failing_models"
    rig.environ |= {VARIABLE: str(rig.folder / "models-command"), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    rig.site["inference"] = inference
    tell_models(rig, "")


def inference_of(rig: FaultRig) -> dict[str, Any]:
    """What the stats say of the inference."""
    payload = rig.witness.states.get("stats", b"")
    told: dict[str, Any] = json.loads(payload)["inference"] if payload else {}
    return told


def wait_inference(rig: FaultRig, within_s: float = 90.0, **wanted: object) -> float:
    """Wait until the stats say so; the seconds that took."""
    begun_s = time.monotonic()

    def is_told() -> bool:
        told = inference_of(rig)
        return all(told.get(name) == value for name, value in wanted.items())

    if not rig.witness.wait_for(is_told, within_s):
        raise StuckError(f"the inference is not {wanted} within {within_s:.0f} s: {inference_of(rig)}")
    return time.monotonic() - begun_s


@fault("models raise", full=Size(4, 120), short=Size(1, 10))
def models_raise(rig: FaultRig, *, times: int, seed: int) -> None:
    """Every call fails until the models have been given up; newly built ones are well."""
    use_failing_models(rig)
    rig.start_daemon()
    rig.wait_stored(2)
    with Watching(rig, others=()) as watching:
        for _ in range(times):
            with watching.fault():
                tell_models(rig, "raise")
                told_s = wait_inference(rig, ready=False)
                watching.told_after(told_s, stated_s=2.0, what="that the models failed")
                tell_models(rig, "")
            wait_inference(rig, ready=True)
            rig.wait_stored(rig.share(times))


@fault("models fail on one camera's pictures", full=Size(2, 120), short=Size(1, 10))
def models_fail_on_a_camera(rig: FaultRig, *, times: int, seed: int) -> None:
    """The camera is set aside, and the others are looked at."""
    use_failing_models(rig)
    clip = recoded(busy_clip(rig.folder), rig.folder, "h264", (360, 640))
    rig.start_daemon()
    others = list(rig.site["cameras"])
    with camera(rig, VICTIM, str(clip), loop=True), Watching(rig, others=others) as watching:
        for _ in range(times):
            wait_alerts_of(rig, VICTIM)
            with watching.fault():
                tell_models(rig, "raise 640x360")
                told_s = wait_inference(rig, state="degraded", reason="pictures_fail", cameras_aside=[VICTIM])
                watching.told_after(told_s, stated_s=15.0, what="that the camera was set aside")
                rig.wait_stored(rig.share(times))
                tell_models(rig, "")
            wait_inference(rig, ready=True, cameras_aside=[])


@fault("graphics device lost", full=Size(3, 120), short=Size(1, 10))
def device_lost(rig: FaultRig, *, times: int, seed: int) -> None:
    """It is tried again, given up for the processor, and said so; the next start begins on it again."""
    use_failing_models(rig, device="gpu")
    for _ in range(times):
        if rig.daemon is not None:
            rig.stop_daemon()
        tell_models(rig, "")
        rig.start_daemon()
        wait_inference(rig, state="ready", device="gpu")
        rig.wait_stored(2)
        with Watching(rig, others=()) as watching:
            with watching.fault():
                tell_models(rig, "device lost")
                told_s = wait_inference(rig, state="degraded", reason="cpu_fallback", device="cpu")
                watching.told_after(told_s, stated_s=15.0, what="that the processor does the work")
            rig.wait_stored(rig.share(times))


def _bit_turned(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _of_another_network(path: Path) -> None:
    shutil.copy(STORE / "mask_state.safetensors", path)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _header_damaged(path: Path) -> None:
    path.write_bytes(b"\xff" * 64 + path.read_bytes()[64:])


DAMAGES: tuple[Callable[[Path], None], ...] = (
    _bit_turned,
    _cut_short,
    _of_another_network,
    _emptied,
    _header_damaged,
)


def weights_in(folder: Path, name: str = "retinaface") -> Path:
    """A whole copy of a shipped weights file and its card, in ``folder``."""
    folder.mkdir(exist_ok=True)
    for file in (f"{name}.safetensors", f"{name}.card.md"):
        shutil.copy(STORE / file, folder)
    return folder / f"{name}.safetensors"


@fault("weights damaged, at the start", full=Size(5, 120), short=Size(1, 10))
def weights_damaged_at_start(rig: FaultRig, *, times: int, seed: int) -> None:
    """A bit turned, the file cut short, emptied, of another network, its header damaged: it says so and ends."""
    weights = weights_in(rig.folder / "weights")
    rig.site["inference"] = {"retinaface_weights": str(weights)}
    if rig.daemon is not None:
        rig.stop_daemon()
    for number in range(times):
        damage = DAMAGES[(seed + number) % len(DAMAGES)]
        damage(weights)
        said = len(rig.log)
        begun_s = time.monotonic()
        rig.start_daemon(wait=False)
        rig.injected += 1
        code = rig.wait_ended()
        rig.notes.append(
            f"{damage.__name__.strip('_')}: ended with {code} after {time.monotonic() - begun_s:.1f} s"
        )
        words = rig.log[said:].splitlines()[-1]
        if code != 1 or str(weights) not in words or "Traceback" in rig.log[said:]:
            rig.problems.append(f"{damage.__name__}: it ended with {code} and said {words!r}")
        weights_in(rig.folder / "weights")
        rig.start_daemon()
        rig.wait_stored(rig.share(times))
        if number < times - 1:
            rig.stop_daemon()


@fault("weights damaged, at a reload", full=Size(6, 120), short=Size(2, 10))
def weights_damaged_at_reload(rig: FaultRig, *, times: int, seed: int) -> None:
    """Settings that name a damaged file, in place of the one in use or for a model that is new: they are refused as a
    whole, and what is looked at goes on.
    """
    rig.start_daemon()
    rig.wait_stored(2)
    sound = dict(rig.site.get("inference", {}))
    with Watching(rig, others=list(rig.site["cameras"])) as watching:
        for number in range(times):
            is_new = number % 2 == 1
            name = "maskrcnn" if is_new else "retinaface"
            damaged = weights_in(rig.folder / "damaged", name)
            DAMAGES[(seed + number) % len(DAMAGES)](damaged)
            with watching.fault():
                rig.site["inference"] = {**sound, f"{name}_weights": str(damaged)}
                rig.site["cameras"]["camera0"]["models"] = ["retinaface", *([name] if is_new else [])]
                refused = rig.log.count("not reloaded, the settings in force stay")
                rig.write_site()
                os.kill(rig.pid, signal.SIGHUP)
                rig.wait_until(
                    lambda refused=refused: (
                        rig.log.count("not reloaded, the settings in force stay") > refused
                    ),
                    "the refusal",
                )
                rig.wait_stored(rig.share(times))
            rig.site["inference"] = sound
            rig.site["cameras"]["camera0"]["models"] = ["retinaface"]
            apply_site(rig)
