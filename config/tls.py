"""Encrypted connections: whom to trust, and who we are."""

from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from config.base import Settings, as_written
from config.errors import LocatedValueError
from config.secret_text import credential_path, expand_variables, surroundings_of

_CREDENTIAL: Final = "credential:"


def expanded(value: Any, info: ValidationInfo) -> Any:
    """Text with ``${NAME}`` replaced from the environment; anything else as it is."""
    value = as_written(value)
    return expand_variables(value, surroundings_of(info).environ) if isinstance(value, str) else value


def as_path(value: Any, info: ValidationInfo) -> Any:
    """Text as a path below the folder of the site file. Raises ``ValueError`` on what can be none."""
    value = expanded(value, info)
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("should be a path")
    return surroundings_of(info).base_dir / Path(value)


def _as_path_or_credential(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and value.startswith(_CREDENTIAL):
        return credential_path(value.removeprefix(_CREDENTIAL), surroundings_of(info))
    return as_path(value, info)


def _path_type(before: Any) -> Any:
    return (
        BeforeValidator(before),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 4096}),
    )


#: A path; relative ones start at the folder of the site file.
SitePath = Annotated[Path, *_path_type(as_path)]

#: A file whose content a library reads by itself: a path, or ``credential:NAME`` of systemd.
CredentialPath = Annotated[Path, *_path_type(_as_path_or_credential)]


class TlsSettings(Settings):
    """Whom to trust on an encrypted connection, and who we are."""

    ca_file: CredentialPath | None = Field(
        default=None,
        alias="ca",
        description="CA certificates (PEM) to trust instead of the system's own; for a device that signs for"
        " itself, its own certificate.",
    )
    cert_file: CredentialPath | None = Field(
        default=None,
        alias="cert",
        description="Our client certificate (PEM), where the other side asks for one.",
    )
    key_file: CredentialPath | None = Field(
        default=None,
        alias="key",
        description="Private key of `cert` (PEM, no passphrase): a path, or `credential:name`.",
    )
    insecure: bool = Field(
        default=False,
        description="A camera's certificate is not checked at all; the broker's may be for another host name. For"
        " a test set-up alone.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if bool(self.cert_file) != bool(self.key_file):
            key = "cert" if self.cert_file else "key"
            raise LocatedValueError([((key,), "'cert' and 'key' go together")])
        return self


def _as_switch(value: Any) -> Any:
    """``true`` means TLS as it is by default; ``false`` and nothing mean none."""
    switch = str(as_written(value)).lower()
    if value is None or switch in {"false", "off", "no"}:
        return None
    return {} if switch in {"true", "on", "yes"} else value


class _OrSwitch:
    """Adds the switch to the schema."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        mapping = handler(schema)
        return {"anyOf": [{"type": "boolean"}, {"enum": ["on", "off", "yes", "no"]}, *mapping["anyOf"]]}


#: ``true``, ``false``, or the keys of ``TlsSettings``. ``None`` is no TLS.
TlsSwitch = Annotated[TlsSettings | None, BeforeValidator(_as_switch), _OrSwitch()]
