"""``ppewatch run``: the daemon, in the foreground; systemd runs just this."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.commands import ExitCode

if TYPE_CHECKING:
    from streamer.app import Daemon

HELP = "watch a site: the daemon, in the foreground"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("site", type=Path, metavar="SITE.yaml")


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP reloads SITE.yaml."""
    from models.runtime.memory import keep_no_large_blocks
    from streamer.service.signals import Request, SignalRequests

    # before anything large is made
    keep_no_large_blocks()
    # before anything that takes a while: a reload that comes early must not end the process
    with SignalRequests() as signals:
        from config import load_site
        from streamer.app import Daemon
        from streamer.service.sd_notify import ServiceNotifier

        site = load_site(args.site)
        notifier = ServiceNotifier.from_environment()
        daemon = Daemon(site, notifier=notifier)
        early: list[Request | None] = []

        def stopping() -> bool:
            early.append(signals.wait(0.0))
            return early[-1] is Request.STOP

        daemon.start(stopping=stopping)
        if Request.RELOAD in early:
            _reload(daemon, args.site)
        while (request := signals.wait(3600.0)) is not Request.STOP:
            if request is Request.RELOAD:
                _reload(daemon, args.site)
        daemon.stop()
    return ExitCode.DONE


def _reload(daemon: "Daemon", path: Path) -> None:
    """Reload, or say what is wrong with the new settings and go on with the old ones."""
    from config import ConfigError, load_site

    try:
        site = load_site(path)
    except ConfigError as error:
        daemon.refuse_reload(str(error))
        return
    daemon.reload(site)
