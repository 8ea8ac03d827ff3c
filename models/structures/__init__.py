"""The value types that the whole product shares: frozen, read-only, checked when they are made. Numpy only."""

from models.structures.categories import CATEGORY_NAMES, FACE_CATEGORIES, Category, Gear, GearState
from models.structures.detections import FACE_MASK_CLASSES, Detections
from models.structures.image_batch import ImageBatch
from models.structures.people import GearEvidence, PersonObservation
from models.structures.picture import CropsAtOnce, Picture

__all__ = [
    "CATEGORY_NAMES",
    "FACE_CATEGORIES",
    "FACE_MASK_CLASSES",
    "Category",
    "CropsAtOnce",
    "Detections",
    "Gear",
    "GearEvidence",
    "GearState",
    "ImageBatch",
    "PersonObservation",
    "Picture",
]
