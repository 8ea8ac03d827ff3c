"""Whether the heads at the cameras are large enough, and what larger input they need."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from streamer.commands.check_heads import heads_of
from streamer.first_run.console import Console
from streamer.first_run.plan import CameraPlan, SitePlan
from streamer.first_run.writing import settings_of_plan

_INPUT: Final = "input_size: "


def ask_about_heads(console: Console, plan: SitePlan, environ: Mapping[str, str]) -> SitePlan:
    """``plan`` with the input sizes that the heads seen at its cameras need, as far as they are wanted."""
    able = [camera for camera in plan.cameras if camera.seen and camera.require]
    if not able:
        return plan
    console.say(
        "How large heads are decides what can be told of them. While people are in the picture, it can be measured."
    )
    if not console.yes(f"Look at {_cameras(len(able))} with the models, some 10 s each?", default=False):
        return plan
    wanted: dict[str, int] = {}
    for told in heads_of(settings_of_plan(plan, environ), [camera.name for camera in able]):
        console.say(f"  {told['camera']}: {told['said']}")
        sizes = [text.removeprefix(_INPUT) for text in told.get("advice", ()) if text.startswith(_INPUT)]
        if sizes and console.yes(f"  Set {_INPUT}{sizes[0]} there, at more time a picture?", default=True):
            wanted[told["camera"]] = int(sizes[0])
    return replace(plan, cameras=tuple(_with_input(camera, wanted) for camera in plan.cameras))


def _with_input(camera: CameraPlan, wanted: Mapping[str, int]) -> CameraPlan:
    size_px = wanted.get(camera.name)
    return camera if size_px is None else replace(camera, input_size_px=size_px)


def _cameras(count: int) -> str:
    return "the camera" if count == 1 else f"the {count} cameras"
