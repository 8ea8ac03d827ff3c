"""What has been answered on the page so far; it is kept in memory and gone with the process."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from config import ConfigError
from streamer.commands.check_heads import heads_of
from streamer.first_run.here import local_name, local_timezone
from streamer.first_run.plan import BrokerPlan, CameraPlan, SecretPlace, SitePlan, free_name
from streamer.first_run.trying import CameraLook
from streamer.first_run.writing import settings_of_plan
from streamer.onvif.device import DeviceStream
from streamer.onvif.discovery import FoundDevice


@dataclass(slots=True)
class CameraDraft:
    """A camera: what was answered, what became of trying it, and whether it is ``taken`` into the site."""

    plan: CameraPlan
    look: CameraLook
    taken: bool = False

    def resize(self, size_px: int) -> None:
        """Let the network see it at so many pixels."""
        self.plan = replace(self.plan, input_size_px=size_px)

    def taken_plan(self) -> CameraPlan:
        """The plan with what was seen."""
        return replace(self.plan, seen=self.look.said if self.look.ok else "")


@dataclass(slots=True)
class DeviceTalk:
    """A device that was found, and what it said when it was asked for its streams."""

    device: FoundDevice
    user: str = ""
    password: str = field(default="", repr=False)
    problem: str = ""
    streams: list[DeviceStream] = field(default_factory=list)


@dataclass(slots=True)
class HeadsLook:
    """What the models see of heads at the cameras; ``told`` grows while ``running``."""

    running: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class WizardState:
    """All of it. One browser changes it, one request after the other (``lock``)."""

    path: Path
    environ: Mapping[str, str]
    name: str = field(default_factory=local_name)
    timezone: str = field(default_factory=local_timezone)
    site_answered: bool = False
    broker: BrokerPlan = field(default_factory=BrokerPlan)
    broker_problem: str | None = None
    broker_answered: bool = False
    place: SecretPlace = SecretPlace.FILES
    drafts: dict[int, CameraDraft] = field(default_factory=dict)
    devices: list[DeviceTalk] = field(default_factory=list)
    has_asked_around: bool = False
    heads: HeadsLook = field(default_factory=HeadsLook)
    lock: Lock = field(default_factory=Lock)
    _drafted: int = 0

    def plan(self) -> SitePlan:
        """What would be written now."""
        cameras = tuple(draft.taken_plan() for draft in list(self.drafts.values()) if draft.taken)
        return SitePlan(name=self.name, timezone=self.timezone, broker=self.broker, cameras=cameras)

    def add(self, plan: CameraPlan, look: CameraLook) -> int:
        """A new camera; returns its number."""
        self._drafted += 1
        self.drafts[self._drafted] = CameraDraft(replace(plan, name=self.free_name(plan.name)), look)
        return self._drafted

    def free_name(self, wanted: str, *, but: int = 0) -> str:
        """``wanted``, or like it, as no camera is called but number ``but``."""
        taken = frozenset(draft.plan.name for number, draft in list(self.drafts.items()) if number != but)
        return free_name(wanted, taken)

    def look_for_heads(self) -> None:
        """Begin to look at the cameras that gave a picture; once at a time."""
        if self.heads.running:
            return
        plan = self.plan()
        names = [camera.name for camera in plan.cameras if camera.seen and camera.require]
        self.heads = HeadsLook(running=True)
        Thread(target=_look, args=(self.heads, plan, names, self.environ), name="heads", daemon=True).start()


def _look(heads: HeadsLook, plan: SitePlan, names: list[str], environ: Mapping[str, str]) -> None:
    try:
        for told in heads_of(settings_of_plan(plan, environ), names):
            heads.told.append(told)
    except ConfigError as error:
        heads.told.append({"camera": "", "said": f"not looked at: {error}"})
    finally:
        heads.running = False
