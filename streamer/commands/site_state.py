"""Where a site's state lies, as commands that read it are told."""

import argparse
import os
from pathlib import Path
from typing import Protocol


class _TakesArguments(Protocol):
    def add_mutually_exclusive_group(self) -> argparse._MutuallyExclusiveGroup: ...


def add_state_arguments(parser: _TakesArguments) -> None:
    """Declare ``--config`` and ``--state-dir``."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="SITE.yaml", help="the site")
    where.add_argument("--state-dir", type=Path, metavar="DIR", help="the site's state_dir")


def state_dir_of(args: argparse.Namespace) -> Path:
    """The folder that they name, or the usual one. Raises ``ConfigError``."""
    if args.state_dir is not None:
        return Path(args.state_dir)
    if args.config is not None:
        from config import load_site

        return load_site(args.config).state_dir
    from config.site import default_state_dir

    return Path(default_state_dir(os.environ))
