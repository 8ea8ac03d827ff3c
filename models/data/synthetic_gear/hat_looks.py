"""How one hat differs from others of its template: its colours, and how it sits."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.data.synthetic_gear.face_mask_looks import varied
from models.data.synthetic_gear.face_mask_template import Rgb
from models.data.synthetic_gear.hat_template import HatCategory, HatTemplate
from models.data.synthetic_gear.hat_templates import HATS

_ACCENTS_RGB: Final[tuple[Rgb, ...]] = (
    (236, 236, 232), (40, 42, 46), (196, 40, 40), (34, 70, 140), (242, 180, 40), (40, 110, 80),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class HatLook:
    """Everything that differs between two hats of one template.

    - ``colour_rgb``: of shell or fabric. ``print_name``, ``accent_rgb``: of ``textures.PRINTS``, and its colour,
      which ribbons and signs have as well. ``decal``: 0 no sign at the front, or one of two shapes.
    - ``tilted_deg``: the front lower; ``askew_deg``: one side lower; ``turned_deg``: about the head; ``scale``: size.
    - ``strap``: a chin strap is worn; ``muffs``: ear defenders.
    - ``seed``: of grain and noise.
    """

    colour_rgb: Rgb
    print_name: str = "plain"
    accent_rgb: Rgb = _ACCENTS_RGB[0]
    decal: int = 0
    tilted_deg: float = 0.0
    askew_deg: float = 0.0
    turned_deg: float = 0.0
    scale: float = 1.0
    strap: bool = False
    muffs: bool = False
    seed: int = 0


def sampled_hat(category: HatCategory, rng: np.random.Generator) -> HatTemplate:
    """Some template of ``category``."""
    fitting = [template for template in HATS.values() if template.category == category]
    return fitting[int(rng.integers(len(fitting)))]


def sampled_hat_look(template: HatTemplate, rng: np.random.Generator) -> HatLook:
    """A look by chance."""
    return HatLook(
        colour_rgb=varied(template.colours_rgb[int(rng.integers(len(template.colours_rgb)))], rng),
        print_name=template.prints[int(rng.integers(len(template.prints)))],
        accent_rgb=_ACCENTS_RGB[int(rng.integers(len(_ACCENTS_RGB)))],
        decal=int(rng.integers(1, 3)) if rng.random() < template.decal_chance else 0,
        tilted_deg=float(np.clip(rng.normal(-2, 2.5), -8, 2)),
        askew_deg=float(np.clip(rng.normal(0, 2), -6, 6)),
        turned_deg=template.turned_deg + float(rng.normal(0, 4)),
        scale=float(np.clip(rng.normal(1.02, 0.03), 0.96, 1.1)),
        strap=bool(rng.random() < template.strap_chance),
        muffs=bool(rng.random() < template.muffs_chance),
        seed=int(rng.integers(2**31)),
    )
