"""Home Assistant: one device for the site and one for each camera, found by themselves.

MQTT discovery, device based: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. The states are those that
are published anyway; what is announced here tells Home Assistant where they stand and how to read them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_MAKER: Final = "ppewatch"

Component = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedCamera:
    """One camera as it is announced; ``gear`` is what rules ask for at it, ``zones`` where."""

    name: str
    gear: tuple[str, ...]
    zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncedSite:
    """A site as it is announced.

    - ``topic_prefix``: where its states stand; ``discovery_prefix``: where Home Assistant looks.
    - ``commands``: whether commands are obeyed, so that there are switches and buttons.
    - ``dashboard_url``: where people find the dashboard, or None.
    """

    name: str
    version: str
    topic_prefix: str
    discovery_prefix: str
    cameras: Sequence[AnnouncedCamera]
    commands: bool = False
    dashboard_url: str | None = None


def discovery_messages(site: AnnouncedSite) -> dict[str, bytes]:
    """Topic and retained payload of every device of the site."""
    messages = {_topic(site, _site_id(site)): _device(site, _site_id(site), site.name, _site_parts(site))}
    for camera in site.cameras:
        device_id = f"{_site_id(site)}_{camera.name}"
        messages[_topic(site, device_id)] = _device(
            site, device_id, f"{site.name} {camera.name}", _camera_parts(site, camera), camera
        )
    return messages


def with_gone_parts(before: bytes, now: bytes) -> bytes:
    """A device as it is announced ``now``, which tells too what of it went since ``before``: what is merely left out
    stays in Home Assistant.
    """
    device = json.loads(now)
    gone = {
        key: {"p": part["p"]} for key, part in json.loads(before)["cmps"].items() if key not in device["cmps"]
    }
    if not gone:
        return now
    device["cmps"] |= gone
    return _encoded(device)


def birth_topic(discovery_prefix: str) -> str:
    """Where Home Assistant says ``online`` when it has started, upon which everything is announced again."""
    return f"{discovery_prefix}/status"


def _topic(site: AnnouncedSite, device_id: str) -> str:
    return f"{site.discovery_prefix}/device/{device_id}/config"


def _site_id(site: AnnouncedSite) -> str:
    return f"ppewatch_{site.name}"


def _device(
    site: AnnouncedSite,
    device_id: str,
    name: str,
    parts: dict[str, Component],
    camera: AnnouncedCamera | None = None,
) -> bytes:
    device: dict[str, Any] = {
        "ids": [device_id],
        "name": name,
        "mf": _MAKER,
        "mdl": "site" if camera is None else "camera",
        "sw": site.version,
    }
    if camera is not None:
        device["via_device"] = _site_id(site)
    if site.dashboard_url is not None:
        device["cu"] = site.dashboard_url
    payload = {
        "dev": device,
        "o": {"name": "ppewatch", "sw": site.version},
        "cmps": {key: {"unique_id": f"{device_id}_{key}", **part} for key, part in parts.items()},
        "availability": [_site_availability(site.topic_prefix)],
        "availability_mode": "all",
        "qos": 1,
    }
    return _encoded(payload)


def _encoded(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()


def _site_availability(prefix: str) -> dict[str, str]:
    """``stopped`` is no word of Home Assistant's, which would go on showing the last states."""
    return {
        "topic": f"{prefix}/available",
        "value_template": "{{ 'online' if value == 'online' else 'offline' }}",
    }


def _site_parts(site: AnnouncedSite) -> dict[str, Component]:
    prefix = site.topic_prefix
    parts: dict[str, Component] = {
        "alert": _alert_event(prefix, None),
        "snapshot": {
            "p": "image",
            "name": "Latest snapshot",
            "image_topic": f"{prefix}/alerts/+/snapshot",
            "content_type": "image/jpeg",
        },
    }
    if site.commands:
        parts["reload"] = {
            "p": "button",
            "name": "Reload settings",
            "entity_category": "config",
            "command_topic": f"{prefix}/command/reload",
        }
    return parts


