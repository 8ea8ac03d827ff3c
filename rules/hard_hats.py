"""What one look at a head says about the hard hat."""

from typing import Final

from models.structures import GearEvidence, GearState

#: What a carried hat says of a head that was seen but not judged bare: weak, and with little weight.
_CARRIED_SCORE: Final = 0.35
_CARRIED_QUALITY: Final = 0.3
_NOT_JUDGED: Final = GearEvidence(GearState.UNKNOWN, 0.5, 0.0, "top of the head not judged")


def worn_score(hard_hat: float, bare: float, hat: float) -> float:
    """Probability, 0 to 1, that a head wears a hard hat, by the scores of the detections that compete for it.

    0 stands for a class that was not detected. Log-odds are those of ``hard_hat`` against ``bare`` and ``hat``
    together: both say that there is no hard hat, so they are one claim, whose score cannot exceed 1. A class that was
    not detected can have no more than what the other leaves; doubt about a claim is never evidence for the opposite,
    so a claim that nothing contradicts stays on its side of one half.
    """
    against = min(1.0, bare + hat)
    if hard_hat <= 0 and against <= 0:
        return 0.5
    if against <= 0:
        return max(0.5, hard_hat)
    if hard_hat <= 0:
        return min(0.5, 1.0 - against)
    return hard_hat / (hard_hat + against)


def hard_hat_evidence(
    hard_hat: float, bare: float, hat: float, quality: float, *, has_face: bool, is_carried: bool
) -> GearEvidence:
    """The evidence of one look at a head; ``quality`` is what the look supports.

    ``hard_hat``, ``bare``, ``hat``: scores of what was detected of the top of the head, 0 where it was not.
    ``has_face``: the face was. ``is_carried``: a hat that nobody wears is on this person's body. Where no detection
    judges the top of the head the state is UNKNOWN: a face alone says nothing of a hat.
    """
    if hard_hat > 0 or bare > 0 or hat > 0:
        score = worn_score(hard_hat, bare, hat)
    elif is_carried and has_face:
        score, quality = _CARRIED_SCORE, quality * _CARRIED_QUALITY
    else:
        return _NOT_JUDGED
    if quality <= 0:
        state, quality = GearState.UNKNOWN, 0.0
    elif hard_hat > 0 and score >= 0.5:
        state = GearState.WORN
    else:
        state = GearState.MISSING
    return GearEvidence._make(
        (state, score, quality, (_reason, hard_hat, bare, hat, is_carried, quality), 0.0)
    )


def _reason(hard_hat: float, bare: float, hat: float, is_carried: bool, quality: float) -> str:
    against = _named(bare, hat)
    if hard_hat > 0:
        reason = f"hard hat {hard_hat:.2f} on the head" + (f", against {against}" if against else "")
    elif against:
        reason = f"{against}, no hard hat on it" + (", one is carried" if is_carried else "")
    else:
        reason = "hard hat carried, not worn"
    return reason if quality > 0 else f"{reason}, but too unclear to tell"


def _named(bare: float, hat: float) -> str:
    """What was seen instead of a hard hat; a cap, hood or hat is named even where the head is surer."""
    if hat > 0 and bare > 0:
        return f"hat {hat:.2f} on a bare head {bare:.2f}"
    if hat > 0:
        return f"hat {hat:.2f}"
    return f"bare head {bare:.2f}" if bare > 0 else ""
