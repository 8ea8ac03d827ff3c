"""Whether a browser that is left open on the dashboard grows: ``python benchmarks/bench_browser.py --minutes 60``.

The real daemon watches the demo's clip with two cameras and many rules, so that alerts come all the time. Debian's
Chromium has the wall and the feed open and is left alone. Every ``--every`` seconds garbage is collected and read: of
each page the JavaScript heap, DOM nodes and event listeners (Chrome's ``Performance.getMetrics``); of the browser, what
its renderers hold (resident, with what they share; and of their own), and all of its processes. After ``--settle``
minutes, in which the feed's page fills, a straight line is laid through each. A page that asks the server for nothing
between two readings ends the run.
"""

import argparse
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from devtools import Chromium, Tab, processes_below

from streamer.bench.broker import bench_broker
from streamer.bench.daemon_child import BenchError, DaemonChild, memory_of
from streamer.bench.sites import MANY_DWELLS_S, write_site
from streamer.bench.trend import trend
from streamer.demo.site import CLIP

PAGES = {"wall": "/", "feed": "/alerts"}
#: Counts what the page asks the server for, so that a page that stands still is not taken for one that does not grow.
COUNT_RENEWALS = """(() => {
    const asked = window.fetch;
    window.renewals = 0;
    window.fetch = (...all) => { window.renewals += 1; return asked(...all); };
})()"""


class WatchedPage:
    """A page that is left open; ``renewals`` is how often it has asked the server for something."""

    def __init__(self, browser: Chromium, url: str, *, collect: bool) -> None:
        self._collect = collect
        self._tab = Tab(browser, url, script=COUNT_RENEWALS)
        self.renewals = 0

    def read(self) -> dict[str, float]:
        """Raises ``RuntimeError`` when the page has asked for nothing since the last time."""
        if self._collect:
            self._tab.call("HeapProfiler.collectGarbage")
        told = {one["name"]: one["value"] for one in self._tab.call("Performance.getMetrics")["metrics"]}
        renewals = self._tab.evaluate("window.renewals")
        if renewals <= self.renewals:
            raise RuntimeError(f"{self._tab.url} stands still")
        self.renewals = renewals
        return {
            "heap, MB": told["JSHeapUsedSize"] / 1e6,
            "nodes": told["Nodes"],
            "listeners": told["JSEventListeners"],
        }


def browser_memory(browser: Chromium) -> dict[str, float]:
    """Of the renderers together, and of all processes: resident, and of that what is their own, in MB."""
    held = {"renderers' rss, MB": 0.0, "renderers' own, MB": 0.0, "all processes' own, MB": 0.0}
    for pid, kind in processes_below(browser.pid).items():
        # a helper may end between the list and its reading
        with suppress(OSError):
            memory = memory_of(pid)
            held["all processes' own, MB"] += memory.anonymous_mb
            if kind == "renderer":
                held["renderers' rss, MB"] += memory.rss_mb
                held["renderers' own, MB"] += memory.anonymous_mb
    return held


class KeptDaemon(DaemonChild):
    """A daemon that is started again when it has given up, as systemd does: a machine may be too busy for it."""

    restarts = 0

    def restart_if_ended(self) -> bool:
        """Whether it had ended."""
        try:
            self.check_alive()
        except BenchError:
            self.restarts += 1
            self.start()
            return True
        return False


@contextmanager
def dashboard(folder: Path) -> Iterator[tuple[str, KeptDaemon]]:
    """A daemon and the address of its dashboard; two cameras that loop the demo's clip, an alert each second or so."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    with bench_broker() as (_, port):
        site = write_site(
            folder,
            [CLIP, CLIP],
            broker_port=port,
            fps=2,
            models=["retinaface"],
            dwells_s=MANY_DWELLS_S,
            camera={"input_size": 320},
        )
        settings = yaml.safe_load(site.read_text(encoding="utf-8"))
        settings["http"] = {"listen": listen}
        site.write_text(yaml.safe_dump(settings), encoding="utf-8")
        with KeptDaemon(site) as daemon:
            daemon.start()
            yield f"http://{listen}", daemon


class Course:
    """What was read, by what it was read of and by figure; ``hours`` of the readings that count."""

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._began_s = time.monotonic()
        self.hours: list[float] = []
        self._values: dict[tuple[str, str], list[float]] = {}

    @property
    def age_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began_s

    def add(self, readings: Mapping[str, Mapping[str, float]]) -> None:
        """One reading of everything, printed for people to follow."""
        at_s = self.age_s
        told = [
            f"{who} {figure} {value:.1f}" for who, all_ in readings.items() for figure, value in all_.items()
        ]
        print(f"{at_s / 60:6.1f} min  {'; '.join(told)}", file=sys.stderr, flush=True)
        if at_s < self._settle_s:
            return
        self.hours.append(at_s / 3600)
        for who, figures in readings.items():
            for figure, value in figures.items():
                self._values.setdefault((who, figure), []).append(value)

    def report(self) -> None:
        """Medians of the first and the last quarter, and the slope with twice its standard error."""
        quarter = max(1, len(self.hours) // 4)
        for (who, figure), values in self._values.items():
            line = trend(self.hours, values)
            print(
                f"{who:8}{figure:23}first quarter {statistics.median(values[:quarter]):9.2f}"
                f"  last quarter {statistics.median(values[-quarter:]):9.2f}"
                f"  slope {line.slope:+9.2f} ± {2 * line.standard_error:.2f} an hour"
            )


def main() -> None:
    """Run the daemon, leave the browser open, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--settle", type=float, default=3.0, help="minutes that do not count")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two readings")
    parser.add_argument("--page", choices=PAGES, action="append", help="these alone; may be repeated")
    parser.add_argument(
        "--leave-garbage", action="store_true", help="collect none: the browser does when it likes"
    )
    args = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        dashboard(Path(folder)) as (address, daemon),
        Chromium(chromium) as browser,
    ):
        pages = {
            name: WatchedPage(browser, address + PAGES[name], collect=not args.leave_garbage)
            for name in args.page or PAGES
        }
        course = Course(60 * args.settle)
        # an interrupt ends it with what there is, also one that is sent to a job in the background
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            while course.age_s < 60 * (args.settle + args.minutes):
                time.sleep(args.every)
                if daemon.restart_if_ended():
                    print("the daemon was started anew", file=sys.stderr, flush=True)
                readings = {name: page.read() for name, page in pages.items()}
                own = {"own, MB": daemon.memory().anonymous_mb}
                course.add({**readings, "browser": browser_memory(browser), "daemon": own})
        course.report()
        for name, page in pages.items():
            print(f"{name:8}asked the server {page.renewals} times")
        counts = f"{len(course.hours)} readings, {daemon.alerts()} alerts, {daemon.restarts} restarts"
        print(f"{counts}, {browser.call('Browser.getVersion')['product']}")


if __name__ == "__main__":
    main()
