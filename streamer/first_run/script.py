"""A script's answers, tried as ``ppewatch check --connect`` tries them."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from models.printable import printable
from streamer.commands.background import in_background
from streamer.first_run.pictures import Pictures
from streamer.first_run.plan import CameraPlan, SitePlan
from streamer.first_run.trying import CameraLook, try_broker, try_camera

#: Cameras that are tried at a time.
_AT_ONCE: Final = 8


def try_all(
    plan: SitePlan, environ: Mapping[str, str], *, pictures: Path | None, say: Callable[[str], object]
) -> SitePlan | None:
    """Try the broker and every camera and ``say`` a line on each; the plan with what was seen, or None.

    ``pictures``: where to keep a picture of each.
    """
    places = threading.BoundedSemaphore(_AT_ONCE)

    def in_turn(camera: CameraPlan) -> CameraLook:
        with places:
            return try_camera(camera, dict(environ))

    looks = [in_background(partial(in_turn, camera)) for camera in plan.cameras]
    broker = plan.broker
    problem = in_background(lambda: try_broker(broker, site=plan.name)).result()
    say(_line(f"broker {broker.host}:{broker.port}", problem, "it takes us"))
    seen: list[CameraPlan] = []
    with Pictures(pictures) as kept:
        for camera, attempt in zip(plan.cameras, looks, strict=True):
            look = attempt.result()
            said = look.said
            if look.ok and pictures is not None:
                said += f"; picture: {kept.keep(camera.name, look.jpeg)}"
            say(_line(f"camera {camera.name}", look.problem or None, said))
            if look.ok:
                seen.append(replace(camera, seen=look.said))
    answers = problem is None and len(seen) == len(plan.cameras)
    return replace(plan, cameras=tuple(seen)) if answers else None


def _line(what: str, problem: str | None, said: str) -> str:
    return printable(f"{'ok  ' if problem is None else 'FAIL'}  {what}: {problem or said}")
