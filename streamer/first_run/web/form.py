"""What a form has sent: bounded fields of text, and the token that only our own page knows."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException

TOKEN_FIELD: Final = "token"  # noqa: S105 - the name of a field
_MOST_FIELDS: Final = 64
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True, repr=False)
class Form:
    """The fields of a form that was sent, by name; a field may come several times."""

    fields: Mapping[str, list[str]]

    @classmethod
    def parse(cls, body: bytes, token: str) -> "Form":
        """Raises ``HTTPException`` (400, 403)."""
        try:
            fields = parse_qs(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
            )
        except ValueError:
            raise HTTPException(400, "this is no form of this page") from None
        given = fields.get(TOKEN_FIELD, [""])[0]
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise HTTPException(403, "this form is not of this page")
        return cls(fields)

    def text(self, name: str) -> str:
        """A field without space around it; empty where it did not come."""
        return self.secret(name).strip()

    def secret(self, name: str) -> str:
        """A field as it was typed."""
        return self.fields.get(name, [""])[0][:_LONGEST]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value[:_LONGEST] for value in self.fields.get(name, [])]

    def has(self, name: str) -> bool:
        """Whether a box is ticked, or a button was the one that was pressed."""
        return name in self.fields
