"""Curves of a run for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Curves:
    """Writes scalars into ``folder``; does nothing where TensorFlow, which writes them, is not installed."""

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        try:
            import tensorflow as tf  # noqa: PLC0415 - training also runs on Keras' other backends
        except ImportError:
            return
        self._summary = tf.summary
        self._writer = tf.summary.create_file_writer(str(folder))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """One point on each curve, readable at once."""
        if self._writer is None:
            return
        with self._writer.as_default(step):
            for name, value in values.items():
                self._summary.scalar(name, value)
        self._writer.flush()
