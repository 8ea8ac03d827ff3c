"""Secrets that can be told apart from everything else, and the search for them in any spelling."""

import base64
import html
import json
import urllib.parse
from dataclasses import dataclass, field

#: By where they are used. Characters that need escapes in URLs, JSON, Python, HTML, YAML and shells; base64 of them has
#: ``+`` and ``/``.
SECRETS = {
    "mqtt": "mQ7-c4n4ry\"'\\ /p@ss:wörd%41+?>~",
    "camera": "cAm-c4n4ry/p@ss:w0rd-%41#x",
    "camera in its address": "uRl-c4n4ry&=;?ÿ>>",
    "query": "tOk-c4n4ry.9+/=",
    "http": "hTp-c4n4ry:<b>\"&'ü",
    "hook in its address": "hOk-c4n4ry.9/+=%41",
    "hook's key": "kEy-c4n4ry\"'\\ /+:ü?-of-24-bytes",
    "hook's token": "bEr-c4n4ry\"'\\/+:<b>%41",
}


def spellings(secret: str) -> frozenset[bytes]:
    """How a library may have written it: as it is, percent-encoded, as JSON, as Python, as HTML, in base64, in hex, in
    UTF-16.
    """
    raw = secret.encode()
    forms = {
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote(secret, safe="!$&'()*+,;=-._~"),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        html.escape(secret),
        raw.hex(),
        raw.hex().upper(),
    }
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw).decode()
        # of the first and last characters some bits belong to others
        piece = text[4 * bool(lead) : (lead + len(raw)) // 3 * 4]
        forms |= {piece, piece.replace("+", "-").replace("/", "_")}
    return frozenset({form.encode() for form in forms} | {secret.encode("utf-16-le")})


@dataclass
class Search:
    """Looks through all that is given to it, and counts."""

    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    places: int = 0
    searched_bytes: int = 0
    found: list[str] = field(default_factory=list)

    def look(self, place: str, data: bytes | str) -> None:
        """Note every secret that ``data`` holds."""
        raw = data.encode(errors="surrogateescape") if isinstance(data, str) else data
        self.places += 1
        self.searched_bytes += len(raw)
        for name, secret in self.secrets.items():
            self.found += [f"{name} in {place} as {form!r}" for form in spellings(secret) if form in raw]

    def summary(self) -> str:
        """One line with the counts."""
        forms = sum(len(spellings(secret)) for secret in self.secrets.values())
        return (
            f"canaries: {len(self.secrets)} secrets in {forms} spellings, {self.places} places, "
            f"{self.searched_bytes} bytes, {len(self.found)} found"
        )
