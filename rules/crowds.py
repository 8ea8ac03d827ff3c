"""Rules that alert per zone: one episode for everybody in it, with a count."""

from collections.abc import Mapping

from rules.episodes import Episode, Key
from rules.violations import EndReason


class Crowds:
    """The told episodes of rules that alert per zone; their silent members live among the other open episodes."""

    def __init__(self) -> None:
        self.open: dict[Key, Episode] = {}
        #: when and why the latest member left, for the end of the crowd
        self.last_left: dict[Key, tuple[float, EndReason]] = {}

    def keys(self, episodes: Mapping[Key, Mapping[int, Episode]]) -> list[Key]:
        """Rules and places where there is, or was at the latest frame, a crowd."""
        # all members of one rule alert alike
        found = {key for key, here in episodes.items() if here and next(iter(here.values())).is_silent}
        found.update(self.open)
        return sorted(found, key=lambda key: (key[0], key[1] or ""))

    def leave(self, member: Episode, ended_t: float, reason: EndReason) -> None:
        """A member's episode has closed; the latest to end names the end of the crowd."""
        before = self.last_left.get(member.key)
        if before is None or ended_t >= before[0]:
            self.last_left[member.key] = ended_t, reason
