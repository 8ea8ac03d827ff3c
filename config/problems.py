"""Pydantic's findings in the words of the product, each with its place in the file."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from config.document import Document
from config.errors import ConfigProblem, LocatedValueError
from config.nodes import KeyPath, Mark, dotted
from config.schema import keys_at
from config.site import INHERITED_KEYS
from config.suggestions import did_you_mean

#: Shorter ones would blot out ordinary words, and are no secret.
_MIN_SECRET_CHARS: Final = 4
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "this key is required",
    "model_type": "should be a mapping of keys to values",
    "model_attributes_type": "should be a mapping of keys to values",
    "dict_type": "should be a mapping of names to their settings",
    "mapping_type": "should be a mapping of names to their settings",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "string_type": "should be text",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
}


def problems_of(error: ValidationError, document: Document, secrets: Iterable[str]) -> list[ConfigProblem]:
    """Every problem once, in the order of the file; messages are cleaned of ``secrets``."""
    hidden = sorted((secret for secret in secrets if len(secret) >= _MIN_SECRET_CHARS), key=len, reverse=True)
    found: dict[ConfigProblem, None] = {}
    details = error.errors(include_url=False)
    for detail in details:
        path = detail["loc"]
        if detail["type"] == "too_short" and any(other["loc"][:-1] == path for other in details):
            # entries that are wrong do not count, so a list of wrong ones is reported as too short as well
            continue
        for path, message in _messages_of(detail):
            found[_located(path, _clean(message, hidden), detail["type"], document)] = None
    return sorted(found, key=lambda problem: (problem.line or 0, problem.column or 0))


def _clean(message: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        message = message.replace(secret, "***")
    return message


def _messages_of(detail: Any) -> list[tuple[KeyPath, str]]:
    path: KeyPath = detail["loc"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, LocatedValueError):
        return [((*path, *below), message) for below, message in cause.problems]
    return [(path, _message_of(detail, path))]


def _message_of(detail: Any, path: KeyPath) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key{did_you_mean(str(path[-1]), keys_at(path[:-1]))}"
    if kind in {"enum", "literal_error"}:
        choices = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        written = detail["input"]
        hint = did_you_mean(written, choices) if isinstance(written, str) else ""
        return f"should be one of {', '.join(choices)}{hint}"
    if kind in {"too_short", "too_long"}:
        few = kind == "too_short"
        count = context["min_length" if few else "max_length"]
        return f"should have at {'least' if few else 'most'} {count} {'entry' if count == 1 else 'entries'}"
    if kind == "value_error":
        return str(context["error"])
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    message = str(detail["msg"])
    for start in ("Input should ", "String should ", "Value should "):
        if message.startswith(start):
            message = "should " + message.removeprefix(start)
    written = detail["input"]
    if isinstance(written, int | float) and not isinstance(written, bool):
        message += f", not {written}"
    return message


def _located(path: KeyPath, message: str, kind: str, document: Document) -> ConfigProblem:
    """Follow ``path`` into the file; parts that are not written there (defaults, wrappers) are skipped."""
    written = _written_path(path, document)
    if path[:1] == ("cameras",) and path[2:3] and path[2] in INHERITED_KEYS and len(written) <= 2:
        # the value came from the top of the file
        path = path[2:]
        written = _written_path(path, document)
    at_key = kind == "extra_forbidden" or path[-1:] == ("[key]",)
    marks = document.keys if at_key else document.values
    mark = marks.get(written) or document.values.get(written) or Mark(1, 1)
    key = (*written, path[-1]) if kind == "missing" else written
    file = document.files.get(written, document.file)
    return ConfigProblem(file, message, dotted(key), mark.line, mark.column)


def _written_path(path: KeyPath, document: Document) -> KeyPath:
    written: KeyPath = ()
    for part in path:
        if (*written, part) in document.values:
            written = (*written, part)
    return written
