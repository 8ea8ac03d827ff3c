"""Sides of the features that the box head and the mask head look at, and of the mask head's answer (He et al. 2017,
figure 4)."""

from typing import Final

BOX_SIDE: Final = 7
SEG_MASK_INPUT_SIDE: Final = 14
SEG_MASK_SIDE: Final = 28
