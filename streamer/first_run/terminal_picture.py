"""A small picture in the terminal itself, where that has a way: kitty's graphics protocol or iTerm2's inline images."""

import base64
from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np

_KITTY_PROGRAMS: Final = frozenset({"ghostty", "kitty"})
_ITERM_PROGRAMS: Final = frozenset({"iTerm.app", "WezTerm", "mintty"})
_WIDTH_PX: Final = 480
_WIDTH_CELLS: Final = 48
#: Longest piece of one escape sequence of kitty's.
_PIECE: Final = 4096


def in_terminal(jpeg: bytes, environ: Mapping[str, str]) -> str:
    """What is to be written to the terminal to show the picture; empty where the environment names no way."""
    if "TMUX" in environ or environ.get("TERM", "").startswith(("screen", "tmux")):
        # they pass none of it on
        return ""
    program = environ.get("TERM_PROGRAM", "")
    if environ.get("TERM") in {"xterm-kitty", "xterm-ghostty"} or program in _KITTY_PROGRAMS:
        return _kitty(jpeg)
    if program in _ITERM_PROGRAMS:
        data = base64.b64encode(jpeg).decode()
        return f"\x1b]1337;File=inline=1;size={len(jpeg)};width={_WIDTH_CELLS}:{data}\x07\n"
    return ""


def _kitty(jpeg: bytes) -> str:
    """The protocol takes PNG: https://sw.kovidgoyal.net/kitty/graphics-protocol/."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        return ""
    height = max(1, round(picture.shape[0] * _WIDTH_PX / picture.shape[1]))
    small = cv2.resize(picture, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".png", small)[1].tobytes()).decode()
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    written = ""
    for number, piece in enumerate(pieces):
        head = "a=T,f=100," if number == 0 else ""
        written += f"\x1b_G{head}m={int(number < len(pieces) - 1)};{piece}\x1b\\"
    return written + "\n"
