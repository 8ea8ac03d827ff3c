"""A suppression area as it is stored, told and shown."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from rules import SuppressionArea
from rules.geometry import Box
from streamer.alerts.payload import parse_utc, utc_iso

AREA_COLUMNS: Final = "area_id, camera, rule, head, alerts, made_at, expires_at, held, last_held_at"


@dataclass(frozen=True, slots=True)
class StoredArea:
    """One area. ``head_xyxy`` is relative to the picture, 0 to 1; times are UTC epoch seconds.

    ``alert_ids`` are the false alarms that it was learned from, ``held`` counts the episodes that it held back.
    """

    area_id: str
    camera: str
    rule: str
    head_xyxy: Box
    alert_ids: tuple[str, ...]
    made_at: float
    expires_at: float
    held: int = 0
    last_held_at: float | None = None

    @classmethod
    def of_row(cls, row: tuple[Any, ...]) -> "StoredArea":
        """A row of ``AREA_COLUMNS``."""
        area_id, camera, rule, head, alerts, made_at, expires_at, held, last_held_at = row
        x1, y1, x2, y2 = json.loads(head)
        return cls(
            *(area_id, camera, rule, (x1, y1, x2, y2), tuple(json.loads(alerts))),
            *(made_at, expires_at, held, last_held_at),
        )

    def insert(self, db: sqlite3.Connection) -> None:
        """Store it anew."""
        db.execute(
            f"INSERT INTO suppression_areas ({AREA_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (
                *(
                    self.area_id,
                    self.camera,
                    self.rule,
                    json.dumps(self.head_xyxy),
                    json.dumps(self.alert_ids),
                ),
                *(self.made_at, self.expires_at, self.held, self.last_held_at),
            ),
        )

    def for_rules(self) -> SuppressionArea:
        """What the rules need of it."""
        return SuppressionArea(self.area_id, self.rule, self.head_xyxy, self.expires_at)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as it is told everywhere; ``head`` is relative to the picture."""
        return {
            "area_id": self.area_id,
            "camera": self.camera,
            "rule": self.rule,
            "head": [round(value, 5) for value in self.head_xyxy],
            "alerts": list(self.alert_ids),
            "made_at": utc_iso(self.made_at),
            "expires_at": utc_iso(self.expires_at),
            "held": self.held,
            "last_held_at": None if self.last_held_at is None else utc_iso(self.last_held_at),
        }


def readable_areas(rows: Iterable[tuple[Any, ...]]) -> list[StoredArea]:
    """The areas of rows of ``AREA_COLUMNS``. One that the disk has torn is left out: to alarm once too often is better
    than not to, or not to start.
    """
    areas = []
    for row in rows:
        with suppress(ValueError, TypeError):
            areas.append(StoredArea.of_row(row))
    return areas


def area_of_dict(told: dict[str, Any]) -> SuppressionArea:
    """The way back from ``as_dict`` to the rules. Raises ``ValueError``, ``KeyError`` or ``TypeError``."""
    x1, y1, x2, y2 = (float(value) for value in told["head"])
    expires_at = parse_utc(told["expires_at"])
    return SuppressionArea(str(told["area_id"]), str(told["rule"]), (x1, y1, x2, y2), expires_at)
