"""When repeated false alarms at one place become a suppression area (ADR 0088). Pure: values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rules.areas import iou
from rules.geometry import Box, area
from rules.proportions import head_from_body

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class AreaPolicy:
    """How many false alarms make an area, and how near in place and time.

    - ``false_alarms``: so many, 0 for never. ``within_s``: all confirmed within this time.
    - ``iou``: the heads of all cover that of the latest by so much.
    - ``lasts_s``: for so long the area holds.
    """

    false_alarms: int = 3
    within_s: float = 7 * _DAY_S
    iou: float = 0.5
    lasts_s: float = 14 * _DAY_S


@dataclass(frozen=True, slots=True)
class JudgedAlert:
    """An alert of one camera of which a person has said whether it was right.

    - ``confirmed_at``: UTC epoch seconds. ``head_xyxy``: relative to the picture, 0 to 1.
    - ``is_thing``: it was false, and as far as was said nobody was there: a person who wears the gear after all, or
      stands outside the zone, teaches nothing about the place.
    - ``is_true``: it was right. Neither: it counts for nothing here.
    """

    alert_id: str
    rule: str
    confirmed_at: float
    head_xyxy: Box
    is_thing: bool = False
    is_true: bool = False


@dataclass(frozen=True, slots=True)
class LearnedArea:
    """What is to be held back: the rule, the head's box relative to the picture, and the alerts that taught it."""

    rule: str
    head_xyxy: Box
    alert_ids: tuple[str, ...]


def relative_head(box_xyxy: Box, head_xyxy: Box | None, image_hw: tuple[int, int]) -> Box | None:
    """The head of an alert relative to its picture, taken from the body where it was not seen; None without area."""
    x1, y1, x2, y2 = head_xyxy if head_xyxy is not None else head_from_body(box_xyxy)
    height, width = image_hw
    head = (x1 / width, y1 / height, x2 / width, y2 / height)
    return head if area(head) > 0 else None


def learn_area(latest: JudgedAlert, others: Sequence[JudgedAlert], policy: AreaPolicy) -> LearnedArea | None:
    """The area that ``latest`` completes, or None.

    ``others`` are judged alerts of the same camera that have taught no area yet; ``latest`` may be among them. An alert
    that was right at the same place, by the same rule and within the same time, speaks against it.
    """
    if policy.false_alarms < 1 or not latest.is_thing:
        return None
    near = {
        judged.alert_id: judged
        for judged in (*others, latest)
        if judged.rule == latest.rule
        and abs(judged.confirmed_at - latest.confirmed_at) <= policy.within_s
        and iou(judged.head_xyxy, latest.head_xyxy) >= policy.iou
    }
    things = sorted(
        (judged for judged in near.values() if judged.is_thing),
        key=lambda judged: (judged.confirmed_at, judged.alert_id),
    )
    if any(judged.is_true for judged in near.values()) or len(things) < policy.false_alarms:
        return None
    x1, y1, x2, y2 = (median(judged.head_xyxy[side] for judged in things) for side in range(4))
    return LearnedArea(latest.rule, (x1, y1, x2, y2), tuple(judged.alert_id for judged in things))
