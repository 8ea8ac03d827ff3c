"""What is known of one HTTP server that is to be told, and which events it wants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

#: Types of events, as Standard Webhooks recommends them: hierarchical, with full stops between.
ALERT_EVENTS: Final[Mapping[str, str]] = {"new": "alert.new", "update": "alert.update", "end": "alert.end"}
CAMERA_STATUS: Final = "camera.status"
CAMERA_FITNESS: Final = "camera.fitness"


class PictureForm(StrEnum):
    """How a target gets the picture of an alert."""

    NONE = "none"
    LINK = "link"
    EMBED = "embed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTls:
    """Whom to trust at ``https://``, and who we are; paths of PEM files. None of ``ca_file``: the system's."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """One target. ``shown`` is its address without what is secret; nothing else of ``url`` may be shown.

    - ``keys``: what signs, the present key first; none: nothing is signed.
    - ``types``: the event types that it wants; ``places``: camera and zone (None: the whole camera), None: everywhere;
      ``rules``: names, None: all.
    - ``picture``: how it gets pictures, embedded ones of ``picture_bytes`` at most; ``dashboard`` is the address that
      links begin with.
    - ``timeout_s``: of a post as a whole; ``max_age_s`` and ``max_waiting`` bound what waits.
    """

    name: str
    url: str = field(repr=False)
    shown: str
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    token: str | None = field(default=None, repr=False)
    types: frozenset[str] = frozenset(ALERT_EVENTS.values())
    places: frozenset[tuple[str, str | None]] | None = None
    rules: frozenset[str] | None = None
    picture: PictureForm = PictureForm.NONE
    picture_bytes: int = 200_000
    dashboard: str | None = None
    tls: TargetTls = TargetTls()
    proxy: str | None = field(default=None, repr=False)
    timeout_s: float = 15.0
    max_age_s: float = 3 * 86_400.0
    max_waiting: int = 10_000

    def wants_alert(self, told: Mapping[str, Any]) -> bool:
        """Whether it is to be told of this ``alerts`` message."""
        camera, zone = told["camera"], told["zone"]
        return (
            ALERT_EVENTS.get(told["type"]) in self.types
            and (self.rules is None or told["rule"] in self.rules)
            and (self.places is None or (camera, None) in self.places or (camera, zone) in self.places)
        )

    def wants_camera(self, camera_id: str) -> bool:
        """Whether it is to be told how this camera stands: of one of whose zones it is told alerts, too."""
        return CAMERA_STATUS in self.types and (
            self.places is None or any(camera == camera_id for camera, _ in self.places)
        )
