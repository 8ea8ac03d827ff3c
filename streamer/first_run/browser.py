"""Serves the wizard until its files are written, it is interrupted, or nobody uses it any more."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from streamer.commands import CommandError, ExitCode
from streamer.first_run.web.access import START, OneBrowser
from streamer.first_run.web.app import Activity, create_wizard
from streamer.first_run.web.state import WizardState
from streamer.web.server import WebServer

#: A page that nobody uses for so long is not left open.
_IDLE_S: Final = 3600.0
#: The last page and what it loads are on their way for so long.
_LAST_S: Final = 1.0


def serve(path: Path, *, port: int, force: bool, environ: Mapping[str, str]) -> ExitCode:
    """Print the address and wait. Raises ``WebServerError`` when it cannot listen, ``CommandError`` if nobody comes."""
    browser, activity, written = OneBrowser(), Activity(), threading.Event()
    app = create_wizard(browser, WizardState(path, environ), activity, force=force, written=written.set)
    with WebServer(app, "127.0.0.1", port) as server:
        print("Open this address in a browser of this machine; it is good once:", flush=True)
        print(f"  {server.address}{START}?token={browser.entry}", flush=True)
        print(f"{path} is written at the end. Ctrl-C ends it before, and writes nothing.", flush=True)
        while not written.wait(1.0):
            if time.monotonic() - activity.last_s > _IDLE_S:
                raise CommandError(
                    f"nobody used the page for {_IDLE_S / 60:.0f} minutes; nothing was written"
                )
        time.sleep(_LAST_S)
    print(f"{path} is written.")
    return ExitCode.DONE
