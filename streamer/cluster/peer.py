"""How one part calls another."""

from typing import Any, Protocol

from streamer.cluster.errors import PeerError


class Peer(Protocol):
    """Another part, wherever it runs. Any thread may call. It can be sent to other parts itself: two that are equal
    (and hash alike) are the same part.
    """

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        """What ``method`` of the part answers. Raises ``PeerError`` after ``timeout_s``, or when it failed there,
        ``PeerGoneError`` when the part is gone."""
        ...


class NearPeer:
    """A part in this same process, called directly."""

    def __init__(self, part: object) -> None:
        self._part = part

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:  # noqa: ARG002 - nothing to wait for
        """See ``Peer``."""
        try:
            return getattr(self._part, method)(*args)
        except Exception as error:
            raise PeerError(f"{method}: {type(error).__name__}: {error}") from error
