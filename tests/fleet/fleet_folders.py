"""Folders of fleets, for tests."""

from pathlib import Path

import yaml

#: The sites of ``write_fleet`` when nothing else is said.
SITES = ("north", "south", "east")


def write_fleet(folder: Path, *, port: int = 1883, sites=SITES, waves=(), defaults=None, own=None, **fleet):
    """A folder with ``fleet.yaml``, ``defaults.yaml`` and a file for each of ``sites``; targets lie in ``running/``.

    ``own``: what a site's file says beside its name, by site; ``fleet``: further keys of ``fleet.yaml``.
    """
    (folder / "sites").mkdir(parents=True, exist_ok=True)
    shared = {
        "mqtt": {"host": "127.0.0.1", "port": port},
        "http": {"enabled": False},
        "rules": [{"name": "masks", "where": ["*"], "require": ["face_mask"]}],
    }
    _dump(folder / "defaults.yaml", shared | (defaults or {}))
    for name in sites:
        site = {
            "site": {"name": name},
            "state_dir": f"{folder}/state-{name}",
            "cameras": {"gate": {"url": "rtsp://127.0.0.1/none"}},
        }
        _dump(folder / "sites" / f"{name}.yaml", site | (own or {}).get(name, {}))
    described = {
        "brokers": {"main": {"host": "127.0.0.1", "port": port}},
        "defaults": "defaults.yaml",
        "sites": {name: {"target": f"running/{name}.yaml"} for name in sites},
        "waves": [list(wave) for wave in waves],
    }
    for key, value in fleet.items():
        described[key] = value
    _dump(folder / "fleet.yaml", described)
    return folder


def _dump(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value, sort_keys=False))
