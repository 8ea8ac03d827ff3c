"""One camera of a SITE.yaml, as commands are told which."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.commands import UsageError

if TYPE_CHECKING:
    from config import SiteSettings


def add_camera_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare ``--config`` and ``--camera``; ``what`` says what is taken from them."""
    parser.add_argument("--config", type=Path, metavar="SITE.yaml", help=what)
    parser.add_argument(
        "--camera", metavar="NAME", help="which camera of SITE.yaml (needed when it has several)"
    )


def site_and_camera(config: Path, camera: str | None) -> "tuple[SiteSettings, str]":
    """The site, whose secrets are shown nowhere from then on, and the name of its camera.

    Raises ``UsageError`` or ``ConfigError``.
    """
    from config import load_site
    from streamer.redaction import install_redaction

    site = load_site(config)
    install_redaction(site.secrets())
    names = ", ".join(site.cameras)
    if camera is None and len(site.cameras) > 1:
        raise UsageError(f"{config} has several cameras; say with --camera which: {names}")
    camera_id = camera or next(iter(site.cameras))
    if camera_id not in site.cameras:
        raise UsageError(f"--camera: {config} has no {camera_id!r}; there are {names}")
    return site, camera_id
