"""What the training commands share: how each begins and ends."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from models.errors import ModelError

#: In which TensorFlow is loaded.
Loading = Callable[[], AbstractContextManager[None]]


def training_command(
    description: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    work: Callable[[argparse.Namespace, Loading], None],
    *,
    formatter: type[argparse.HelpFormatter] = argparse.HelpFormatter,
) -> Callable[..., int]:
    """The ``main(arguments, *, prog, loading)`` of a command, which returns its exit code: 1, with the reason on
    standard error, where ``work`` raises a ``ModelError``.

    Usage is told at once: ``work`` imports what needs TensorFlow inside of the ``loading`` that it is given.
    """

    def main(arguments: Sequence[str] | None = None, *, prog: str, loading: Loading = nullcontext) -> int:
        parser = argparse.ArgumentParser(prog=prog, description=description, formatter_class=formatter)
        add_arguments(parser)
        options = parser.parse_args(arguments)
        try:
            work(options, loading)
        except ModelError as error:
            print(error, file=sys.stderr)
            return 1
        return 0

    return main
