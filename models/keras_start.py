"""Loads Keras without libraries that nobody here reaches through it.

Wherever they are installed Keras imports scikit-learn and Matplotlib for wrappers and plots: together a third of the
processor time of ``import keras``.
"""

import importlib
import sys
from typing import Final

_UNUSED: Final = ("sklearn", "matplotlib")


def load_keras() -> None:
    """Import Keras, if that has not been done. Whoever needs the libraries left out imports them as ever."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how the import system knows what is not to be found
    try:
        importlib.import_module("keras")
    finally:
        for name in hidden:
            del sys.modules[name]
