"""From the deciding frame to the subscriber, through the whole daemon, with several cameras at once."""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from config import load_site
from models.loading import installed_models
from streamer import wiring
from streamer.alerts.listen import AlertReader, PictureCheck, ReceivedAlert, listen
from streamer.alerts.payload import parse_utc
from streamer.app import Daemon
from streamer.bench.figures import peak_memory_mb, percentiles_ms
from streamer.bench.floor import decode_and_detect_s
from streamer.demo.broker import EmbeddedBroker
from streamer.detector_loading import load_detector

#: Rules with different dwell times make several alerts, each with a deciding frame of its own, out of one person.
_DWELLS_S: Final = (0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1)


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
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder, _broker() as (broker_name, port):
        site_path = Path(folder) / "site.yaml"
        settings = _settings(clip, cameras=cameras, fps=fps, models=lookers)
        site_path.write_text(
            yaml.safe_dump({**settings, "mqtt": {"port": port}, "state_dir": f"{folder}/state"})
        )
        site = load_site(site_path)
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


def _settings(clip: Path, *, cameras: int, fps: float, models: list[str]) -> dict[str, Any]:
    """A site of which nobody wears what is required, as far as ``models`` can tell."""
    return {
        "site": {"name": "bench"},
        "http": {"enabled": False},
        "models": models,
        "cameras": {
            f"camera{n}": {"url": str(clip.resolve()), "loop": True, "fps": fps} for n in range(cameras)
        },
        "rules": [
            {
                "name": f"dwell {dwell_s}",
                "where": ["*"],
                "require": ["face_mask" if "retinaface" in models else "hard_hat"],
                "dwell": dwell_s,
                "clear": 1,
                "cooldown": 0,
            }
            for dwell_s in _DWELLS_S
        ],
    }


@contextmanager
def _broker() -> Iterator[tuple[str, int]]:
    """mosquitto where it is installed, as sites have it; else the embedded broker, which costs time of its own."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        with EmbeddedBroker() as embedded:
            yield "embedded (amqtt)", embedded.port
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield "mosquitto", port
    finally:
        process.terminate()
        process.wait(5)


def _wait_for(port: int, *, seconds: float = 10.0) -> None:
    """Until something takes connections on ``port`` of this machine. Raises ``OSError`` when nothing does."""
    end_s = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)
        else:
            return
