"""Findings in ONVIF's words: the tampering events of the Imaging Service, over MQTT with a JSON payload.

Topics and the message (a property with ``Source`` and ``State``): ONVIF Imaging Service Specification, Events. How an
event becomes an MQTT topic and JSON (``onvif-ej``; the namespace ``tns1:`` is dropped, properties are retained): ONVIF
Core Specification, Event Broker. What ONVIF has no name for (a frozen picture, clocks, frame rates) is not told here.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from streamer.fitness.findings import Code

#: Topic, and the codes any of which makes its state true.
TOPICS: Final[Mapping[str, frozenset[Code]]] = MappingProxyType(
    {
        "VideoSource/ImageTooBlurry/AnalyticsService": frozenset({Code.DEFOCUSED}),
        "VideoSource/ImageTooDark/AnalyticsService": frozenset({Code.DARK}),
        "VideoSource/ImageTooBright/AnalyticsService": frozenset({Code.BRIGHT}),
        "VideoSource/GlobalSceneChange/AnalyticsService": frozenset({Code.COVERED, Code.MOVED}),
        "VideoSource/SignalLoss": frozenset({Code.SIGNAL_LOSS}),
    }
)


def onvif_states(camera_id: str, codes: Iterable[Code]) -> dict[str, bool]:
    """The state of every property of a camera by topic, without prefix; ``codes``: what is wrong now."""
    wrong = frozenset(codes)
    return {f"onvif-ej/{topic}/&{camera_id}": bool(wrong & of) for topic, of in TOPICS.items()}


def onvif_message(camera_id: str, state: bool, utc_time: str) -> dict[str, Any]:
    """The payload; ``utc_time`` (ISO 8601) is when the state became so."""
    return {"UtcTime": utc_time, "Source": {"Source": camera_id}, "Data": {"State": state}}
