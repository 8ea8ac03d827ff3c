"""What detections mean over time: persons, tracks, evidence, zones, episodes.

Pure: no clock, no pixels, no threads. ``CameraEngine`` is the way in; it raises nothing but ``ValueError``.
"""

from rules.area_learning import AreaPolicy, JudgedAlert, LearnedArea, learn_area, relative_head
from rules.areas import SuppressionArea
from rules.association import associate
from rules.compliance import Compliance
from rules.engine import CameraEngine
from rules.rule import AlertPer, Rule
from rules.schedules import Schedule, ShiftWindow
from rules.track import Track, TrackState
from rules.tuning import Tuning
from rules.violations import EndReason, GearVerdict, Phase, Suppression, TraceEntry, Violation
from rules.zones import Anchor, Zone

__all__ = [
    "AlertPer",
    "Anchor",
    "AreaPolicy",
    "CameraEngine",
    "Compliance",
    "EndReason",
    "GearVerdict",
    "JudgedAlert",
    "LearnedArea",
    "Phase",
    "Rule",
    "Schedule",
    "ShiftWindow",
    "Suppression",
    "SuppressionArea",
    "TraceEntry",
    "Track",
    "TrackState",
    "Tuning",
    "Violation",
    "Zone",
    "associate",
    "learn_area",
    "relative_head",
]
