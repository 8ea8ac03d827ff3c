"""How long a batch may take before its thread counts as stuck, learned from those that ran."""

from typing import Final

#: A batch may take so many times what its pictures took at worst before: failures are tried again within it.
_TIMES: Final = 5.0

#: How much of the worst is remembered from one batch to the next.
_MEMORY: Final = 0.95


class Patience:
    """Grows with what a picture takes on this machine, and forgets what it took once."""

    def __init__(self) -> None:
        self._worst_picture_s = 0.0

    def learn(self, batch_s: float, pictures: int) -> None:
        """A batch of so many pictures took so long."""
        self._worst_picture_s = max(batch_s / pictures, _MEMORY * self._worst_picture_s)

    def seconds_for(self, pictures: int) -> float:
        """What a batch of so many pictures may take; 0 before anything was learned."""
        return _TIMES * self._worst_picture_s * pictures
