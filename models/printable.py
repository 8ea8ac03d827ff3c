"""Text of others for people: it must not steer the terminal that shows it, nor make up lines of a log."""


def printable(text: str, *, kept: str = "") -> str:
    """``text`` with ``?`` for every character that is not shown as itself (controls, line ends, changes of direction),
    except those of ``kept``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in kept else "?" for char in text)
