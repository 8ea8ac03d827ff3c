"""What detections mean over time: persons, tracks, evidence, zones, episodes. Pure: no clock, no pixels, no threads."""
