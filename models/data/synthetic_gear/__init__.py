"""Gear that nobody wears: face masks, hats and hard hats drawn onto bare faces and heads, with their pixels.

One code serves training pictures and the demo clip.
"""
