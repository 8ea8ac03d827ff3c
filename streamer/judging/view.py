"""What has to be known of a camera to turn its violations into alerts, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamer.alerts.privacy import Blur

Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotStyle:
    """How snapshots are made; ``enabled`` False makes none. ``timezone`` None leaves the time out of the picture."""

    enabled: bool = True
    max_bytes: int = 200_000
    longest_side_px: int = 1280
    quality: int = 85
    timezone: str | None = None
    blur: Blur = Blur.BYSTANDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """One camera as its alerts show it.

    - ``zone_polygons``: outlines of its zones by name, corners relative to the picture (0 to 1).
    - ``privacy_polygons``: parts that are blacked out, relative too.
    - ``severities``: severity by rule.
    - ``keeps_examples``: the frames that open episodes are kept for a verdict.
    """

    camera_id: str
    site: str
    topic_prefix: str
    config_revision: str
    snapshots: SnapshotStyle = field(default_factory=SnapshotStyle)
    zone_polygons: Mapping[str, Polygon] = field(default_factory=dict)
    privacy_polygons: tuple[Polygon, ...] = ()
    severities: Mapping[str, str] = field(default_factory=dict)
    keeps_examples: bool = False
