"""What of a followed person lies in the picture."""

from rules import Track


def seen_box(track: Track, image_hw: tuple[int, int]) -> tuple[float, float, float, float]:
    """The person's box, x1, y1, x2, y2 in pixels, clipped to the picture: a body that is estimated from its head may
    reach far beyond.
    """
    height, width = image_hw
    x1, y1, x2, y2 = (float(side) for side in track.observation.box_xyxy)
    return max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)
