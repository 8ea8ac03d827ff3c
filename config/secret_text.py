"""Values that must not be shown: written in the file, or taken from the environment, a file or a systemd
credential.

==========================  =====================================================================
``${NAME}``                 the environment variable NAME; may be a part of a longer text
``${NAME:-other}``          the same, ``other`` where NAME is not set
``$${``                     a literal ``${``
``file:PATH``               the file's content without the line end; relative to the site file
``credential:NAME``         the file NAME in ``$CREDENTIALS_DIRECTORY`` (systemd ``LoadCredential=``)
==========================  =====================================================================
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema

from config.base import as_written

_MAX_SECRET_BYTES: Final = 16_384
#: Stands for a secret of another machine.
_ELSEWHERE: Final = "a secret elsewhere"
_REFERENCE: Final = re.compile(r"\$(?P<escape>\$\{)|\$\{(?P<body>[^{}]*)\}|\$\{")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a site file may refer to; passed to pydantic as ``context={"surroundings": ...}``.

    ``seen`` collects every secret that validation came across, so that messages can be cleaned of them. ``elsewhere``:
    the site runs on another machine, whose secret files and credentials are not looked for here.
    """

    environ: Mapping[str, str]
    base_dir: Path
    seen: set[str] = field(default_factory=set)
    elsewhere: bool = False


def surroundings_of(info: ValidationInfo) -> Surroundings:
    """Those of the running validation; the process's own where none were passed."""
    context = info.context
    if isinstance(context, dict) and isinstance(context.get("surroundings"), Surroundings):
        found: Surroundings = context["surroundings"]
        return found
    return Surroundings(environ=os.environ, base_dir=Path.cwd())


def resolve_secret(value: str, around: Surroundings) -> str:
    """The secret that ``value`` is or refers to.

    Raises ``ValueError`` that names the variable, file or credential that is missing, never a value.
    """
    around.seen.add(value)
    if around.elsewhere and value.startswith(("file:", "credential:")):
        return _ELSEWHERE
    if value.startswith("file:"):
        resolved = _read(around.base_dir / value.removeprefix("file:"), "secret file")
    elif value.startswith("credential:"):
        resolved = _credential(value.removeprefix("credential:"), around)
    else:
        resolved = expand_variables(value, around.environ)
    around.seen.add(resolved)
    return resolved


def expand_variables(text: str, environ: Mapping[str, str]) -> str:
    """``text`` with ``${NAME}`` and ``${NAME:-other}`` replaced. Raises ``ValueError`` if one is not set."""

    def replace(match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        variable = _VARIABLE.fullmatch(match["body"] or "")
        if variable is None:
            raise ValueError(
                "holds a '${' that starts no '${NAME}'; write '$${' for the two characters themselves"
            )
        other = variable[2] or None
        # asked with its default, for an environment that answers for another machine
        found = environ.get(variable[1], other) or other
        if not found:
            state = "empty" if variable[1] in environ else "not set"
            raise ValueError(f"the environment variable {variable[1]} is {state}")
        return found

    return _REFERENCE.sub(replace, text)


def credential_path(name: str, around: Surroundings) -> Path:
    """The file of a systemd credential, which need not exist. Raises ``ValueError`` for what can be none."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError("'credential:' takes the name of a credential, not a path")
    if around.elsewhere:
        return Path("/run/credentials") / name
    directory = around.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ValueError(
            f"the credential '{name}' needs $CREDENTIALS_DIRECTORY, which systemd sets for LoadCredential="
        )
    return Path(directory) / name


def _credential(name: str, around: Surroundings) -> str:
    return _read(credential_path(name, around), "credential")


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_SECRET_BYTES + 1)
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        problem = "is not UTF-8 text"
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {(getattr(error, 'strerror', None) or 'not a usable path').lower()}"
    else:
        secret = text.rstrip("\r\n")
        if secret and len(raw) <= _MAX_SECRET_BYTES:
            return secret
        problem = f"is longer than {_MAX_SECRET_BYTES} bytes" if secret else "is empty"
    raise ValueError(f"the {what} {path} {problem}")


def _validate(value: Any, info: ValidationInfo) -> Any:
    value = as_written(value)
    if isinstance(value, bool):
        raise ValueError("should be text; put it in quotes")  # noqa: TRY004 - pydantic collects ValueError
    if not isinstance(value, str):
        return value
    return SecretStr(resolve_secret(value, surroundings_of(info))) if value else None


#: A secret or a reference to one; empty means none.
Secret = Annotated[
    Annotated[SecretStr, Field(max_length=_MAX_SECRET_BYTES)] | None,
    BeforeValidator(_validate),
    WithJsonSchema({"type": ["string", "number", "null"]}, mode="validation"),
]
