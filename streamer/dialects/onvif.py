"""ONVIF: what is seen as analytics metadata, and open alerts as a property event, both as JSON over MQTT.

Metadata: Analytics Service Specification, JSON over MQTT (``onvif-mj``): attributes begin with ``@``, coordinates run
from -1 to 1 with y upwards. Accessories: ``humanface.xsd``, ``Accessory`` of ``Mask`` and ``Helmet``, each with
``Wear``. Events: Core Specification, Event Broker (``onvif-ej``). ONVIF knows no rule for missing equipment, so its
topic and what it has no name for carry a prefix of our own.
"""

import re
from collections.abc import Container, Mapping, Sequence
from threading import Lock
from typing import Any, Final

from models.structures import Gear, GearState
from rules import Track
from streamer.alerts.payload import Alert, AlertType, encode_json, utc_iso
from streamer.dialects.seen_box import seen_box

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
    x1, y1, x2, y2 = seen_box(track, image_hw)

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
    """Which rules are broken at which camera, as properties: true while alerts of it are open. Any thread may call."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[tuple[str, str], dict[str, Alert]] = {}
        self._changed_at: dict[tuple[str, str], float] = {}

    def take(self, alert: Alert, at: float) -> None:
        """Take a message in its order; ``at`` is when it was made, UTC epoch seconds."""
        key = alert.camera, alert.rule
        with self._lock:
            episodes = self._open.setdefault(key, {})
            before = dict(episodes)
            if alert.type is AlertType.END:
                episodes.pop(alert.alert_id, None)
            else:
                episodes[alert.alert_id] = alert
            # the end of one that an earlier run told, too: what that run retained still says that it is open
            if alert.type is AlertType.END or episodes.keys() != before.keys():
                self._changed_at[key] = at

    def states(self, cameras: Container[str]) -> list[tuple[str, bytes]]:
        """Topic (below the prefix) and retained payload of every property of ``cameras`` that was ever true, as it is
        now.
        """
        with self._lock:
            return [
                (violation_topic(*key), _violation_message(key, list(self._open[key].values()), changed_at))
                for key, changed_at in self._changed_at.items()
                if key[0] in cameras
            ]


def _violation_message(key: tuple[str, str], episodes: Sequence[Alert], changed_at: float) -> bytes:
    camera, rule = key
    missing = sorted({gear for episode in episodes for gear in episode.missing})
    people = [str(episode.track_id) for episode in episodes if episode.track_id is not None]
    return encode_json(
        {
            "UtcTime": utc_iso(changed_at),
            "Source": {"VideoSource": camera, "AnalyticsConfiguration": _MODULE, "Rule": rule},
            "Data": {"State": bool(episodes), "ObjectId": ",".join(people), "Missing": ",".join(missing)},
        }
    )


def violation_topic(camera_id: str, rule: str) -> str:
    """The property's topic below the prefix; what may not stand in a topic is left out of the rule's name."""
    return f"onvif-ej/RuleEngine/ppe:Compliance/Violation/&{camera_id}/{_MODULE}/{_RESERVED.sub('', rule)}"
