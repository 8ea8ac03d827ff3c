"""Puts values into a recipe and leaves every other byte of it alone: comments, order, spelling."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from models.errors import DataSetError

#: Under this key a recipe describes its network.
NETWORK_KEY: Final = "network"


def write_into_recipe(file: Path, values: Mapping[str, Sequence[float]]) -> None:
    """Set the lists ``values`` under ``network`` of the recipe ``file``; keys that are not there are added.

    Raises ``DataSetError`` when the file is missing or no recipe; it is then left as it was.
    """
    try:
        text = file.read_text(encoding="utf-8")
        edited = with_network_values(text, values)
        file.write_text(edited, encoding="utf-8")
    except OSError as error:
        raise DataSetError(f"{file}: cannot be edited: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise DataSetError(f"{file}: is no recipe that can be edited: {words}") from error


def with_network_values(text: str, values: Mapping[str, Sequence[float]]) -> str:
    """``text`` of a recipe with the lists ``values`` under ``network``. Raises ``YAMLError``.

    Comments within a list that is replaced go with it.
    """
    wanted = yaml.safe_load(text)
    if wanted is None:
        wanted = {}
    if not isinstance(wanted, dict) or not isinstance(wanted.get(NETWORK_KEY) or {}, dict):
        raise yaml.YAMLError(f"expected keys and values, and such below {NETWORK_KEY!r}")
    wanted[NETWORK_KEY] = (wanted.get(NETWORK_KEY) or {}) | {key: list(row) for key, row in values.items()}
    for key, row in values.items():
        text = _with_value(text, key, "[" + ", ".join(f"{number:g}" for number in row) + "]")
    # what the marks of the parser cannot express (anchors, tags, tabs) must not spoil a file
    if yaml.safe_load(text) != wanted:
        raise yaml.YAMLError(f"its {NETWORK_KEY!r} is written in a way that cannot be edited")
    return text


def _with_value(text: str, key: str, value: str) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    network = None if root is None else _member(root, NETWORK_KEY)
    if network is None:
        if isinstance(root, yaml.MappingNode) and root.flow_style:
            return _with_first(text, root, f"{NETWORK_KEY}: {{{key}: {value}}}")
        ending = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{ending}{NETWORK_KEY}:\n  {key}: {value}\n"
    if not isinstance(network, yaml.MappingNode):
        # nothing but the key, or null
        start, end = network.start_mark.index, network.end_mark.index
        return f"{text[:start].rstrip(' ')} {{{key}: {value}}}{text[end:]}"
    node = _member(network, key)
    if node is not None:
        start, end = node.start_mark.index, _end_of(node)
        return f"{_joined(text[:start])}{value}{text[end:]}"
    if network.flow_style:
        return _with_first(text, network, f"{key}: {value}")
    mark = network.start_mark
    return f"{text[: mark.index]}{key}: {value}\n{' ' * mark.column}{text[mark.index :]}"


def _member(node: Any, key: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _with_first(text: str, node: Any, member: str) -> str:
    """``member`` as the first of a mapping in braces."""
    start = node.start_mark.index + 1
    return f"{text[:start]}{member}{', ' if node.value else ''}{text[start:]}"


def _end_of(node: Any) -> int:
    """Where the text of ``node`` ends; the parser lets what has no brackets end where the next thing
    begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _joined(text: str) -> str:
    """``text`` up to a value, which follows on the line of its key also when it was on one of its own."""
    bare = text.rstrip()
    return bare + " " if bare.endswith(":") else text
