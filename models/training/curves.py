"""Curves of a run for TensorBoard."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Curves:
    """Writes scalars into ``folder``; does nothing where TensorFlow and TensorBoard, which write them, are not
    both installed."""

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        if find_spec("tensorflow") is None or find_spec("tensorboard") is None:
            return
        import tensorflow as tf  # noqa: PLC0415 - training also runs on Keras' other backends

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
