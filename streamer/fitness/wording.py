"""Findings for people."""

from streamer.fitness.findings import Code


def detail_of(code: Code, value: float, shift_xy: tuple[float, float] | None = None) -> str:
    """A finding's value in words; ``shift_xy``: by how much of the picture a view was found moved."""
    moved = ""
    if shift_xy is not None:
        moved = f", found {abs(shift_xy[0]):.0%} of the width and {abs(shift_xy[1]):.0%} of the height away"
    words = {
        Code.COVERED: f"{value:.0%} of the usual view is hidden",
        Code.MOVED: f"{value:.0%} of the usual view is not where it was{moved}",
        Code.DEFOCUSED: f"edges are {value:.1f} times as blurred as usual",
        Code.DARK: f"19 of 20 pixels are below {value:.0f} of 255",
        Code.BRIGHT: f"{value:.0%} of the picture is white",
        Code.FROZEN: f"the same picture again and again, {value:.0%} of it changes",
        Code.CLOCK_DRIFT: f"the stream's clock is {value:.0f} parts per million off, {value * 0.0864:.0f} s a day",
        Code.CLOCK_OFFSET: f"the camera's time of day is {value:.0f} s off",
        Code.LOW_FPS: f"{value:.0%} of the frames that are needed come",
        Code.SIGNAL_LOSS: "no stream",
    }
    return words[code]
