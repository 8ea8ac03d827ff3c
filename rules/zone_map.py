"""Who is in which zone of a camera's picture."""

from collections.abc import Sequence

from rules.geometry import Edges, edges_of, height
from rules.person import Person
from rules.presence import Presence
from rules.tuning import Tuning
from rules.zones import Anchor, Outline, Zone, anchor_points


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
        if not seen or not self._zones:
            return
        moved: list[Person] = []
        boxes: dict[bool, Edges] = {}
        for name, zone in self._zones.items():
            if (name, image_hw) not in self._outlines:
                self._outlines[name, image_hw] = Outline(zone.polygon_px(image_hw))
            by_head = zone.anchor is Anchor.HEAD
            if by_head not in boxes:
                found = [person.followed for person in seen]
                boxes[by_head] = edges_of([one.head_box if by_head else one.body_box for one in found])
            x, y = anchor_points(boxes[by_head], zone.anchor)
            distances = self._outlines[name, image_hw].outside_by(x, y).tolist()
            for person, outside_by in zip(seen, distances, strict=True):
                presence = person.presences.get(name)
                if presence is None:
                    presence = person.presences[name] = Presence()
                was_inside = presence.is_inside
                if outside_by <= 0 and was_inside and presence.outside_since is None:
                    continue
                margin = self._tuning.zone_margin * height(person.followed.body_box)
                presence.update(t, outside_by, margin=margin, tuning=self._tuning)
                if presence.is_inside != was_inside:
                    moved.append(person)
        for person in moved:
            person.settle()
