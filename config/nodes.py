"""YAML nodes as plain data, with the place of every key and value; scalars by the core schema of YAML 1.2."""

import math
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from config.errors import ConfigError, ConfigProblem

KeyPath = tuple[str | int, ...]

#: Values after aliases are written out: the limit against "billion laughs".
MAX_VALUES: Final = 50_000
MAX_DEPTH: Final = 30
#: More digits than this are no quantity; Python refuses to parse some thousands of them.
_MAX_NUMBER_CHARS: Final = 100

_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE: Final = frozenset(("true", "True", "TRUE"))
_FALSE: Final = frozenset(("false", "False", "FALSE"))
_INT: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)

#: Escapes such as "\ud83d" can name one half of a UTF-16 pair alone, which is no character and cannot be written out.
_HALF: Final = re.compile(r"[\ud800-\udfff]")
_HALF_MESSAGE: Final = "holds half of a character; write the character itself, or all of it as one \\U escape"

_STR_TAG: Final = "tag:yaml.org,2002:str"
_MERGE_KEY: Final = "<<"


class SourceInt(int):
    """A whole number that remembers how it was written, so that ``0123`` can still be a password."""

    text: str


class SourceFloat(float):
    """A number that remembers how it was written, so that ``3.10`` can still be a name."""

    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file, both counted from 1."""

    line: int
    column: int


class NodeReader:
    """Turns nodes into data; collects problems so that several are reported together."""

    def __init__(self, file: str, translation: dict[int, str]) -> None:
        self.file = file
        self.translation = translation
        self.problems: list[ConfigProblem] = []
        self.keys: dict[KeyPath, Mark] = {}
        self.values: dict[KeyPath, Mark] = {}
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: Node, path: KeyPath) -> Any:
        """The data of ``node``, which stands at ``path``. Problems of single keys go to ``problems``.

        Raises ``ConfigError`` at once where going on makes no sense: too many values, too deep, without end.
        """
        self._count += 1
        if self._count > MAX_VALUES:
            self._refuse(node, f"aliases and values add up to more than {MAX_VALUES}")
        if len(path) > MAX_DEPTH:
            self._refuse(node, f"is nested more than {MAX_DEPTH} deep")
        if id(node) in self._open:
            self._refuse(node, "an anchor that contains its own alias")
        self.values[path] = _mark_of(node)
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return self._sequence(node, path)
            return self._scalar(node, path) if isinstance(node, ScalarNode) else None
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any] | None:
        if node.tag not in {"tag:yaml.org,2002:map", "?"}:
            self._problem(node, path, "tags (!name) are not supported")
            return None
        data: dict[str, Any] = {}
        merged: list[tuple[Node, Node]] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(key_node, path, "a key must be a single word or text")
                continue
            key = str(key_node.value).translate(self.translation)
            if _HALF.search(key):
                self._problem(key_node, path, _HALF_MESSAGE)
                continue
            if key == _MERGE_KEY and key_node.style is None:
                merged.append((key_node, value_node))
                continue
            if key in data:
                first = self.keys[(*path, key)]
                self._problem(key_node, (*path, key), f"the key is given twice, first in line {first.line}")
                continue
            self.keys[(*path, key)] = _mark_of(key_node)
            data[key] = self.build(value_node, (*path, key))
        for key_node, value_node in merged:
            self._merge(key_node, value_node, path, data)
        return data

    def _merge(self, key_node: Node, value_node: Node, path: KeyPath, data: dict[str, Any]) -> None:
        """``<<: *base`` or ``<<: [*a, *b]``: keys that stand in the mapping itself, or come earlier, win."""
        sources = value_node.value if isinstance(value_node, SequenceNode) else [value_node]
        for source in sources:
            if not isinstance(source, MappingNode):
                self._problem(key_node, path, "'<<' takes a mapping or a list of mappings")
                continue
            inherited = NodeReader(self.file, self.translation)
            inherited._open = self._open
            inherited._count = self._count
            values = inherited.build(source, path)
            self._count = inherited._count
            self.problems += inherited.problems
            for key, value in (values or {}).items():
                if key in data:
                    continue
                data[key] = value
                below = (*path, key)
                for own, theirs in ((self.keys, inherited.keys), (self.values, inherited.values)):
                    own.update({at: mark for at, mark in theirs.items() if at[: len(below)] == below})

    def _sequence(self, node: SequenceNode, path: KeyPath) -> list[Any] | None:
        if node.tag not in {"tag:yaml.org,2002:seq", "?"}:
            self._problem(node, path, "tags (!name) are not supported")
            return None
        return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        text = str(node.value).translate(self.translation)
        if node.tag != _STR_TAG:
            hint = "put a value that starts with '!' in quotes"
            self._problem(node, path, f"tags (!name) are not supported; {hint}")
            return None
        if _HALF.search(text):
            self._problem(node, path, _HALF_MESSAGE)
            return None
        return text if node.style is not None else resolve_plain(text)

    def _problem(self, node: Node, path: KeyPath, message: str) -> None:
        mark = _mark_of(node)
        self.problems.append(ConfigProblem(self.file, message, dotted(path), mark.line, mark.column))

    def _refuse(self, node: Node, message: str) -> NoReturn:
        mark = _mark_of(node)
        raise ConfigError([ConfigProblem(self.file, message, line=mark.line, column=mark.column)])


def resolve_plain(text: str) -> Any:
    """The value of an unquoted scalar by YAML 1.2's core schema (section 10.3.2), without octal and hex."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) > _MAX_NUMBER_CHARS:
        return text
    if _INT.fullmatch(text):
        whole = SourceInt(text)
        whole.text = text
        return whole
    # .inf and .nan stay text: no setting takes them
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        number = SourceFloat(text)
        number.text = text
        return number
    return text


def dotted(path: KeyPath) -> str:
    """``("rules", 0, "where")`` as ``rules[0].where``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _mark_of(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
