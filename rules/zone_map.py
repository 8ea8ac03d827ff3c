"""Who is in which zone of a camera's picture."""

from collections.abc import Sequence

from rules.geometry import edges_of, height
from rules.person import Person
from rules.presence import Presence
from rules.tuning import Tuning
from rules.zones import Outline, Zone, anchor_points


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
        bodies = edges_of([person.followed.body_box for person in seen])
        heads = edges_of([person.followed.head_box for person in seen])
        for name, zone in self._zones.items():
            if (name, image_hw) not in self._outlines:
                self._outlines[name, image_hw] = Outline(zone.polygon_px(image_hw))
            x, y = anchor_points(bodies, heads, zone.anchor)
            distances = self._outlines[name, image_hw].signed_distances(x, y).tolist()
            for person, distance in zip(seen, distances, strict=True):
                presence = person.presences.get(name)
                if presence is None:
                    presence = person.presences[name] = Presence()
                was_inside = presence.is_inside
                if distance >= 0 and was_inside and presence.outside_since is None:
                    continue
                margin = self._tuning.zone_margin * height(person.followed.body_box)
                presence.update(t, distance, margin=margin, tuning=self._tuning)
                if presence.is_inside != was_inside:
                    moved.append(person)
        for person in moved:
            person.settle()
