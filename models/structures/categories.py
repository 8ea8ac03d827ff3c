"""What can be seen (categories) and what can be required (gear), by the names that users read."""

from enum import IntEnum, StrEnum
from typing import Final


class Category(IntEnum):
    """Class ids of detections. The lower-case name is the one printed and written to files."""

    FACE_WITH_MASK = 0
    FACE_WITHOUT_MASK = 1
    FACE_MASK_INCORRECT = 2
    HARD_HAT = 3
    BARE_HEAD = 4
    PERSON = 5
    FACE_MASK = 6
    HAT = 7

    @property
    def label(self) -> str:
        """The public name, for example ``face_with_mask``."""
        return self.name.lower()


CATEGORY_NAMES: Final = tuple(category.label for category in Category)

FACE_CATEGORIES: Final = (
    Category.FACE_WITH_MASK,
    Category.FACE_WITHOUT_MASK,
    Category.FACE_MASK_INCORRECT,
)


class Gear(StrEnum):
    """Protective equipment that a rule can require."""

    HARD_HAT = "hard_hat"
    FACE_MASK = "face_mask"


class GearState(StrEnum):
    """What is known about one gear on one person. UNKNOWN never alarms and never acquits."""

    WORN = "worn"
    MISSING = "missing"
    INCORRECT = "incorrect"
    UNKNOWN = "unknown"
