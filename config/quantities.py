"""Durations and sizes as users write them: ``2``, ``2s``, ``500ms``, ``5m``, ``30d``; ``200kB``, ``2GB``."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS_PER: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES_PER: Final = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_NUMBER: Final = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
DURATION_PATTERN: Final = rf"^{_NUMBER} ?(?:ms|s|m|min|h|d)?$"
SIZE_PATTERN: Final = rf"^{_NUMBER} ?(?:B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$"
_QUANTITY: Final = re.compile(rf"({_NUMBER}) ?([A-Za-z]{{0,3}})", re.ASCII)


def parse_duration(value: Any) -> float:
    """Seconds, of a number (seconds) or a text such as ``500ms``. Raises ``ValueError``."""
    example = "a duration such as 2s, 500ms, 5m, 1h or 30d (a bare number is seconds)"
    return _parse(value, _SECONDS_PER, example)


def parse_size(value: Any) -> int:
    """Bytes, of a number (bytes) or a text such as ``200kB`` or ``2GiB``. Raises ``ValueError``."""
    return round(_parse(value, _BYTES_PER, "a size such as 200kB, 50MB or 2GB (a bare number is bytes)"))


def _parse(value: Any, factors: dict[str, float] | dict[str, int], example: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or match[2] not in factors:
        raise ValueError(f"should be {example}")
    return float(match[1]) * factors[match[2]]


#: Seconds as a float; read from YAML by ``parse_duration``.
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": DURATION_PATTERN}]}, mode="validation"
    ),
]

#: Bytes as a whole number; read from YAML by ``parse_size``.
Bytes = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema(
        {"anyOf": [{"type": "number"}, {"type": "string", "pattern": SIZE_PATTERN}]}, mode="validation"
    ),
]
