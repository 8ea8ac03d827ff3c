"""Parts of a picture that are looked at beside the whole of it, so that small things get enough pixels.

A ``View`` says which parts are shown and where; ``ViewPicture`` draws them; ``merge_views`` puts what was seen in all
views of one picture together. Pure: what to look at is chosen elsewhere. See ``docs/adr/0073-tiles.md``.
"""

from models.tiles.grid import grid_views
from models.tiles.heads import head_views, heads_per_view
from models.tiles.looking import detect_views, merged_look, pictures_of
from models.tiles.merging import merge_views
from models.tiles.views import Cell, View, whole_view

__all__ = [
    "Cell",
    "View",
    "detect_views",
    "grid_views",
    "head_views",
    "heads_per_view",
    "merge_views",
    "merged_look",
    "pictures_of",
    "whole_view",
]
