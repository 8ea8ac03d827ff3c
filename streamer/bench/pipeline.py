"""From the deciding frame to the subscriber, through the whole daemon, with several cameras at once."""

import tempfile
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from config import load_site
from models.loading import installed_models
from streamer import wiring
from streamer.alerts.listen import AlertReader, PictureCheck, ReceivedAlert, listen
from streamer.alerts.payload import parse_utc
from streamer.app import Daemon
from streamer.bench.broker import bench_broker
from streamer.bench.figures import peak_memory_mb, percentiles_ms
from streamer.bench.floor import decode_and_detect_s
from streamer.bench.sites import MANY_DWELLS_S, write_site
from streamer.detector_loading import load_detector


def measure_pipeline(
    clip: Path, *, cameras: int, fps: float, seconds: float, models: Collection[str] | None = None
) -> dict[str, Any]:
    """Run ``cameras`` cameras that loop ``clip``, looked at ``fps`` times a second, for ``seconds``; the figures.

    ``models`` look at every camera; None: all that are installed.
    ``latency`` runs from the reception of the frame that decided an alert until a subscriber has it with its picture
    verified. The floor is one look alone: decoding of one sampling interval plus detection on one frame.
    """
    lookers = sorted(installed_models() if models is None else models)
    detector = load_detector(models=lookers)
    floor_decode_s, floor_detect_s = decode_and_detect_s(clip, detector, frames=40, fps=fps)
    received: list[ReceivedAlert] = []
    with (
        tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder,
        bench_broker() as (broker_name, port),
    ):
        site = load_site(
            write_site(
                Path(folder),
                [clip] * cameras,
                broker_port=port,
                fps=fps,
                models=lookers,
                dwells_s=MANY_DWELLS_S,
            )
        )
        stop = threading.Event()
        reader = AlertReader(on_alert=received.append, on_notice=lambda _text: None)
        listener = threading.Thread(
            target=listen,
            args=(wiring.broker_of(site.mqtt),),
            kwargs={
                "topic_prefix": site.mqtt.topic_prefix,
                "reader": reader,
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
    delays_s = [
        alert.received_at - parse_utc(alert.message["snapshot"]["frame_time"])
        for alert in received
        if alert.message["type"] == "new" and alert.message["snapshot"] is not None
    ]
    latency = percentiles_ms(delays_s) if delays_s else {"count": 0}
    floor_s = [decode + detect for decode, detect in zip(floor_decode_s, floor_detect_s, strict=True)]
    floor = percentiles_ms(floor_s)
    return {
        "clip": clip.name,
        "models": " ".join(lookers),
        "cameras": cameras,
        "fps_wanted": fps,
        "fps_analysed_per_camera": round(
            sum(look.analysed_fps for look in looks.cameras) / max(1, cameras), 2
        ),
        "load": round(looks.load, 2),
        "missed_looks": sum(look.missed_looks for look in looks.cameras),
        "broker": broker_name,
        "latency": latency,
        "floor": floor,
        "floor_decode": percentiles_ms(floor_decode_s),
        "floor_detect": percentiles_ms(floor_detect_s),
        "ratio_p50": round(latency["p50_ms"] / floor["p50_ms"], 2) if delays_s else None,
        "pictures_wrong": sum(alert.check is PictureCheck.DIFFERS for alert in received),
        "peak_memory_mb": peak_memory_mb(),
    }
