"""The place of ``models.data.synthetic_gear.head_frame`` for those who import it by its first name."""

from models.data.synthetic_gear.head_frame import MEAN_LANDMARKS_MM, MIN_EYE_DISTANCE_PX
from models.data.synthetic_gear.head_frame import HeadFrame as FaceFrame

__all__ = ["MEAN_LANDMARKS_MM", "MIN_EYE_DISTANCE_PX", "FaceFrame"]
