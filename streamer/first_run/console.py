"""Questions on a terminal: plain lines, so that screen readers, serial consoles and scripts of a terminal take them."""

import getpass
from collections.abc import Callable, Mapping
from typing import TypeVar

from models.printable import printable
from streamer.redaction import redact

_T = TypeVar("_T")

#: Nobody types more into a line.
_LONGEST_ANSWER = 4096


class Console:
    """Asks until an answer can be used. An end of input raises ``EOFError``, Ctrl-C ``KeyboardInterrupt``."""

    def __init__(self) -> None:
        # editing of lines, where this Python has it; what is typed is kept nowhere
        try:
            import readline  # noqa: PLC0415 - as long as nobody is asked it is not needed
        except ImportError:
            return
        readline.set_auto_history(False)

    def say(self, text: str = "") -> None:
        """One or several lines, without secrets, and harmless to the terminal whatever a device has sent."""
        print(printable(redact(text), kept="\n"), flush=True)

    def ask(self, question: str, check: Callable[[str], _T], *, default: str = "") -> _T:
        """An answer that ``check`` takes; it raises ``ValueError`` with the reason why not. Enter is ``default``."""
        shown = f" [{printable(default)}]" if default else ""
        while True:
            answer = input(f"{question}{shown}: ").strip()[:_LONGEST_ANSWER] or default
            try:
                return check(answer)
            except ValueError as error:
                self.say(f"  {error}")

    def secret(self, question: str, check: Callable[[str], _T]) -> _T:
        """As ``ask``, for what is not to be shown while it is typed."""
        while True:
            answer = getpass.getpass(f"{question}: ")
            try:
                return check(answer)
            except ValueError as error:
                self.say(f"  {error}")

    def yes(self, question: str, *, default: bool) -> bool:
        """Yes or no."""

        def check(answer: str) -> bool:
            if answer.lower() not in {"y", "yes", "n", "no"}:
                raise ValueError("y or n")
            return answer.lower().startswith("y")

        return self.ask(f"{question} (y/n)", check, default="y" if default else "n")

    def choose(self, question: str, options: Mapping[_T, str], *, default: _T) -> _T:
        """One of ``options``, by its number; each with its words."""
        keys = list(options)
        for number, key in enumerate(keys, 1):
            self.say(f"  {number}  {options[key]}")

        def check(answer: str) -> _T:
            if not answer.isdecimal() or not 1 <= int(answer) <= len(keys):
                raise ValueError(f"a number from 1 to {len(keys)}")
            return keys[int(answer) - 1]

        return self.ask(question, check, default=str(keys.index(default) + 1))
