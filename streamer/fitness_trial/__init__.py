"""Tries out the camera fitness: clips and drawn scenes, with defects put into them, through an encoder."""
