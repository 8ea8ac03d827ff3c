"""What the judging asks of a camera's gate: one word, one way, from one thread to another."""


class Attention:
    """Whether every look at a camera that is due must happen now: somebody is followed there, or an episode is open.

    The judge's thread sets it after each look and as time passes, the camera's decoder thread reads it. It is one
    reference, which CPython reads and writes whole, so it needs no lock; at the latest the next look sets it right.
    """

    __slots__ = ("wanted",)

    def __init__(self) -> None:
        self.wanted = False
