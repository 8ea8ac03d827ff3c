"""From the deciding frame to the subscriber, through the whole daemon, with several cameras at once."""

import statistics
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from config import load_site
from models.loading import installed_models
from streamer import wiring
from streamer.alerts.listen import AlertReader, PictureCheck, ReceivedAlert, listen
from streamer.alerts.payload import parse_utc
from streamer.app import Daemon
from streamer.bench.broker import bench_broker
from streamer.bench.figures import peak_memory_mb, percentiles_ms, spread
from streamer.bench.floor import decode_and_detect_s
from streamer.bench.sites import MANY_DWELLS_S, write_site
from streamer.detector_loading import load_detector
from streamer.inference.batcher import BatcherSnapshot


def measure_pipeline(
    clip: Path,
    *,
    cameras: int,
    fps: float,
    seconds: float,
    models: Collection[str] | None = None,
    repeats: int = 3,
) -> dict[str, Any]:
    """Run ``cameras`` cameras that loop ``clip``, looked at ``fps`` times a second, ``repeats`` times; the figures.

    ``models`` look at every camera; None: all that are installed. The runs take ``seconds`` together.
    ``latency`` runs from the reception of the frame that decided an alert until a subscriber has it with its picture
    verified. The floor is one look alone: decoding of one sampling interval plus detection on one frame.
    """
    lookers = sorted(installed_models() if models is None else models)
    detector = load_detector(models=lookers)
    floor_decode_s: list[float] = []
    floor_detect_s: list[float] = []
    latencies_s: list[float] = []
    ratios: list[float] = []
    accounts: list[BatcherSnapshot] = []
    wrong = 0
    with bench_broker() as (broker_name, port):
        for _ in range(repeats):
            decode_s, detect_s = decode_and_detect_s(clip, detector, frames=max(10, 40 // repeats), fps=fps)
            floor_decode_s += decode_s
            floor_detect_s += detect_s
            received, looks = _run(
                [clip] * cameras, fps=fps, seconds=seconds / repeats, models=lookers, broker_port=port
            )
            accounts.append(looks)
            wrong += sum(alert.check is PictureCheck.DIFFERS for alert in received)
            delays_s = [
                alert.received_at - parse_utc(alert.message["snapshot"]["frame_time"])
                for alert in received
                if alert.message["type"] == "new" and alert.message["snapshot"] is not None
            ]
            if delays_s:
                latencies_s += delays_s
                alone = [one + other for one, other in zip(decode_s, detect_s, strict=True)]
                ratios.append(statistics.median(delays_s) / statistics.median(alone))
    floor_s = [one + other for one, other in zip(floor_decode_s, floor_detect_s, strict=True)]
    analysed = [sum(look.analysed_fps for look in one.cameras) / cameras for one in accounts]
    return {
        "clip": clip.name,
        "models": " ".join(lookers),
        "cameras": cameras,
        "fps_wanted": fps,
        "fps_analysed_per_camera": spread(analysed, digits=2),
        "load": spread([one.load for one in accounts], digits=2),
        "missed_looks": sum(look.missed_looks for one in accounts for look in one.cameras),
        "broker": broker_name,
        "latency": percentiles_ms(latencies_s) if latencies_s else {"count": 0},
        "floor": percentiles_ms(floor_s),
        "floor_decode": percentiles_ms(floor_decode_s),
        "floor_detect": percentiles_ms(floor_detect_s),
        **({"ratio_latency": spread(ratios, digits=2)} if ratios else {}),
        "pictures_wrong": wrong,
        "peak_memory_mb": peak_memory_mb(),
    }


def _run(
    clips: Sequence[Path], *, fps: float, seconds: float, models: Collection[str], broker_port: int
) -> tuple[list[ReceivedAlert], BatcherSnapshot]:
    """The alerts that a subscriber got within ``seconds``, and what every camera got by then."""
    received: list[ReceivedAlert] = []
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        site = load_site(
            write_site(
                Path(folder),
                clips,
                broker_port=broker_port,
                fps=fps,
                models=models,
                dwells_s=MANY_DWELLS_S,
            )
        )
        stop = threading.Event()
        listener = threading.Thread(
            target=listen,
            args=(wiring.broker_of(site.mqtt),),
            kwargs={
                "topic_prefix": site.mqtt.topic_prefix,
                "reader": AlertReader(on_alert=received.append, on_notice=lambda _text: None),
                "stop": stop,
                "on_notice": lambda _text: None,
            },
            daemon=True,
        )
        listener.start()
        daemon = Daemon(site)
        daemon.start()
        time.sleep(seconds)
        looks = daemon.looks()
        daemon.stop()
        stop.set()
        listener.join(5.0)
    return received, looks
