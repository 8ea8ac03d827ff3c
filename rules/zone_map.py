"""Who is in which zone of a camera's picture."""

from collections.abc import Sequence

import numpy as np

from rules.person import Person
from rules.presence import Presence
from rules.tuning import Tuning
from rules.zones import Outline, Zone, anchor_point


class ZoneMap:
    """The zones of one camera, by name in their order, with outlines for the sizes of picture that it has sent."""

    def __init__(self, zones: Sequence[Zone], tuning: Tuning) -> None:
        self._zones = {zone.name: zone for zone in zones}
        self._tuning = tuning
        self._outlines: dict[tuple[str, tuple[int, int]], Outline] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """In the camera's order."""
        return tuple(self._zones)

    def place(self, seen: Sequence[Person], image_hw: tuple[int, int], t: float) -> None:
        """Find out where everybody is who is ``seen`` in a picture of this height and width at ``t``."""
        if not seen:
            return
        boxes = [(person.followed.body_box, person.followed.head_box) for person in seen]
        moved: list[Person] = []
        for name, zone in self._zones.items():
            if (name, image_hw) not in self._outlines:
                self._outlines[name, image_hw] = Outline(zone.polygon_px(image_hw))
            points = np.array([anchor_point(body, head, zone.anchor) for body, head in boxes], np.float64)
            distances = self._outlines[name, image_hw].signed_distances(points).tolist()
            for person, (body, _), distance in zip(seen, boxes, distances, strict=True):
                presence = person.presences.get(name)
                if presence is None:
                    presence = person.presences[name] = Presence()
                elif distance >= 0 and presence.is_clearly_inside:
                    continue
                was_inside = presence.is_inside
                margin = self._tuning.zone_margin * (body[3] - body[1])
                presence.update(t, distance, margin=margin, tuning=self._tuning)
                if presence.is_inside != was_inside:
                    moved.append(person)
        for person in moved:
            person.settle()
