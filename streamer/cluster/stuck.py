"""Whether a part can go on: what the supervisor mends on one machine, the head mends here by another part."""

from streamer.service.heartbeats import Heartbeats
from streamer.station import STAGE_PREFIX


def stuck_stage(heartbeats: Heartbeats) -> str:
    """A stage that hangs or has died, other than a camera's; empty when there is none."""
    return next(
        (
            age.name
            for age in heartbeats.ages()
            if (age.late or age.dead) and not age.name.startswith(STAGE_PREFIX)
        ),
        "",
    )


def stuck_cameras(heartbeats: Heartbeats) -> list[str]:
    """Cameras whose supervising thread hangs or has died."""
    return [
        age.name.removeprefix(STAGE_PREFIX)
        for age in heartbeats.ages()
        if (age.late or age.dead) and age.name.startswith(STAGE_PREFIX)
    ]
