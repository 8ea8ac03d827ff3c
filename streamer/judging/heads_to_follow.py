"""At whose heads to look again."""

from collections.abc import Iterable

from rules import Track
from rules.proportions import head_from_body
from rules.track import TrackState
from streamer.followed import Box


def heads_to_follow(tracks: Iterable[Track]) -> dict[int, Box]:
    """The heads, by track id, of those of whom a rule asks something where they are, or who are not confirmed yet.

    Where the head was not seen it is taken from the body: that is where a closer look is worth most. Static things are
    nobody.
    """
    heads = {}
    for track in tracks:
        if track.is_static or not (track.is_relevant or track.state is TrackState.TENTATIVE):
            continue
        observation = track.observation
        heads[track.track_id] = observation.head_xyxy or head_from_body(observation.box_xyxy)
    return heads
