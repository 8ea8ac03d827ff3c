"""Hands a command over to the ``main`` of a module of ``models``, which knows its own arguments."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from models.keras_start import load_keras
from streamer.commands import ExitCode
from streamer.native_noise import native_noise_hidden


def run_main_of(module: str, arguments: Sequence[str], *, prog: str) -> ExitCode:
    """Run ``main(arguments, prog=prog, loading=...)`` of ``module``; its exit code is ours.

    It imports TensorFlow when it knows that it needs it, inside of the context manager ``loading``.
    """
    with native_noise_hidden():
        main = importlib.import_module(module).main
    return ExitCode(main(list(arguments), prog=prog, loading=_loading))


@contextmanager
def _loading() -> Iterator[None]:
    with native_noise_hidden():
        load_keras()
        yield
