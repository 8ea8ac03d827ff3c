"""How long the dashboard's feed takes to answer with many alerts in the outbox: ``python benchmarks/bench_feed.py``.

Real HTTP to the real server over a real outbox of ``--alerts`` alerts, each with its end; medians of ``--repeats``
requests, and the slowest. Times are from the request to the last byte.
"""

import argparse
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import cast

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.detector import SelectiveDetector
from streamer.alerts.alert_search import AlertSearch
from streamer.alerts.broker import Broker
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import Alert, AlertType, Evidence
from streamer.alerts.publisher import Publisher
from streamer.inference.batcher import Batcher
from streamer.inference.worker import InferenceWorker
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import SiteWatch, Station
from streamer.status.alert_tally import AlertTally
from streamer.status.board import StatusBoard
from streamer.status.health import HealthBook
from streamer.web.app import create_app
from streamer.web.server import WebServer


def fill(outbox: Outbox, count: int) -> None:
    """``count`` alerts, one each ten minutes, over eight cameras and four rules."""
    for number in range(count):
        at = 1_780_000_000.0 + 600 * number
        alert = Alert(
            type=AlertType.NEW,
            alert_id=f"01JD{number:022d}",
            site="north-yard",
            camera=f"camera-{number % 8}",
            zone=f"zone-{number % 3}",
            rule=f"rule {number % 4}",
            missing=("hard_hat",),
            severity="alert",
            track_id=number,
            score=0.93,
            box_xyxy=(812.0, 214.0, 934.0, 610.0),
            image_hw=(1080, 1920),
            started_at=at,
            confirmed_at=at + 2,
            evidence={"hard_hat": Evidence("missing", 0.93, "bare head 0.93, no hard hat on it")},
        )
        trace = [{"at": at, "event": "dwell", "detail": "bare head 0.93 (40 px)"}] * 6
        outbox.enqueue(alert, None, at=at + 2, trace=trace)
        ended = replace(alert, type=AlertType.END, ended_at=at + 30, end_reason="worn")
        outbox.enqueue(ended, None, at=at + 31, trace=trace)


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Outbox(Path(folder)) as outbox:
        fill(outbox, args.alerts)
        board = board_of(outbox, Path(folder))
        middle = 2 * (args.alerts // 2)
        queries = {
            "newest page": "/part/alerts",
            "a page in the middle": f"/part/alerts?before={middle}",
            "one camera": "/part/alerts?camera=camera-3",
            "one zone and rule": "/part/alerts?zone=zone-1&rule=rule+2",
            "a day a year ago": "/part/alerts?since=2026-06-01T00:00&until=2026-06-02T00:00",
            "nothing fits": "/part/alerts?rule=none",
            "one alert": f"/alerts/01JD{args.alerts // 2:022d}",
            "200 as JSON": "/api/alerts?limit=200",
        }
        with WebServer(create_app(board, site_name="bench", version="0"), "127.0.0.1", 0) as server:
            for name, path in queries.items():
                times_ms = [asked_ms(server.address + path) for _ in range(args.repeats)]
                print(
                    f"{name:24} median {statistics.median(times_ms):6.1f} ms, slowest {max(times_ms):6.1f} ms"
                )


class NoCameras:
    """A watch of a site without cameras: what ``StatusBoard`` asks of one, and nothing runs."""

    judging_failures = 0

    def __init__(self) -> None:
        self.stations: dict[str, Station] = {}
        self.heartbeats = Heartbeats()
        self._batcher = Batcher(max_batch=1, max_age_s=1.0, collect_window_s=0.0)
        worker = InferenceWorker(
            batcher=self._batcher,
            load_detector=no_detector,
            sink=lambda _result: None,
            device="cpu",
            initial_sizes=[],
            pulse=self.heartbeats.add("inference"),
        )
        self.looks, self.models = self._batcher.snapshot, worker.status
        self.compliance = self.head_sizes = dict


def board_of(outbox: Outbox, folder: Path) -> StatusBoard:
    """The status of a daemon without cameras, whose outbox this is and whose parts are not started."""
    watch = NoCameras()
    return StatusBoard(
        watch=cast(SiteWatch, watch),
        outbox=outbox,
        alerts=AlertSearch(folder),
        tally=AlertTally(),
        publisher=Publisher(Broker(host="127.0.0.1"), outbox, topic_prefix="ppewatch/bench"),
        broker_address="127.0.0.1:1883",
        heartbeats=watch.heartbeats,
        health=HealthBook(models=watch.models, on_change=lambda _health: None),
    )


def no_detector(*, device: str) -> SelectiveDetector:
    """Nobody looks here."""
    raise NotImplementedError(device)


def asked_ms(url: str) -> float:
    """Milliseconds from the request to the last byte."""
    began_s = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        answer.read()
    return 1000 * (time.perf_counter() - began_s)


if __name__ == "__main__":
    main()
