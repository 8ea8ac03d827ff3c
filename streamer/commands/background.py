"""Calls that Ctrl-C need not wait for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_T = TypeVar("_T")


def in_background(function: Callable[[], _T]) -> "Future[_T]":
    """Run ``function`` in a thread of its own, which does not hold up the end of the process.

    libav returns from connecting and reading at its own time limits, and an interrupt that comes meanwhile is lost in
    it. ``result()`` of what this returns can be interrupted at once.
    """
    future: Future[_T] = Future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised again by result()
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="background", daemon=True).start()
    return future
