"""The site that is soaked: one that is given, with a broker and a state folder of its own, or recordings in a loop."""

from pathlib import Path
from typing import Any

import yaml

from config.document import read_document
from streamer.bench.sites import write_site
from streamer.demo.site import CLIP
from streamer.soak.busy_clip import busy_clip


def soak_site(folder: Path, *, broker_port: int, given: Path | None = None) -> Path:
    """Write ``folder/site.yaml`` and return its path; state goes to ``folder/state``.

    Without ``given``: one camera that loops the demo's clip and one that loops a busier one. With it: its cameras and
    rules; its broker is left alone, no page is served. Raises ``ConfigError`` when it cannot be read.
    """
    if given is None:
        clips = [CLIP, busy_clip(folder)]
        return write_site(
            folder,
            clips,
            broker_port=broker_port,
            fps=2.0,
            models=["retinaface"],
            dwells_s=(0.0, 0.5, 1.0, 1.5),
        )
    settings = dict(read_document(given).data)
    name = (settings.get("site") or {}).get("name", "soak")
    settings["mqtt"] = {"port": broker_port, "topic_prefix": f"ppewatch/{name}"}
    settings["http"] = {"enabled": False}
    settings["state_dir"] = str(folder / "state")
    base = given.absolute().parent
    for camera in (settings.get("cameras") or {}).values():
        camera["url"] = _absolute(camera.get("url"), base)
    inference = settings.get("inference") or {}
    for key in [key for key in inference if str(key).endswith("_weights")]:
        inference[key] = _absolute(inference[key], base)
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return path


def _absolute(place: Any, base: Path) -> Any:
    """A path of the site's folder as seen from anywhere; addresses and devices stay as they are."""
    if isinstance(place, str) and "://" not in place and (base / place).exists():
        return str(base / place)
    return place
