"""The site of the tests of this folder."""

from pathlib import Path

import yaml


def write_cluster_site(folder: Path, urls: dict[str, str], *, broker_port: int, **settings: object) -> Path:
    """A site that asks for face masks everywhere; ``settings`` are further sections."""
    site = {
        "site": {"name": "cluster"},
        "mqtt": {"port": broker_port, "deepstream": True, "stats_interval": 5},
        "http": {"enabled": False},
        "state_dir": str(folder / "state"),
        "models": ["retinaface"],
        "fps": 2,
        "input_size": 320,
        "cameras": {
            name: {"url": url, **({} if "://" in url else {"loop": True})} for name, url in urls.items()
        },
        "rules": [
            {
                "name": "masks",
                "where": ["*"],
                "require": ["face_mask"],
                "dwell": 1,
                "clear": 2,
                "cooldown": 0,
            }
        ],
        **settings,
    }
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(site))
    return path
