"""Where things stand in a YAML text, as far as a change has to know it: in characters from the start of the text."""

import re
from typing import Final, cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_DASH: Final = re.compile(r"[ ]*-[ ]+", re.ASCII)


class NotEditableError(ValueError):
    """A place of the text cannot be changed without touching others."""


def start_of(node: Node) -> int:
    """The node's first character."""
    return cast(int, node.start_mark.index)


def column_of(node: Node) -> int:
    """Characters before it in its line."""
    return cast(int, node.start_mark.column)


def is_flow(node: Node) -> bool:
    """Whether it is a collection in brackets."""
    return isinstance(node, MappingNode | SequenceNode) and bool(node.flow_style)


def is_block(node: Node) -> bool:
    """Whether it is a collection that is written by indentation."""
    return isinstance(node, MappingNode | SequenceNode) and not node.flow_style


def end_of(node: Node, text: str) -> int:
    """Behind the node's last character; what follows it, blanks and comments, is not of it."""
    end = cast(int, node.end_mark.index)
    if isinstance(node, ScalarNode):
        return len(text[:end].rstrip()) if node.style in {"|", ">"} else end
    if is_flow(node):
        return end
    last = node.value[-1]
    if isinstance(node, MappingNode):
        key, value = last
        # an alias: its node stands where the anchor is
        return end_of(key if start_of(value) < start_of(key) else value, text)
    if start_of(last) < start_of(node):
        raise NotEditableError
    return end_of(last, text)


def line_start(text: str, index: int) -> int:
    """The start of the line in which ``index`` lies."""
    return text.rfind("\n", 0, index) + 1


def line_end(text: str, index: int) -> int:
    """Behind the line break of that line, or the end of the text."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def own_line_start(text: str, key: Node) -> int:
    """The start of a line that begins with this key. Raises ``NotEditableError`` where something stands before it."""
    start = line_start(text, start_of(key))
    if text[start : start_of(key)].strip(" "):
        raise NotEditableError
    return start


def dash_of(text: str, item: Node) -> tuple[int, int]:
    """The start of the line of an item's dash, and the dash's column. Raises ``NotEditableError`` where the dash stands
    in another line than the item, or behind another one.
    """
    start = line_start(text, start_of(item))
    before = text[start : start_of(item)]
    if not _DASH.fullmatch(before):
        raise NotEditableError
    return start, len(before) - len(before.lstrip(" "))
