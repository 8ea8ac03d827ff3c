"""What the words of data sets mean to the mask-state classifier: a state, and sometimes a kind of mask."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from models.data.annotated import AnnotatedObject
from models.errors import DataSetError
from models.mask_state.network import KINDS, NOT_VISIBLE

WITH_MASK, WITHOUT_MASK, INCORRECT = range(3)

#: The kind of an example of which nobody knows it, or that wears no mask.
UNKNOWN_KIND: Final = -1


class Meaning(NamedTuple):
    """``label``: index of a logit of the state. ``kind``: index of ``KINDS``, or ``UNKNOWN_KIND``."""

    label: int
    kind: int = UNKNOWN_KIND


_SURGICAL, _RESPIRATOR, _CLOTH = (Meaning(WITH_MASK, kind) for kind in range(len(KINDS)))

#: Words that are understood without being told, in lower case, with ``_`` for blanks and hyphens.
KNOWN_WORDS: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        **dict.fromkeys(("with_mask", "mask", "masked", "face_with_mask"), Meaning(WITH_MASK)),
        **dict.fromkeys(
            ("without_mask", "no_mask", "not_masked", "unmasked", "face_without_mask", "none"),
            Meaning(WITHOUT_MASK),
        ),
        **dict.fromkeys(
            (
                "incorrect",
                "incorrect_mask",
                "worn_incorrectly",
                "face_mask_incorrect",
                "mask_weared_incorrect",
            ),
            Meaning(INCORRECT),
        ),
        **dict.fromkeys(("not_visible", "background"), Meaning(NOT_VISIBLE)),
        "surgical": _SURGICAL,
        **dict.fromkeys(("respirator", "n95", "kn95", "ffp2", "ffp3"), _RESPIRATOR),
        "cloth": _CLOTH,
    }
)


def meaning_of(word: str, classes: Mapping[str, str | None], *, origin: object) -> Meaning | None:
    """What ``word`` of a data set means; None: nothing that can be learned from.

    ``classes`` says which known word it stands for, or None to leave it out; what it does not name must be a known
    word itself. Raises ``DataSetError`` (naming ``origin``) for other words.
    """
    known: str | None = classes.get(word, word)
    if known is None:
        return None
    meaning = KNOWN_WORDS.get(known.lower().replace(" ", "_").replace("-", "_"))
    if meaning is None:
        raise DataSetError(
            f"{origin}: {known!r} is no state or kind of face mask; say with `classes` which of "
            f"{', '.join(KNOWN_WORDS)} it is, or null to leave it out"
        )
    return meaning


def meaning_of_object(
    thing: AnnotatedObject, classes: Mapping[str, str | None], *, origin: object
) -> Meaning | None:
    """``meaning_of`` the category; of a face with a mask that names no kind, the attribute ``kind`` may tell it."""
    meaning = meaning_of(thing.category, classes, origin=origin)
    kind = thing.attributes.get("kind", "").lower()
    if meaning is None or meaning.kind != UNKNOWN_KIND or kind not in KINDS:
        return meaning
    return Meaning(meaning.label, KINDS.index(kind)) if meaning.label in (WITH_MASK, INCORRECT) else meaning
