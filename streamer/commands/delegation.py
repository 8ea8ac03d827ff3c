"""Hands a command over to the ``main`` of a module of ``models``, which knows its own arguments."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from models.keras_start import load_keras
from streamer.commands import ExitCode
from streamer.native_noise import native_noise_hidden


def run_main_of(module: str, arguments: Sequence[str], *, prog: str, loads_later: bool = False) -> ExitCode:
    """Run ``main(arguments, prog=prog)`` of ``module``; its exit code is ours.

    With ``loads_later`` the module imports TensorFlow when it knows that it needs it, inside of the context manager
    that ``main`` is given as ``loading``.
    """
    with native_noise_hidden() if loads_later else _loading():
        main = importlib.import_module(module).main
    options = {"loading": _loading} if loads_later else {}
    return ExitCode(main(list(arguments), prog=prog, **options))


@contextmanager
def _loading() -> Iterator[None]:
    with native_noise_hidden():
        load_keras()
        yield
