"""What can go wrong between machines.

StreamerError
    ClusterError            the cluster cannot be used; the message says why
    PeerError               a part did not answer
        PeerGoneError       ... and never will: its process, or its machine, is gone
"""

from streamer.errors import StreamerError


class ClusterError(StreamerError):
    """The cluster cannot be used; the message says why."""


class PeerError(StreamerError):
    """A part did not answer, or its answer was an error."""


class PeerGoneError(PeerError):
    """A part never will answer: its process, or its machine, is gone."""
