"""What a person says of an alert, read from the payload of a command.

==============  =============================================================================================
command         payload
==============  =============================================================================================
``ack``         nothing, a line of text (who), or JSON ``{"by": ..., "note": ...}``
``feedback``    ``true_alarm`` or ``false_alarm``, or JSON ``{"verdict": ..., "what": ..., "by": ..., "note": ...}``
==============  =============================================================================================

``what`` is a word of lower case letters, digits and ``_`` for what it was: ``hard_hat_worn``, ``face_mask_worn``,
``not_a_person`` and ``wrong_zone`` are understood, others are kept. Texts are cut to ``MAX_TEXT`` characters.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

#: Longer payloads are no words of ours.
MAX_PAYLOAD: Final = 2048
MAX_TEXT: Final = 200
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Verdict(StrEnum):
    """Whether the alert was right."""

    TRUE_ALARM = "true_alarm"
    FALSE_ALARM = "false_alarm"


#: What a false alarm was, where nobody was there for it to be true of: the place is to blame. Unsaid counts too.
_OF_THINGS: Final = frozenset({"", "not_a_person"})


@dataclass(frozen=True, slots=True)
class AlertNote:
    """What was said of an alert; ``at`` UTC epoch seconds. An acknowledgement has no ``verdict``, and no ``what``."""

    alert_id: str
    at: float
    by: str = ""
    note: str = ""
    verdict: Verdict | None = None
    what: str = ""

    @property
    def is_thing(self) -> bool:
        """Whether it says that nobody was there, or leaves that open."""
        return self.verdict is Verdict.FALSE_ALARM and self.what in _OF_THINGS


def read_ack(alert_id: str, payload: bytes, at: float) -> AlertNote:
    """An acknowledgement. Raises ``ValueError`` that says what is wrong with the payload."""
    text = _text_of(payload)
    if not text.startswith("{"):
        return AlertNote(alert_id, at, by=_clean(text))
    fields = _fields_of(text, {"by", "note"})
    return AlertNote(alert_id, at, by=fields["by"], note=fields["note"])


def read_feedback(alert_id: str, payload: bytes, at: float) -> AlertNote:
    """Feedback. Raises ``ValueError`` that says what is wrong with the payload."""
    text = _text_of(payload)
    fields = {"verdict": text, "what": "", "by": "", "note": ""}
    if text.startswith("{"):
        fields = _fields_of(text, set(fields))
    if fields["verdict"] not in set(Verdict):
        raise ValueError(f"expected {' or '.join(Verdict)}")
    if fields["what"] and not _WORD.fullmatch(fields["what"]):
        raise ValueError("'what' should be a word such as hard_hat_worn or not_a_person")
    verdict = Verdict(fields["verdict"])
    return AlertNote(alert_id, at, fields["by"], fields["note"], verdict, fields["what"])


def _text_of(payload: bytes) -> str:
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"is longer than {MAX_PAYLOAD} bytes")
    return payload.decode(errors="replace").strip()


def _fields_of(text: str, names: set[str]) -> dict[str, str]:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise ValueError("should be a JSON object of texts")
    unknown = sorted(set(value) - names)
    if unknown:
        raise ValueError(f"there is no key {_clean(unknown[0])[:40]!r}; there are {', '.join(sorted(names))}")
    return {name: _clean(value.get(name, "")) for name in names}


def _clean(text: str) -> str:
    """One line without control characters, at most ``MAX_TEXT`` long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line[:MAX_TEXT]
