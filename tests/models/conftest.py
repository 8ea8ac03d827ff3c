"""Fixtures for what has networks."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def eagerly() -> Iterator[None]:
    """TensorFlow runs each operation when its turn comes: tracing a training step takes as long as ten such steps."""
    import tensorflow as tf  # noqa: PLC0415 - only where it is needed

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
