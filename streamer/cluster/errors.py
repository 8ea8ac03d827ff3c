"""What can go wrong between machines.

StreamerError
    ClusterError            the cluster cannot be used; the message says why
    PeerError               a part did not answer
        PeerGoneError       ... and never will: its process, or its machine, is gone
    LaneError               the short way to a part on the same machine is not to be had
"""

from streamer.errors import StreamerError


class ClusterError(StreamerError):
    """The cluster cannot be used; the message says why."""


class PeerError(StreamerError):
    """A part did not answer, or its answer was an error."""


class PeerGoneError(PeerError):
    """A part never will answer: its process, or its machine, is gone."""


class LaneError(StreamerError):
    """The short way to a part on the same machine is not to be had, or what came through it cannot be read."""
