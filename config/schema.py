"""The JSON Schema of a site file, for editors; ``python -m config`` writes ``config/site.schema.json``."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from config.nodes import KeyPath
from config.site import SiteSettings

SCHEMA_FILE: Final = Path(__file__).with_name("site.schema.json")


@cache
def _schema() -> dict[str, Any]:
    schema = SiteSettings.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "ppewatch site",
    }


def site_schema() -> dict[str, Any]:
    """A fresh copy of the schema (JSON Schema 2020-12)."""
    copy: dict[str, Any] = json.loads(json.dumps(_schema()))
    return copy


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"


def keys_at(path: KeyPath) -> list[str]:
    """The keys that a mapping at ``path`` may have; empty where it is no mapping of fixed keys."""
    nodes = [_schema()]
    for part in path:
        nodes = [below for node in nodes for below in _step(node, part)]
    return sorted(
        {key for node in nodes for option in _options(node) for key in option.get("properties", {})}
    )


def _options(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        yield from _options(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    for option in (*node.get("anyOf", ()), *node.get("allOf", ())):
        yield from _options(option)
    yield node


def _step(node: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    for option in _options(node):
        if isinstance(part, int):
            candidates = [option.get("items")]
        else:
            named = [*option.get("patternProperties", {}).values(), option.get("additionalProperties")]
            candidates = [option.get("properties", {}).get(part), *named]
        yield from (candidate for candidate in candidates if isinstance(candidate, dict))


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
