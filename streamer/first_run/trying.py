"""Tries what was answered: does the broker take us, does a camera give a picture?"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2

from config.secret_text import expand_variables
from streamer.alerts.broker import Broker, BrokerTls
from streamer.alerts.broker_check import check_broker
from streamer.first_run.plan import BrokerPlan, CameraPlan
from streamer.ingest.errors import IngestError
from streamer.ingest.probe import ProbeReport, probe
from streamer.ingest.source import Source
from streamer.ingest.urls import secrets_of
from streamer.redaction import install_redaction, redact

#: A camera is watched for so long once it gives pictures: two of its key frames, as a rule.
_WATCHED_S: Final = 2.0
#: Pictures that are shown have this longest side.
_SHOWN_PX: Final = 1280
_QUALITY: Final = 85
_NOT_AUTHORISED: Final = "not authorised"


@dataclass(frozen=True, slots=True)
class CameraLook:
    """What became of trying a camera.

    - ``problem``: why there is no picture, in words; empty where there is one.
    - ``said``: codec, size, rates.
    - ``image_hw``: of its frames.
    - ``jpeg``: the last frame, at most ``_SHOWN_PX`` pixels wide; nothing in it is blurred.
    """

    problem: str = ""
    said: str = ""
    image_hw: tuple[int, int] = (0, 0)
    jpeg: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        """Whether a picture came."""
        return not self.problem


def try_broker(broker: BrokerPlan, *, site: str) -> str | None:
    """Connect and log in as the daemon would; None when the broker took us, else why not, without any secret."""
    plan = Broker(
        host=broker.host,
        port=broker.port,
        user=broker.user or None,
        password=broker.password.value if broker.password else None,
        tls=BrokerTls(ca_file=Path(broker.ca_file) if broker.ca_file else None) if broker.tls else None,
    )
    problem = check_broker(plan, client_id=f"ppewatch-{site}-init")
    if problem is None:
        return None
    if problem.endswith(_NOT_AUTHORISED):
        # what brokers say of MQTT 3.1.1 to everybody whom they do not know
        problem += " (a wrong user or password)" if broker.user else " (it asks for a user and password)"
    return redact(problem)


def try_camera(camera: CameraPlan, environ: dict[str, str] | None = None) -> CameraLook:
    """Open the stream, watch it for a moment and take a picture. Asks once: cameras lock accounts after a few."""
    try:
        source = source_of(camera, environ or {})
    except ValueError as error:
        return CameraLook(redact(str(error)))
    try:
        return _look(probe(source, seconds=_WATCHED_S))
    except IngestError as error:
        return CameraLook(redact(str(error)))


def source_of(camera: CameraPlan, environ: dict[str, str]) -> Source:
    """How the camera is read; its secrets are redacted from now on. Raises ``ValueError``."""
    source = Source(
        expand_variables(camera.url, environ),
        user=camera.user or None,
        password=camera.password.value if camera.password else None,
    )
    install_redaction(secrets_of(source.url, source.password))
    return source


def _look(report: ProbeReport) -> CameraLook:
    height, width = report.stream.image_hw
    rate = report.measured_fps or report.stream.fps
    said = f"{report.stream.codec} {width}x{height}" + (f", {rate:.3g} frames a second" if rate else "")
    if report.keyframe_interval_s:
        said += f", a key frame every {report.keyframe_interval_s:.1f} s"
    scale = min(1.0, _SHOWN_PX / max(height, width))
    rgb = report.sample.rgb((max(1, round(height * scale)), max(1, round(width * scale))))
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return CameraLook("", said, (height, width), data.tobytes())
