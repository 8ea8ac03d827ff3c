"""Settings over settings: what a file says over what others share."""

from typing import Any


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``above`` wins; sections merge key by key, lists are replaced; a key without a value is not set."""
    result = dict(below)
    for key, value in above.items():
        if value is None and key in below:
            continue
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        result[key] = merged(below[key], value) if both else value
    return result
