"""Waits that double: the one formula of everything here that tries again."""

from typing import Final

#: 2 to this power is beyond any bound, and still a float.
_LARGEST_EXPONENT: Final = 60


def doubled_s(first_s: float, times: int, *, most_s: float) -> float:
    """``first_s * 2**times``, never more than ``most_s``; any number of ``times`` from 0 on."""
    return min(most_s, first_s * 2.0 ** min(times, _LARGEST_EXPONENT))
