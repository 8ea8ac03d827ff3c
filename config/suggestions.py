"""Did-you-mean for keys, choices and names."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

#: Longer input is no typing error of a name, and would make the message unreadable.
_LONGEST_NAME: Final = 64


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'apron'?"`` when a known word is close to ``word``, else an empty string."""
    if len(word) > _LONGEST_NAME:
        return ""
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean '{by_lower_case[close[0]]}'?" if close else ""
