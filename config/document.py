"""A YAML file as plain data, together with the line and column of every key and value.

Scalars are resolved by the core schema of YAML 1.2, not by that of 1.1: ``on``, ``off``, ``yes`` and ``no``
are text (where a switch is expected they still mean true and false) and ``06:00`` is a time of day, not the
number 360. Aliases and merge keys (``<<``) work within a budget; the other ways in which YAML surprises are
refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import Node
from yaml.reader import ReaderError

from config.bounded_yaml import BoundedLoader, TooDeepError
from config.errors import ConfigError, ConfigProblem
from config.nodes import MAX_DEPTH, KeyPath, Mark, NodeReader

#: A site of a hundred cameras is some 50 kB; more than this is another kind of file.
MAX_FILE_BYTES: Final = 1 << 20
_HINT_BY_START: Final = {
    "\t": "a tab; YAML indents with spaces",
    "@": "'@' cannot start a value; put the value in quotes",
    "`": "'`' cannot start a value; put the value in quotes",
    "%": "'%' cannot start a value; put the value in quotes",
}


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says: plain ``data``, and where each key (``keys``) and value (``values``) of it stands.

    ``files``: the file of each value that stands in another one than ``file``.
    """

    file: str
    data: dict[str, Any]
    keys: Mapping[KeyPath, Mark]
    values: Mapping[KeyPath, Mark]
    files: Mapping[KeyPath, str] = field(default_factory=dict)


#: In YAML's flow style, ``{password: ${NAME}}``, the braces of a variable would end the value. They are
#: replaced by characters without a meaning, one for one so that all places stay, and put back at the end.
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*(?::-[^{}\n]*)?)\}", re.ASCII)
_PRIVATE_USE: Final = range(0xE000, 0xF8FF)


class _Loader(BoundedLoader):
    """Every plain scalar stays text here; ``_Builder`` resolves it.

    What is nested too deeply is given up at once: PyYAML's time for it grows with the square of the depth.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the base class declares it so

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """The next node. Raises ``RecursionError``."""
        self._depth += 1
        if self._depth > MAX_DEPTH + 2:
            raise RecursionError
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


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
    root, translation = compose(decode(raw, file), file)
    if root is None:
        raise ConfigError([ConfigProblem(file, "is empty")])
    builder = NodeReader(file, translation)
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


def decode(raw: bytes, file: str) -> str:
    """The text of a file, without a byte order mark. Raises ``ConfigError`` for what is not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        head = raw[: error.start]
        line, column = head.count(b"\n") + 1, error.start - (head.rfind(b"\n") + 1) + 1
    message = "is not UTF-8 text; save the file as UTF-8"
    raise ConfigError([ConfigProblem(file, message, line=line, column=column)])


def compose(text: str, file: str) -> tuple[Node | None, dict[int, str]]:
    """The nodes of a text, whose marks hold for it character by character, and what puts the braces of variables back
    into their values (``str.translate``). None: there is nothing in it. Raises ``ConfigError`` as ``read_document``.
    """
    braces = _two_unused(text)
    root = _compose(_VARIABLE.sub(rf"${braces[0]}\1{braces[1]}", text), file)
    return root, str.maketrans({braces[0]: "{", braces[1]: "}"})


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
    except (RecursionError, TooDeepError):
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
