"""The sites that are benched: cameras that loop recordings in which nobody wears what is required."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

#: Rules with different dwell times make several alerts, each with a deciding frame of its own, out of one person.
MANY_DWELLS_S: Final = (0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1)


def write_site(
    folder: Path,
    clips: Sequence[Path],
    *,
    broker_port: int,
    fps: float,
    models: Collection[str],
    dwells_s: Sequence[float] = (1.5,),
    camera: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``folder/site.yaml`` with a camera for each of ``clips``, looked at ``fps`` times a second by ``models``.

    A rule for each of ``dwells_s`` and each gear that ``models`` can tell; ``camera`` holds further settings of every
    camera. State goes to ``folder/state``.
    """
    settings = {
        "site": {"name": "bench"},
        "http": {"enabled": False},
        "mqtt": {"port": broker_port},
        "state_dir": f"{folder}/state",
        "models": sorted(models),
        "cameras": {
            f"camera{n}": {"url": str(clip.resolve()), "loop": True, "fps": fps, **(camera or {})}
            for n, clip in enumerate(clips)
        },
        "rules": [
            {
                "name": f"{gear} {dwell_s}",
                "where": ["*"],
                "require": [gear],
                "dwell": dwell_s,
                "clear": 1,
                "cooldown": 0,
            }
            for model, gear in (("retinaface", "face_mask"), ("maskrcnn", "hard_hat"))
            if model in models
            for dwell_s in dwells_s
        ],
    }
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path
