"""``ppewatch run``: the daemon, in the foreground; systemd runs just this."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamer.commands import ExitCode

if TYPE_CHECKING:
    from config import SiteSettings
    from streamer.app import Daemon
    from streamer.pulse import Pulse
    from streamer.site_watch import WatchMaker

HELP = "watch a site: the daemon, in the foreground"

#: The main thread's signs of life, and what it may take for settings that change: cameras are let go and taken in one
#: after the other, of which a busy machine does not do two in a second.
_BEAT_EVERY_S: Final = 2.0
_RELOAD_S: Final = 120.0
_RELOAD_PER_CAMERA_S: Final = 2.0

#: What takes longer to stop hangs; systemd would end it after 30 s (``TimeoutStopSec``), without a word.
_STOP_S: Final = 25.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("site", type=Path, metavar="SITE.yaml")
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="spread the work over the machines of a Ray cluster: HOST:PORT of its head, or local",
    )


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
        from streamer.commands.process_secrets import take_secrets_from_environment
        from streamer.process_end import end_within
        from streamer.service.last_guard import LastGuard
        from streamer.service.sd_notify import ServiceNotifier
        from streamer.site_text import SiteSource

        # what a reload may ask for again, and nobody else
        environ = dict(os.environ)
        site = load_site(args.site, environ)
        take_secrets_from_environment(site.secrets())
        notifier = ServiceNotifier.from_environment()
        # not in a terminal, where somebody who stops it with Ctrl-Z means to go on later
        daemon = Daemon(
            site,
            notifier=notifier,
            guard=None if sys.stderr.isatty() else LastGuard(),
            watch=_watch(site, args.cluster),
            source=SiteSource(args.site, environ),
        )
        early: list[Request | None] = []

        def stopping() -> bool:
            early.append(signals.wait(0.0))
            return early[-1] is Request.STOP

        daemon.start(stopping=stopping)
        pulse = daemon.watch_main()
        if Request.RELOAD in early:
            _reload(daemon, args.site, environ, pulse)
        while (request := signals.wait(_BEAT_EVERY_S)) is not Request.STOP:
            pulse.beat()
            if request is Request.RELOAD:
                pulse.allow(_RELOAD_S)
                _reload(daemon, args.site, environ, pulse)
        end_within(_STOP_S, ExitCode.GAVE_UP, "stop_hangs: the daemon did not stop in order")
        daemon.stop()
    return ExitCode.DONE


def _watch(site: "SiteSettings", cluster: str | None) -> "WatchMaker":
    """Cameras, models and rules in this process, or on a cluster. Raises ``ClusterError``."""
    address = cluster or site.cluster.address
    if address is None:
        from streamer.local_watch import LocalWatch

        return LocalWatch
    from streamer.cluster.making import cluster_watch

    return cluster_watch(site, address)


def _reload(daemon: "Daemon", path: Path, environ: Mapping[str, str], pulse: "Pulse") -> None:
    """Reload, or say what is wrong with the new settings and go on with the old ones."""
    from config import ConfigError, load_site
    from streamer.commands.process_secrets import take_secrets_from_environment

    daemon.begin_reload()
    try:
        site = load_site(path, environ)
    except ConfigError as error:
        daemon.refuse_reload(str(error))
        return
    take_secrets_from_environment(site.secrets())
    pulse.allow(_RELOAD_S + _RELOAD_PER_CAMERA_S * len(site.cameras))
    daemon.reload(site)
