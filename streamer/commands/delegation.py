"""Hands a command over to the ``main`` of a module of ``models``, which knows its own arguments."""

import importlib
from collections.abc import Sequence

from streamer.commands import ExitCode
from streamer.native_noise import native_noise_hidden


def run_main_of(module: str, arguments: Sequence[str], *, prog: str) -> ExitCode:
    """Run ``main(arguments, prog=prog)`` of ``module``; its exit code is ours."""
    with native_noise_hidden():
        main = importlib.import_module(module).main
    return ExitCode(main(list(arguments), prog=prog))
