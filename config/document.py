"""A YAML file as plain data, together with the line and column of every key and value.

Scalars are resolved by the core schema of YAML 1.2, not by that of 1.1: ``on``, ``off``, ``yes`` and ``no``
are text (where a switch is expected they still mean true and false) and ``06:00`` is a time of day, not the
number 360. Aliases and merge keys (``<<``) work within a budget; the other ways in which YAML surprises are
refused.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from config.errors import ConfigError, ConfigProblem

KeyPath = tuple[str | int, ...]

#: A site of a hundred cameras is some 50 kB; more than this is another kind of file.
MAX_FILE_BYTES: Final = 1 << 20
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

_STR_TAG: Final = "tag:yaml.org,2002:str"
_MERGE_KEY: Final = "<<"
_HINT_BY_START: Final = {
    "\t": "a tab; YAML indents with spaces",
    "@": "'@' cannot start a value; put the value in quotes",
    "`": "'`' cannot start a value; put the value in quotes",
    "%": "'%' cannot start a value; put the value in quotes",
}


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


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: plain ``data``, and where each key (``keys``) and value (``values``) of it stands."""

    file: str
    data: dict[str, Any]
    keys: Mapping[KeyPath, Mark]
    values: Mapping[KeyPath, Mark]


#: In YAML's flow style, ``{password: ${NAME}}``, the braces of a variable would end the value. They are
#: replaced by characters without a meaning, one for one so that all places stay, and put back at the end.
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*(?::-[^{}\n]*)?)\}", re.ASCII)
_PRIVATE_USE: Final = range(0xE000, 0xF8FF)


class _Loader(yaml.SafeLoader):
    """Every plain scalar stays text here; ``_Builder`` resolves it."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the base class declares it so


def read_document(path: Path) -> Document:
    """Read a UTF-8 YAML file that holds one mapping.

    Raises ``ConfigError``: a file that is missing, too large, not UTF-8, not YAML, empty or no mapping;
    duplicate keys, unknown tags, and aliases that grow beyond ``MAX_VALUES`` values or contain themselves.
    """
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a usable path").lower()
        problem = ConfigProblem(file, f"cannot be read: {reason}")
    else:
        return parse_document(raw, file)
    raise ConfigError([problem])


def parse_document(raw: bytes, file: str) -> Document:
    """``read_document`` for bytes that are already there; ``file`` is the name for messages."""
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([ConfigProblem(file, f"is larger than {MAX_FILE_BYTES} bytes")])
    text = _decode(raw, file)
    braces = _two_unused(text)
    root = _compose(_VARIABLE.sub(rf"${braces[0]}\1{braces[1]}", text), file)
    if root is None:
        raise ConfigError([ConfigProblem(file, "is empty")])
    builder = _Builder(file, str.maketrans({braces[0]: "{", braces[1]: "}"}))
    data = builder.build(root, ())
    if builder.problems:
        raise ConfigError(
            sorted(builder.problems, key=lambda problem: (problem.line or 0, problem.column or 0))
        )
    if data is None:
        raise ConfigError([ConfigProblem(file, "is empty")])
    if not isinstance(data, dict):
        mark = builder.values[()]
        message = "holds no mapping; a site starts with keys such as 'site:', 'cameras:' and 'rules:'"
        raise ConfigError([ConfigProblem(file, message, line=mark.line, column=mark.column)])
    return Document(file, data, builder.keys, builder.values)


def _decode(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        head = raw[: error.start]
        line, column = head.count(b"\n") + 1, error.start - (head.rfind(b"\n") + 1) + 1
    message = "is not UTF-8 text; save the file as UTF-8"
    raise ConfigError([ConfigProblem(file, message, line=line, column=column)])


def _two_unused(text: str) -> tuple[str, str]:
    used = set(text)
    unused = [chr(code) for code in _PRIVATE_USE if chr(code) not in used]
    return (unused[0], unused[1]) if len(unused) > 1 else ("{", "}")


def _compose(text: str, file: str) -> Node | None:
    """The node graph.

    PyYAML's own messages quote the text they stumble on, which may be a secret: ours do not.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except ReaderError as error:
        head = text[: error.position]
        line = head.count("\n") + 1
        column = error.position - (head.rfind("\n") + 1) + 1
        problem = ConfigProblem(file, "holds a control character", line=line, column=column)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = _syntax_message(error, text)
        problem = ConfigProblem(
            file, message, line=mark.line + 1 if mark else None, column=mark.column + 1 if mark else None
        )
    except RecursionError:
        problem = ConfigProblem(file, f"is nested more than {MAX_DEPTH} deep")
    except (ValueError, OverflowError):
        # escapes such as "\UFFFFFFFF" and absurd %YAML versions end as plain Python errors
        problem = ConfigProblem(file, "is not valid YAML: an escape or directive that stands for nothing")
    raise ConfigError([problem])


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    what = error.problem or ""
    mark = error.problem_mark
    at = text[mark.index] if mark is not None and mark.index < len(text) else ""
    if "cannot start any token" in what and at in _HINT_BY_START:
        return f"is not valid YAML: {_HINT_BY_START[at]}"
    known = {
        "found undefined alias": "an alias (*name) without its anchor; put a value that starts with '*' in"
        " quotes",
        "found duplicate anchor": "the same anchor (&name) twice",
        "but found another document": "a second document ('---'); a site is one document",
        "mapping values are not allowed here": "a ':' where none can be; put a value that holds ': ' in"
        " quotes",
        "could not find expected ':'": "a line without a ':' after its key",
        "found unexpected end of stream": "a quote or bracket that is never closed",
        "undefined tag handle": "a tag (!name); put a value that starts with '!' in quotes",
    }
    for phrase, message in known.items():
        if phrase in what:
            return f"is not valid YAML: {message}"
    if "but found '" in what or "but got '" in what or "expected" in what:
        # these name tokens of YAML itself, but some quote a character: the place says enough
        return "is not valid YAML: something else is expected here; look at the indentation and the brackets"
    return "is not valid YAML here"


class _Builder:
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
            inherited = _Builder(self.file, self.translation)
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
