"""Hides secrets in text, in two nets.

- exact: every known secret in every form in which libraries print it: as is, percent-encoded, as JSON, as
  ``repr``, in base64;
- shaped: user information of URLs, secret query keys, ``Authorization`` headers, ``password=...``, so that a
  secret nobody told us of stays hidden too.
"""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable
from typing import Final

from config.urls import SENSITIVE_QUERY_KEY

HIDDEN: Final = "***"

#: Shorter secrets would shred every text; only the shaped net hides them. Must stay above ``len(HIDDEN)``, so
#: that replacing always ends.
MIN_EXACT_CHARS: Final = 4
#: Shortest piece of a base64 text that is searched for on its own.
_MIN_BASE64_CHARS: Final = 6

_ANY: Final = re.compile(r"(?!)")
#: In a query the user's name is hidden too, as it is in user information.
_QUERY_PAIR: Final = re.compile(
    rf"""(?<=[?&;])(?P<key>{SENSITIVE_QUERY_KEY}|loginuse|user|username|usr)=[^&\s"'<>#]+""", re.IGNORECASE
)
_SLASHES: Final = re.compile(r":(?:\\?/){2}")
_ENCODED_USER_INFO: Final = re.compile(r"""(%3A%2F%2F)[^\s&"'<>]{1,512}(%40)""", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(
    r"""((?:proxy-)?authorization["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"'][^\r\n]*""", re.IGNORECASE
)
_BASIC: Final = re.compile(r"\b(basic\s{1,4})([A-Za-z0-9+/_-]{4,}={0,2})", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(bearer\s{1,4})(?=[^\s]{0,256}[0-9_.-])[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_SENSITIVE_WORD: Final = r"(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key)"
#: ``password=x``, ``"password": "x"``, ``password: x`` at a line's end; prose after a colon stays readable.
_ASSIGNMENTS: Final = (
    re.compile(
        rf"""({_SENSITIVE_WORD}["']?\s{{0,4}}[:=]\s{{0,4}}[bru]{{0,2}}(["']))(?:(?!\2)[^\\\r\n]|\\.)*\2""",
        re.IGNORECASE,
    ),
    re.compile(rf"""({_SENSITIVE_WORD}=()(?!SecretStr\())[^\s&"',;)\]}}]+""", re.IGNORECASE),
    re.compile(
        rf"""({_SENSITIVE_WORD}["']?:[ \t]{{1,8}}())[^\s"',;)\]}}]+(?=[ \t]*$)""",
        re.IGNORECASE | re.MULTILINE,
    ),
)
#: A host, or host and port, with the punctuation of a sentence behind it: no user information.
_HOST_AND_PORT: Final = re.compile(r"""(?:\[[^\s@\]]*\]|[^\s:@\[\]]*)(?::[0-9]{1,5})?[.,:;!?)\]}"'>]*""")
_LONGEST_SCHEME: Final = 24
#: User information is sought in so many characters, which bounds the work on hostile text.
_LONGEST_URL: Final = 1024
_URL_END: Final = re.compile(r"[\s<>]")


class SecretRedactor:
    """Hides secrets in text. Thread-safe: ``add`` replaces one compiled pattern, ``redact`` only reads it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._exact = self._encoded = _ANY
        self.add(secrets)

    def __repr__(self) -> str:
        return f"SecretRedactor({len(self._secrets)} secrets)"

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these values too, from now on. Earlier ones stay hidden: old sessions may still print them."""
        self._secrets = self._secrets | {secret for secret in secrets if secret}
        # longest first: of two secrets, one may begin with the other
        ordered = sorted(self._secrets, key=lambda secret: (-len(secret), secret))
        self._exact = _any_of(re.escape(form) for secret in ordered for form in sorted(forms_of(secret)))
        self._encoded = _any_of(_percent_pattern(secret) for secret in ordered if forms_of(secret))

    def mentions(self, text: str) -> bool:
        """Whether ``text`` holds one of the secrets that are known, in any of their spellings."""
        return self._exact.search(text) is not None or self._encoded.search(text) is not None

    def redact(self, text: str) -> str:
        """``text`` with every known secret, and everything in the shape of one, replaced by ``***``."""
        text = self._hide_exact(text)
        text = _hide_user_info(text)
        text = _ENCODED_USER_INFO.sub(rf"\1{HIDDEN}\2", text)
        text = _QUERY_PAIR.sub(rf"\g<key>={HIDDEN}", text)
        text = _AUTHORIZATION.sub(rf"\1{HIDDEN}", text)
        text = _BASIC.sub(_hide_basic, text)
        text = _BEARER.sub(rf"\1{HIDDEN}", text)
        for pattern in _ASSIGNMENTS:
            text = pattern.sub(rf"\1{HIDDEN}\2", text)
        return self._hide_exact(text)

    def _hide_exact(self, text: str) -> str:
        # what a replacement leaves may join to a secret anew; each round makes the text shorter, so this ends
        count = 1
        while count:
            encoded = 0
            # the slower of the two, and for few texts; first, as a shorter secret may stand in a longer, encoded one
            if "%" in text or "+" in text:
                text, encoded = self._encoded.subn(HIDDEN, text)
            text, count = self._exact.subn(HIDDEN, text)
            count += encoded
        return text


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    joined = "|".join(dict.fromkeys(patterns))
    return re.compile(joined) if joined else _ANY


def forms_of(secret: str) -> frozenset[str]:
    """The spellings of ``secret``, percent-encoding aside; none if shorter than ``MIN_EXACT_CHARS``."""
    if len(secret) < MIN_EXACT_CHARS:
        return frozenset()
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        html.escape(secret),
        *_base64_forms(raw),
        # a secret of several lines is printed line by line
        *(line for line in secret.splitlines() if len(line) >= 2 * MIN_EXACT_CHARS),
    }
    return frozenset(forms)


def _percent_pattern(secret: str) -> str:
    """``secret`` as it is, or with any of its characters percent-encoded, in either case (RFC 3986)."""
    parts = []
    for character in secret:
        octets = "".join(f"%{octet:02x}" for octet in character.encode("utf-8", "surrogatepass"))
        blank = r"|\+" if character == " " else ""
        parts.append(f"(?:{re.escape(character)}|(?i:{octets}){blank})")
    return "".join(parts)


def _base64_forms(raw: bytes) -> set[str]:
    """The part of a base64 text that ``raw`` alone decides, wherever it begins in what was encoded."""
    forms = set()
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        # of the first characters some bits belong to what stands before, of the last ones to what follows
        start = (0, 2, 3)[lead]
        piece = encoded[start : (lead + len(raw)) * 8 // 6]
        for form in (piece, piece.replace("+", "-").replace("/", "_")):
            if len(form) >= _MIN_BASE64_CHARS:
                forms.add(form)
    return forms


def _hide_basic(match: re.Match[str]) -> str:
    token = match[2].replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    # "basic settings" is prose; credentials are user, colon, password
    return f"{match[1]}{HIDDEN}" if b":" in decoded else match[0]


def _hide_user_info(text: str) -> str:
    """Replace what stands between ``://`` and the ``@`` before the host, in every URL of ``text``.

    Passwords are often written into URLs as they are, with ``@``, ``/``, ``#`` or a blank in them. So the
    *last* ``@`` of the word counts, and where a word without any looks like the beginning of user
    information, the last one before the next URL of the line. Hiding too much of an odd URL is the lesser
    evil.
    """
    pieces = []
    position = 0
    while (match := _SLASHES.search(text, position)) is not None:
        pieces.append(text[position : match.end()])
        position = _end_of_user_info(text, match)
        if position > match.end():
            pieces.append(HIDDEN)
    pieces.append(text[position:])
    return "".join(pieces)


def _end_of_user_info(text: str, match: re.Match[str]) -> int:
    """Where the user information that begins at ``match.end()`` ends; ``match.end()`` if there is none."""
    start = match.end()
    word_end = _end_of_word(text, match)
    authority = re.split(r"[/?#\\]", text[start:word_end], maxsplit=1)[0]
    at = text.rfind("@", start, word_end)
    if at >= 0:
        # "https://host/@name" holds none; "rtsp://user:pa/ss@host" does
        return at if "@" in authority or ":" in text[start:at] else start
    if _HOST_AND_PORT.fullmatch(authority):
        return start
    limit = min(len(text), start + _LONGEST_URL)
    line_end = text.find("\n", start, limit)
    limit = limit if line_end < 0 else line_end
    following = _SLASHES.search(text, start, limit)
    at = text.rfind("@", start, following.start() if following else limit)
    return at if at >= 0 else start + len(authority)


def _end_of_word(text: str, match: re.Match[str]) -> int:
    """Where the word of the URL ends: at its closing quote when it stands in quotes, else at white space."""
    begin, start = match.start(), match.end()
    limit = min(len(text), start + _LONGEST_URL)
    while begin > max(0, match.start() - _LONGEST_SCHEME) and (
        text[begin - 1].isalnum() or text[begin - 1] in "+.-"
    ):
        begin -= 1
    opening = text[begin - 1] if begin else ""
    closing = text.find(opening, start, limit) if opening in {'"', "'", "`"} else -1
    blank = _URL_END.search(text, start, limit)
    end = blank.start() if blank else limit
    following = _SLASHES.search(text, start, end)
    if following and "@" in text[start : following.start()]:
        # two URLs glued together, as in "a://u:p@h,b://u:p@h"
        end = following.start()
    return min(end, closing) if closing >= 0 else end
