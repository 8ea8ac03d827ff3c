"""From a face to a head and from a head to a body, by the proportions of adults; and back.

Sources: D. A. Winter, Biomechanics and Motor Control of Human Movement (4th ed. 2009), fig. 4.1, after Drillis and
Contini (1966): chin at 0.870 of the stature, so a head (chin to crown) is 0.130 of it, and shoulders 0.259 wide.
The ratio of a detector's face box (hairline to chin) to the head (crown to chin) is that of the neoclassical canon,
which divides the head above the hairline off as a quarter of what lies below it. All of it holds for a person who
stands upright and is seen from the front at eye height; a camera that looks down sees shorter bodies, so the
estimated feet lie too low in its picture. See ``docs/adr/0010-estimated-bodies.md``.
"""

from typing import Final

from rules.geometry import Box, height, width

#: Height of a face box over the height of the head it belongs to.
FACE_OF_HEAD: Final = 0.8
#: Breadth of a head, with hair, over its height.
HEAD_BREADTH: Final = 0.75
#: Stature in head heights: 1 / 0.130.
HEADS_PER_STATURE: Final = 7.7
#: Width of an upright body with its arms, in head heights: 0.259 / 0.130 and a little cloth.
BODY_WIDTH_IN_HEADS: Final = 2.2


def head_from_face(face_xyxy: Box) -> Box:
    """The head that carries this face: same chin, higher by the hair, at least as wide as the face."""
    head_height = height(face_xyxy) / FACE_OF_HEAD
    half = max(width(face_xyxy), HEAD_BREADTH * head_height) / 2
    middle = (face_xyxy[0] + face_xyxy[2]) / 2
    return middle - half, face_xyxy[3] - head_height, middle + half, face_xyxy[3]


def body_from_head(head_xyxy: Box) -> Box:
    """The upright body below this head; it may reach far outside the picture."""
    head_height = height(head_xyxy)
    half = BODY_WIDTH_IN_HEADS * head_height / 2
    middle = (head_xyxy[0] + head_xyxy[2]) / 2
    return middle - half, head_xyxy[1], middle + half, head_xyxy[1] + HEADS_PER_STATURE * head_height


def head_from_body(body_xyxy: Box) -> Box:
    """Where the head of this upright body must be."""
    head_height = height(body_xyxy) / HEADS_PER_STATURE
    half = HEAD_BREADTH * head_height / 2
    middle = (body_xyxy[0] + body_xyxy[2]) / 2
    return middle - half, body_xyxy[1], middle + half, body_xyxy[1] + head_height


def head_under_hat(hat_xyxy: Box) -> Box:
    """The head below a hard hat of which nothing else was seen.

    Detectors are taught either the hat, wider than high, or the whole head with the hat on, which is higher than wide;
    the first is told from the second by its shape. A hard hat is about 0.9 head heights wide and stands about a fifth
    of one above the crown.
    """
    if width(hat_xyxy) <= 1.1 * height(hat_xyxy):
        return hat_xyxy
    head_height = width(hat_xyxy) / 0.9
    half = HEAD_BREADTH * head_height / 2
    middle = (hat_xyxy[0] + hat_xyxy[2]) / 2
    top = hat_xyxy[1] + 0.2 * head_height
    return middle - half, top, middle + half, top + head_height