def _camera_parts(site: AnnouncedSite, camera: AnnouncedCamera) -> dict[str, Component]:
    below = f"{site.topic_prefix}/cameras/{camera.name}"
    online = {
        "availability": [
            _site_availability(site.topic_prefix),
            {
                "topic": f"{below}/status",
                "value_template": "{{ 'online' if value_json.state == 'online' else 'offline' }}",
            },
        ],
        "availability_mode": "all",
    }
    parts: dict[str, Component] = {
        "connection": {
            "p": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": f"{below}/status",
            "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
            "json_attributes_topic": f"{below}/status",
        },
        "alert": _alert_event(site.topic_prefix, camera.name),
    }
    for zone in (None, *camera.zones):
        topic = f"{below}/compliance" if zone is None else f"{below}/zones/{zone}/compliance"
        for gear in camera.gear:
            for key, part in _counts(topic, gear, zone).items():
                parts[key] = part | online
    if site.commands:
        parts["watched"] = {
            "p": "switch",
            "name": "Watched",
            "entity_category": "config",
            "state_topic": f"{site.topic_prefix}/command/cameras/{camera.name}/state",
            "command_topic": f"{site.topic_prefix}/command/cameras/{camera.name}/set",
            "optimistic": False,
        }
    return parts


def _counts(topic: str, gear: str, zone: str | None) -> dict[str, Component]:
    """Who lacks the gear now, how many have it, of how many nobody can tell, and the shift so far."""
    value = f"value_json.gear.get('{gear}', {{}})"
    key = gear if zone is None else f"{zone}_{gear}"
    words = gear.replace("_", " ") if zone is None else f"{gear.replace('_', ' ')} in {zone}"
    persons = {
        "p": "sensor",
        "state_topic": topic,
        "unit_of_measurement": "persons",
        "state_class": "measurement",
    }

    def now(count: str) -> str:
        return f"{{{{ {value}.get('now', {{}}).get('{count}', 0) }}}}"

    def share(name: str) -> str:
        part = f"{value}.get('shift', {{}}).get('{name}')"
        return f"{{{{ (100 * {part}) | round(1) if {part} is not none else none }}}}"

    return {
        f"{key}_violation": {
            "p": "binary_sensor",
            "name": f"Without {words}",
            "device_class": "safety",
            "state_topic": topic,
            "value_template": f"{{{{ 'ON' if {value}.get('now', {{}}).get('without', 0) > 0 else 'OFF' }}}}",
            "json_attributes_topic": topic,
        },
        f"{key}_without": {**persons, "name": f"People without {words}", "value_template": now("without")},
        f"{key}_with": {**persons, "name": f"People with {words}", "value_template": now("with")},
        f"{key}_indeterminate": {
            **persons,
            "name": f"People of whom nobody can tell, {words}",
            "value_template": now("indeterminate"),
        },
        f"{key}_worn_share": {
            "p": "sensor",
            "name": f"Worn {words}, this shift",
            "state_topic": topic,
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "value_template": share("worn_share"),
        },
        f"{key}_observable_share": {
            "p": "sensor",
            "name": f"Of the time, {words}, this shift",
            "state_topic": topic,
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "value_template": share("observable_share"),
        },
    }


def _alert_event(prefix: str, camera: str | None) -> Component:
    """The messages of alerts as events; those of other cameras become an empty text, which is left out."""
    event = "{{ dict(value_json, event_type=value_json.type) | tojson }}"
    template = event if camera is None else f"{{% if value_json.camera == '{camera}' %}}{event}{{% endif %}}"
    return {
        "p": "event",
        "name": "Alert",
        "icon": "mdi:hard-hat",
        "event_types": ["new", "update", "end"],
        "state_topic": f"{prefix}/alerts",
        "value_template": template,
    }
