"""ONVIF: what is seen as analytics metadata, and open alerts as a property event, both as JSON over MQTT.

Metadata: Analytics Service Specification, JSON over MQTT (``onvif-mj``): attributes begin with ``@``, coordinates run
from -1 to 1 with y upwards. Accessories: ``humanface.xsd``, ``Accessory`` of ``Mask`` and ``Helmet``, each with
``Wear``. Events: Core Specification, Event Broker (``onvif-ej``). ONVIF knows no rule for missing equipment, so its
topic and what it has no name for carry a prefix of our own.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.structures import Gear, GearState
from rules import Track
from streamer.alerts.payload import Alert, AlertType, encode_json, utc_iso

#: What stands in ``@context`` for the names that are not ONVIF's.
_OWN_NAMESPACE: Final = "urn:ppewatch:onvif"
_MODULE: Final = "ppewatch"
_ACCESSORIES: Final[Mapping[Gear, str]] = {Gear.FACE_MASK: "Mask", Gear.HARD_HAT: "Helmet"}
#: May not stand in a level of a topic.
_RESERVED: Final = re.compile(r"[/#+\0]")


def metadata_topic(camera_id: str) -> str:
    """Where a camera's metadata stands, below the prefix."""
    return f"onvif-mj/VideoAnalytics/{camera_id}/{_MODULE}"


def metadata_message(
    camera_id: str, image_hw: tuple[int, int], captured_at: float, tracks: Sequence[Track]
) -> bytes:
    """One frame: the people who are seen in it and of whom a rule asks something. Without any it has no ``Object``,
    which says that it was looked at.
    """
    frame: dict[str, Any] = {"@UtcTime": utc_iso(captured_at), "@Source": _MODULE}
    objects = [
        _object(track, image_hw)
        for track in tracks
        if track.last_seen_at == captured_at and track.is_relevant and not track.is_static
    ]
    if objects:
        frame["@context"] = {"ppe": _OWN_NAMESPACE}
        frame["Object"] = objects
    return encode_json({"Frame": [{**frame, "ppe:Camera": camera_id}]})


def _object(track: Track, image_hw: tuple[int, int]) -> dict[str, Any]:
    height, width = image_hw
    x1, y1, x2, y2 = (float(side) for side in track.observation.box_xyxy)

    def across(x: float) -> float:
        return round(2 * x / width - 1, 5)

    def up(y: float) -> float:
        return round(1 - 2 * y / height, 5)

    accessories = {
        _ACCESSORIES[gear]: _accessory(verdict.state)
        for gear, verdict in track.gear.items()
        if gear in _ACCESSORIES
    }
    appearance: dict[str, Any] = {
        "Shape": {
            "BoundingBox": {"@left": across(x1), "@top": up(y1), "@right": across(x2), "@bottom": up(y2)},
            "CenterOfGravity": {"@x": across((x1 + x2) / 2), "@y": up((y1 + y2) / 2)},
        },
        "Class": {"Type": [{"@Likelihood": 1.0, "#text": "Human"}]},
    }
    if accessories:
        appearance["HumanFace"] = {"Accessory": accessories}
    return {"@ObjectId": track.track_id, "Appearance": appearance}


def _accessory(state: GearState) -> dict[str, Any]:
    """``Wear`` is left out where nobody can tell. A mask below the nose is worn, in ONVIF's words, and wrongly."""
    wear = {GearState.WORN: True, GearState.INCORRECT: True, GearState.MISSING: False}.get(state)
    told = {} if wear is None else {"Wear": wear}
    return {**told, "ppe:State": str(state)}


class ViolationProperties:
    """Which rules are broken at which camera, as properties: true while alerts of it are open. One thread uses it."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], dict[str, Alert]] = {}

    def take(self, alert: Alert, at: float) -> tuple[str, bytes]:
        """Take a message in its order; returns topic (below the prefix) and retained payload of its property.

        ``at`` is the time of the change, UTC epoch seconds.
        """
        key = alert.camera, alert.rule
        episodes = self._open.setdefault(key, {})
        if alert.type is AlertType.END:
            episodes.pop(alert.alert_id, None)
        else:
            episodes[alert.alert_id] = alert
        missing = sorted({gear for episode in episodes.values() for gear in episode.missing})
        message = {
            "UtcTime": utc_iso(at),
            "Source": {"VideoSource": alert.camera, "AnalyticsConfiguration": _MODULE, "Rule": alert.rule},
            "Data": {
                "State": bool(episodes),
                "ObjectId": ",".join(
                    str(each.track_id) for each in episodes.values() if each.track_id is not None
                ),
                "Missing": ",".join(missing),
            },
        }
        return violation_topic(alert.camera, alert.rule), encode_json(message)


def violation_topic(camera_id: str, rule: str) -> str:
    """The property's topic below the prefix; what may not stand in a topic is left out of the rule's name."""
    return f"onvif-ej/RuleEngine/ppe:Compliance/Violation/&{camera_id}/{_MODULE}/{_RESERVED.sub('', rule)}"
