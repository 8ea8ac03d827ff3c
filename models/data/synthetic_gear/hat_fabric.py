"""Colours of hats: panels, ribs, ribbons, vents and signs, which are too fine for their surfaces.

Shapes: N points of a surface.
"""

import numpy as np

from models.data.synthetic_gear.hat_looks import HatLook
from models.data.synthetic_gear.hat_template import HatTemplate
from models.data.synthetic_gear.surfaces import Texture
from models.data.synthetic_gear.textures import PRINTS, NoiseField, Values, folds

_AROUND_MM, _HIGH_MM, _GRAIN_MM = 620.0, 150.0, 2.0


def crown_texture(template: HatTemplate, look: HatLook) -> Texture:
    """Of a dome, from its top to its rim; of a hood, from its back to the face."""
    noise = NoiseField(np.random.default_rng(look.seed))
    colour, accent = np.asarray(look.colour_rgb, np.float32), np.asarray(look.accent_rgb, np.float32)

    def texture(u: Values, v: Values) -> Values:
        around = (2 * u - 1) * np.pi
        x_mm, y_mm = (u - 0.5) * _AROUND_MM, v * _HIGH_MM
        shown = PRINTS[look.print_name](x_mm, y_mm, noise)
        if template.band:
            shown = np.maximum(shown, v > 0.8)
        if look.decal:
            # a sign on the front, of one of two shapes
            across, down = around / 0.24, (v - 0.7) / 0.11
            shown = np.maximum(
                shown,
                np.maximum(abs(across), abs(down)) < 0.8 if look.decal == 1 else across**2 + down**2 < 1,
            )
        rgb = colour + shown[:, None] * (accent - colour)
        return np.asarray(rgb * _shade(template, around, v, noise)[:, None], np.float32)

    return texture


def plain_texture(template: HatTemplate, look: HatLook) -> Texture:
    """Of brims, cuffs and bobbles: the colour with its grain."""
    noise = NoiseField(np.random.default_rng(look.seed + 1))
    colour = np.asarray(look.colour_rgb, np.float32)

    def texture(u: Values, v: Values) -> Values:
        around = (2 * u - 1) * np.pi
        shade = _grain(template, around, v, noise) * (1 - 0.12 * np.exp(-(((v - 1) / 0.06) ** 2)))
        if template.ribs:
            shade *= 0.9 + 0.1 * np.cos(template.ribs * around)
        return np.asarray(colour * shade[:, None], np.float32)

    return texture


def _shade(template: HatTemplate, around: Values, v: Values, noise: NoiseField) -> Values:
    shade = _grain(template, around, v, noise)
    if template.panels:
        to_seam = np.abs(np.mod(around / (2 * np.pi) * template.panels + 0.5, 1) - 0.5) * v
        shade *= 1 - 0.16 * np.exp(-((to_seam / 0.025) ** 2)) - 0.25 * (v < 0.07)
    if template.ribs:
        shade *= 0.9 + 0.1 * np.cos(template.ribs * around)
    if template.vents:
        beside = np.abs(np.mod(np.abs(around) - np.pi / 2 + 0.12, 0.24) - 0.12) < 0.035
        shade *= 1 - 0.6 * (beside & (np.abs(np.abs(around) - np.pi / 2) < 0.5) & (np.abs(v - 0.5) < 0.12))
    if template.category == "hard_hat":
        shade *= 1 - 0.14 * np.exp(-(((v - 0.955) / 0.012) ** 2))
    return shade


def _grain(template: HatTemplate, around: Values, v: Values, noise: NoiseField) -> Values:
    x_mm, y_mm = around * 100, v * _HIGH_MM
    shade = 1 + template.weave * noise.at(x_mm / _GRAIN_MM, y_mm / _GRAIN_MM)
    return np.asarray(shade * (1 + template.folds * folds(noise, y_mm, x_mm)), np.float32)
