"""The three face masks that Mask R-CNN's canvases are drawn with; all are ``FACE_MASKS`` of
``models.data.synthetic_gear.face_mask_templates``.
"""

from types import MappingProxyType
from typing import Final

from models.data.synthetic_gear.face_mask_templates import CLOTH, RESPIRATOR, SURGICAL

TEMPLATES: Final = MappingProxyType({t.name: t for t in (SURGICAL, RESPIRATOR, CLOTH)})
