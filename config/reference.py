"""The reference of all keys, ``docs/configuration.md``, written from the models by ``python -m config``."""

import json
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import time
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from config.base import Settings
from config.camera import CameraSettings, CommonCameraSettings
from config.camera_sections import ZoneSettings
from config.rule import RuleSettings, ScheduleWindow
from config.site import SiteSettings
from config.webhook import WebhookSettings

REFERENCE_FILE: Final = Path(__file__).parents[1] / "docs" / "configuration.md"

#: Defaults that depend on other values, which a field's own default cannot say.
_DERIVED: Final = MappingProxyType(
    {
        "mqtt.port": "1883, with `tls` 8883",
        "mqtt.tls": "`false`",
        "mqtt.topic_prefix": "ppewatch/<site name>",
        "mqtt.client_id": "ppewatch-<site name>",
        "state_dir": "see text",
        "input_size": "auto",
        "models": "auto",
        "url": "required",
        "schedule": "always",
    }
)

_INTRODUCTION: Final = """# Configuration

One YAML file describes one site. `ppewatch check SITE.yaml` validates it and names file, line, column and key
of everything that is wrong; `config/example.yaml` is a commented example, and `config/site.schema.json` a
JSON Schema for editors (put `# yaml-language-server: $schema=PATH` in the first line).

<!-- Written from the models by `python -m config`; change the descriptions there. -->

## How values are written

- **Durations**: `2` and `2s` are seconds, `500ms`, `5m`, `1h`, `30d`.
- **Sizes**: `200kB`, `50MB`, `2GB` (powers of 1000), `256MiB`, `1GiB` (powers of 1024); a bare number is
  bytes.
- **Coordinates**: `"x1,y1, x2,y2, x3,y3"`, relative to the picture: `0,0` is its top left corner, `1,1` the
  bottom right one.
- **Times of day**: `06:00`, with or without quotes.
- **Switches**: `true` and `false`; `on`, `off`, `yes`, `no` work too.
- **Names** of sites, cameras and zones: letters, digits, `_` and `-`.
- **Secrets** (`user`, `password`): written out, or better a reference:

  | written | means |
  |---|---|
  | `${NAME}` | the environment variable `NAME`; may be a part of a longer text |
  | `${NAME:-other}` | the same, `other` where `NAME` is not set or empty |
  | `$${` | the two characters `${` |
  | `file:/run/secrets/gate` | the content of that file without its line end; relative to the site file |
  | `credential:gate` | the file `gate` in `$CREDENTIALS_DIRECTORY`, for systemd's `LoadCredential=gate:...` |

  `${NAME}` also works in `url`, `mqtt.host`, `mqtt.client_id` and in paths. Credentials inside a `url`
  (`rtsp://user:password@host/`) are accepted and treated as `user` and `password`; a password with `/`, `?`
  or `#` in it has to be percent-encoded there. No secret is ever shown, logged or published.
- A key without a value (`user: `) is a key that is not set. Anchors, aliases and `<<` work.

## Once for all cameras

The keys under [Cameras](#cameras) that are marked *global* may stand at the top of the file as well, and then
hold for every camera that does not set its own. Sections such as `privacy` are merged key by key; lists are
replaced.

```yaml
fps: 5
privacy: {blur: everyone}
cameras:
  gate: {url: "rtsp://10.0.10.10/stream"}
  dock: {url: "rtsp://10.0.10.11/stream", fps: 2}   # 2 fps, everyone blurred
```
"""


_WEBHOOKS: Final = """What is posted, how it is signed, when it is tried again and when given up:
[`webhooks.md`](webhooks.md).
"""


def reference_text() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    common = set(CommonCameraSettings.model_fields)
    top = {name: field for name, field in SiteSettings.model_fields.items() if name not in common}
    parts.append(_table("Site file", "", top))
    for name, field in top.items():
        section = _section_of(field)
        if section is not None:
            parts.append(_table(f"`{name}`", name, section.model_fields))
    parts.append(_table("Cameras", "", CameraSettings.model_fields, marked=common))
    for name in CommonCameraSettings.model_fields:
        section = _section_of(CameraSettings.model_fields[name])
        if section is not None:
            parts.append(_table(f"`{name}` of a camera", name, section.model_fields))
    parts.append(_table("Zones of a camera", "", ZoneSettings.model_fields))
    parts.append(_table("Rules", "", RuleSettings.model_fields))
    parts.append(_table("`schedule` of a rule", "", ScheduleWindow.model_fields))
    parts.append(_table("Webhooks", "", WebhookSettings.model_fields))
    parts.append(_WEBHOOKS)
    return "\n".join(parts)


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _table(
    title: str, path: str, fields: dict[str, FieldInfo], marked: AbstractSet[str] = frozenset()
) -> str:
    lines = [f"## {title}", "", "| key | default | range | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        key = field.alias or name
        mark = " *global*" if name in marked else ""
        full = f"{path}.{key}" if path else key
        text = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{key}`{mark} | {_default(full, name, field)} | {_range(name, field)} | {text} |")
    return "\n".join((*lines, ""))


def _default(full: str, name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if full in _DERIVED:
        return _DERIVED[full]
    value = field.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return ""
    return f"`{_shown(value, name)}`"


def _shown(value: Any, name: str) -> str:  # noqa: PLR0911 - one line per kind of value
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, time):
        return value.strftime("%H:%M")
    if name.endswith("_s"):
        return _duration(value)
    if name.endswith("bytes"):
        return _size(value)
    if name == "days":
        return "daily"
    if isinstance(value, tuple):
        return json.dumps(list(value))
    if isinstance(value, bool | dict):
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    for unit, factor in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds > factor and seconds % factor == 0:
            return f"{seconds / factor:g}{unit}"
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def _size(count: float) -> str:
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:g}{unit}"
    return f"{count:g}"


def _range(name: str, field: FieldInfo) -> str:
    bounds = dict(_bounds(field))
    if not {"ge", "gt"} & set(bounds):
        return ""
    low, high = bounds["gt"] if "gt" in bounds else bounds["ge"], bounds["le"]
    show = (
        _duration if name.endswith("_s") else _size if name.endswith("bytes") else lambda value: f"{value:g}"
    )
    return f"{'above ' if 'gt' in bounds else ''}{show(low)} to {show(high)}"


def _bounds(field: FieldInfo) -> Iterator[tuple[str, float]]:
    for item in field.metadata:
        for kind in ("ge", "gt", "le", "lt"):
            value = getattr(item, kind, None)
            if value is not None:
                yield kind, float(value)
