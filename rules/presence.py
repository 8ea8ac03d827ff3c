"""Whether a person is in a zone, with hysteresis: entered at once, left only clearly and for some time."""

from dataclasses import dataclass

from rules.tuning import Tuning


@dataclass(slots=True)
class Presence:
    """One person and one zone. Times are seconds of the camera's timeline.

    ``is_inside`` holds until the anchor has been farther outside than the margin for ``zone_exit_s``; ``outside_since``
    is when it went there. A person within the margin who has entered counts as inside, so boxes that tremble on a
    border neither leave nor enter.
    """

    is_inside: bool = False
    entered_t: float | None = None
    outside_since: float | None = None

    @property
    def is_clearly_inside(self) -> bool:
        """Inside, and not just about to have left."""
        return self.is_inside and self.outside_since is None

    def update(self, t: float, outside_by: float, *, margin: float, tuning: Tuning) -> None:
        """Take how far the anchor lies outside the zone at ``t``, 0 inside; in the unit of ``margin``."""
        if outside_by <= 0:
            if not self.is_inside:
                self.is_inside, self.entered_t = True, t
            self.outside_since = None
        elif outside_by <= margin:
            if self.is_inside:
                self.outside_since = None
        else:
            if self.outside_since is None:
                self.outside_since = t
            if self.is_inside and t - self.outside_since >= tuning.zone_exit_s:
                self.is_inside, self.entered_t = False, None
