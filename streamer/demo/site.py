"""The site that ``ppewatch demo`` watches: one camera that plays the clip over and over, and one rule."""

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import yaml

CLIP: Final = Path(__file__).with_name("assets") / "demo.mp4"
CAMERA: Final = "entrance"
RULE: Final = "face masks at the entrance"


def demo_site_yaml(
    *,
    broker_host: str,
    broker_port: int,
    state_dir: Path,
    http_listen: str = "127.0.0.1:8787",
    clip: Path = CLIP,
    timezone: str = "UTC",
) -> str:
    """The demo's SITE.yaml, to be read by ``config.load_site`` like any other.

    There is no cooldown: whenever the clip starts over, the same person comes in anew and is to be told anew.
    """
    site: dict[str, Any] = {
        "site": {"name": "demo", "timezone": timezone},
        # the embedded broker speaks 3.1.1 alone
        "mqtt": {
            "host": broker_host,
            "port": broker_port,
            "topic_prefix": "ppewatch/demo",
            "protocol": "3.1.1",
        },
        "http": {"listen": http_listen},
        "state_dir": str(state_dir),
        "cameras": {CAMERA: {"url": str(clip), "loop": True, "fps": 5}},
        "rules": [
            {
                "name": RULE,
                "where": [CAMERA],
                "require": ["face_mask"],
                "dwell": "1.5s",
                "clear": "3s",
                "cooldown": "0s",
            }
        ],
    }
    return yaml.safe_dump(site, sort_keys=False, allow_unicode=True)


def prepare_site(
    folder: Path, *, broker_host: str, broker_port: int, http_listen: str, timezone: str = "UTC"
) -> Path:
    """Write the demo's SITE.yaml into ``folder``, made when it is not there, and return the file's path.

    Its state goes into ``folder/state``; the other arguments are those of ``demo_site_yaml``. Raises
    ``OSError``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = demo_site_yaml(
        broker_host=broker_host,
        broker_port=broker_port,
        state_dir=folder.resolve() / "state",
        http_listen=http_listen,
        timezone=timezone,
    )
    path = folder / "demo.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def free_listen_address(preferred_port: int = 8787) -> str:
    """``127.0.0.1:<preferred_port>``, or another port when that one is taken (somebody may run two demos)."""
    for port in (preferred_port, 0):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)) as free:
            return f"127.0.0.1:{free.getsockname()[1]}"
    return f"127.0.0.1:{preferred_port}"  # none is free: let the web server say so
