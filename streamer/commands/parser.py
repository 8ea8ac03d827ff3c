"""The argument parser of all commands: one line for a mistake, and nothing secret in it."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn


class CommandParser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that takes ``--debug``, no abbreviated options, and exits with 2 after one line.

    The parsers of actions below it are of the same kind, so ``--debug`` may stand behind any of their names.
    Option names must be whole, so that ``--password`` has one spelling. Arguments are named in messages only as far
    as that cannot show a password: what follows an unknown option might be one.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})
        # suppressed: a default here would undo a --debug before an action's name
        self.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="log in detail and show tracebacks",
        )

    def parse(self, args: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse ``args`` (those of the process), or say what is wrong and exit with 2."""
        parsed = argparse.Namespace(debug=False)
        self.parse_known_args(args, parsed)
        return parsed

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As ``ArgumentParser`` does, but nothing is left over: each parser says itself what it does not know, so
        that the help it points at is that of the action.
        """
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(_said_of(unknown))
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Say ``message`` in one line and exit with 2."""
        from streamer.redaction import redact

        self.exit(2, redact(f"{self.prog}: {message} (see {self.prog} --help)") + "\n")


def _said_of(unknown: Sequence[str]) -> str:
    options = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    if options:
        return f"there is no option {options[0]}"
    return f"{len(unknown)} arguments too many, beginning with {unknown[0]!r}"
