"""A subscriber that does with discovery messages what Home Assistant documents: devices, entities, their states.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and the pages of the platforms.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment
from paho.mqtt.client import topic_matches_sub

TOPIC = re.compile(r"homeassistant/device/(?P<object_id>[a-zA-Z0-9_-]+)/config")
#: Keys of a device (abbreviated or not) and of each platform, as documented.
DEVICE_KEYS = {"ids", "name", "mf", "mdl", "sw", "via_device", "cu"}
COMMON = {
    "p", "name", "unique_id", "icon", "entity_category", "availability", "availability_mode", "qos", "value_template",
    "json_attributes_topic", "state_topic",
}  # fmt: skip
PLATFORMS = {
    "binary_sensor": {"device_class", "payload_on", "payload_off"},
    "sensor": {"unit_of_measurement", "state_class", "device_class"},
    "event": {"event_types", "device_class"},
    "image": {"image_topic", "content_type", "url_topic"},
    "switch": {"command_topic", "optimistic", "payload_on", "payload_off"},
    "button": {"command_topic", "payload_press"},
}
NEEDS = {
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
    "image": {"image_topic"},
    "switch": {"command_topic"},
    "button": {"command_topic"},
}


@dataclass
class Entity:
    """One entity: its configuration and what it shows."""

    key: str
    config: dict[str, Any]
    device: dict[str, Any]
    state: Any = None
    available: dict[str, bool] = field(default_factory=dict)

    @property
    def is_available(self) -> bool:
        return all(self.available.get(each["topic"], False) for each in self.config["availability"])


class HomeAssistantLike:
    """Takes messages in their order. Raises ``AssertionError`` for what the documentation does not allow."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.templates = Environment(autoescape=False)

    def take(self, topic: str, payload: bytes) -> None:
        discovered = TOPIC.fullmatch(topic)
        if discovered:
            self._discover(discovered["object_id"], payload)
            return
        for entity in self.entities.values():
            self._update(entity, topic, payload)

    def of(self, device: str, key: str) -> Entity:
        return self.entities[f"{device}_{key}"]

    def _discover(self, object_id: str, payload: bytes) -> None:
        before = {
            entity.key: name for name, entity in self.entities.items() if object_id in entity.device["ids"]
        }
        if not payload:
            for name in before.values():
                del self.entities[name]
            return
        told = json.loads(payload)
        assert set(told["dev"]) <= DEVICE_KEYS
        assert told["dev"]["ids"]
        assert told["o"]["name"]
        for key, part in told["cmps"].items():
            platform = part["p"]
            if set(part) == {"p"}:
                self.entities.pop(before.get(key, ""), None)
                continue
            assert set(part) - COMMON - PLATFORMS[platform] == set(), (key, part)
            assert NEEDS[platform] <= set(part), (key, part)
            assert re.fullmatch(r"[a-zA-Z0-9_-]+", part["unique_id"])
            taken = self.entities.get(part["unique_id"])
            assert taken is None or before.get(key) == part["unique_id"], "unique ids are unique"
            shared = {
                name: told[name] for name in ("availability", "availability_mode", "qos") if name in told
            }
            self.entities[part["unique_id"]] = Entity(key, {**shared, **part}, told["dev"])

    def _update(self, entity: Entity, topic: str, payload: bytes) -> None:
        for each in entity.config["availability"]:
            told = self._rendered(each.get("value_template"), payload) if each["topic"] == topic else None
            # any other word changes nothing
            if told in {"online", "offline"}:
                entity.available[topic] = told == "online"
        source = entity.config.get("state_topic") or entity.config.get("image_topic")
        if source is None or not topic_matches_sub(source, topic):
            return
        if entity.config["p"] == "image":
            entity.state = payload
            return
        value = self._rendered(entity.config.get("value_template"), payload)
        if entity.config["p"] == "event":
            if value:
                event = json.loads(value)
                assert event["event_type"] in entity.config["event_types"]
                entity.state = event
        else:
            entity.state = None if value == "None" else value

    def _rendered(self, template: str | None, payload: bytes) -> str:
        text = payload.decode()
        if template is None:
            return text
        try:
            value_json = json.loads(text)
        except ValueError:
            value_json = None
        return self.templates.from_string(template).render(value=text, value_json=value_json)
