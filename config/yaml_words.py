"""Plain data as YAML text, the way that a person would write it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from config.nodes import resolve_plain

#: Text that means itself without quotes, here and for every other reader of YAML: a word or words, or a quantity.
_WORDS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*", re.ASCII)
_QUANTITY: Final = re.compile(r"[0-9]+(\.[0-9]+)?[a-zA-Z]+", re.ASCII)
_SWITCHES: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def scalar_text(value: Any, style: str | None = None) -> str:
    """One value on one line; text in the quotes ``style`` (``'``, ``"``), else in double ones where it needs some."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(int(value))
    text = str(value)
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style != '"' and _is_plain(text):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _is_plain(text: str) -> bool:
    if text.lower() in _SWITCHES or not isinstance(resolve_plain(text), str):
        return False
    return bool(_WORDS.fullmatch(text) or _QUANTITY.fullmatch(text))


def flow_text(value: Any) -> str:
    """A value in brackets, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar_text(key)}: {flow_text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    return scalar_text(value)


def entry_lines(key: str, value: Any, column: int) -> list[str]:
    """``key: value`` at a column: mappings and lists of mappings by indentation, all else behind the key."""
    head = f"{' ' * column}{scalar_text(key)}:"
    if isinstance(value, Mapping) and value:
        return [head, *(line for pair in value.items() for line in entry_lines(*pair, column + 2))]
    if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
        return [head, *(line for each in value for line in item_lines(each, column + 2))]
    return [f"{head} {flow_text(value)}"]


def item_lines(value: Any, column: int, indent: int = 2) -> list[str]:
    """``- value`` with the dash at a column, and the keys of a mapping ``indent`` behind it."""
    dash = f"{' ' * column}-{' ' * (indent - 1)}"
    if not isinstance(value, Mapping) or not value:
        return [f"{dash}{flow_text(value)}"]
    first, *others = (line for pair in value.items() for line in entry_lines(*pair, column + indent))
    return [dash + first[column + indent :], *others]
