"""What all settings models share: frozen, unknown keys forbidden, nothing secret in errors."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WrapSerializer,
)
from pydantic_core import CoreSchema, core_schema

from config.nodes import SourceFloat, SourceInt

NAME_PATTERN: Final = r"^[a-zA-Z0-9_-]+$"
MAX_NAME_CHARS: Final = 64

T = TypeVar("T")


class Settings(BaseModel):
    """Base of every settings model.

    Attributes that carry a unit (``dwell_s``) read the YAML key without it (``dwell``).
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        str_strip_whitespace=True,
        validate_default=False,
        arbitrary_types_allowed=True,
    )


def as_written(value: Any) -> Any:
    """Numbers that stand where text is expected count as the text that was written."""
    if isinstance(value, SourceInt | SourceFloat):
        return value.text
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _check_name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN, value) or len(value) > MAX_NAME_CHARS:
        raise ValueError(
            f"a name takes letters, digits, '_' and '-' only, at most {MAX_NAME_CHARS} of them"
            " (it becomes part of MQTT topics and file names)"
        )
    return value


class _OneOrMore:
    """Lets one item stand for a list of it, and no value for an empty one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_tuple, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _as_tuple(value: Any) -> Any:
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else [value]


def _freeze(value: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType(dict(value))


def _thaw(value: Mapping[str, Any], serialise: Any) -> Any:
    return serialise(dict(value))


#: Text; numbers are taken as they are written.
Text = Annotated[str, BeforeValidator(as_written)]

#: A name of the user's: camera, zone, site.
Name = Annotated[
    str,
    AfterValidator(_check_name),
    BeforeValidator(as_written),
    Field(min_length=1, max_length=MAX_NAME_CHARS, json_schema_extra={"pattern": NAME_PATTERN}),
]

#: Named things, read-only, in the order of the file.
Named = Annotated[
    Mapping[Name, T],
    AfterValidator(_freeze),
    WrapSerializer(_thaw),
    Field(json_schema_extra={"additionalProperties": False}),
]

#: One thing or a list of them.
OneOrMore = Annotated[tuple[T, ...], _OneOrMore()]


def bounded(*, default: float, alias: str, ge: float, le: float, description: str) -> Any:
    """A field for ``Seconds`` or ``Bytes``, bounded when parsed and, for bare numbers, in the schema."""
    return Field(
        default=default,
        alias=alias,
        ge=ge,
        le=le,
        description=description,
        json_schema_extra={"minimum": ge, "maximum": le},
    )
