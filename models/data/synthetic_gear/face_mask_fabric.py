"""The fabric of a face mask: colour and print with the shades of pleats, seams, hem, wrinkles and grain, which are
too fine for its surface.

Shapes: N points of the surface.
"""

from typing import Final

import numpy as np

from models.data.synthetic_gear.face_mask_looks import FaceMaskLook
from models.data.synthetic_gear.face_mask_template import Disc, FaceMaskTemplate
from models.data.synthetic_gear.surfaces import Texture
from models.data.synthetic_gear.textures import PRINTS, NoiseField, Values, folds

#: From the middle to the side along the fabric, which bends backwards.
_HALF_WIDTH_MM: Final = 82.0
_GRAIN_MM: Final = 1.3


def fabric(template: FaceMaskTemplate, look: FaceMaskLook) -> Texture:
    """Colours of the fabric at points across (0 to 1) and down (0 to 1) its surface."""
    noise = NoiseField(np.random.default_rng(look.seed))
    colour, accent = np.asarray(look.colour_rgb, np.float32), np.asarray(look.accent_rgb, np.float32)
    height_mm = 1.15 * float(template.control_mm[-1, :, 1].max() - template.control_mm[0, :, 1].min())

    def texture(u: Values, v: Values) -> Values:
        across = 2 * u - 1
        x_mm, y_mm = _HALF_WIDTH_MM * across, height_mm * v
        shown = PRINTS[look.print_name](x_mm, y_mm, noise)[:, None]
        rgb = colour + shown * (accent - colour)
        if template.nose_clip_rgb is not None:
            clip = (np.abs(across) < 0.4) & (np.abs(v - 0.075) < 0.022)
            rgb = np.where(clip[:, None], np.asarray(template.nose_clip_rgb, np.float32), rgb)
        shade = _relief(template, across, v)
        shade *= 1 + template.weave * noise.at(x_mm / _GRAIN_MM, y_mm / _GRAIN_MM)
        shade *= 1 + template.folds * folds(noise, x_mm, y_mm)
        return np.asarray(rgb * shade[:, None], np.float32)

    return texture


def disc_texture(disc: Disc, look: FaceMaskLook) -> Texture:
    """A valve: around it a groove, across it slots. Rows go from its middle to its rim."""
    colour = np.asarray(disc.colours_rgb[look.disc_colour % len(disc.colours_rgb)], np.float32)

    def texture(u: Values, v: Values) -> Values:
        slots = np.abs(np.mod(v * np.sin(2 * np.pi * u) * 3.5, 1) - 0.5) < 0.16
        shade = 1 - 0.28 * slots * (v < 0.66) - 0.3 * np.exp(-(((v - 0.72) / 0.05) ** 2))
        return np.asarray(colour * shade[:, None], np.float32)

    return texture


def _relief(template: FaceMaskTemplate, across: Values, v: Values) -> Values:
    """Brightness (N,) of pleats, seams and hem; ``across`` -1 to 1, ``v`` 0 to 1 down."""
    relief = np.ones_like(across)
    for height in template.pleats:
        fold = v - height - 0.03 * across**2 * np.sign(0.5 - height)
        relief *= 1 - 0.24 * _line(fold, 0.016) + 0.08 * _line(fold + 0.045, 0.028)
    relief *= 1 - 0.25 * template.seam * _line(across, 0.035)
    for at in template.seams_at:
        relief *= 1 - 0.18 * _line(np.abs(across) - at, 0.022)
    if template.binding:
        edge = np.minimum(np.minimum(v, 1 - v), (1 - np.abs(across)) / 2)
        relief *= 1 - 0.13 * _line(edge - template.binding, 0.014)
    return np.asarray(relief, np.float32)


def _line(distance: Values, width: float) -> Values:
    return np.asarray(np.exp(-((distance / width) ** 2)), np.float32)
