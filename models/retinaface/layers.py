"""Convolutions with batch norm as the published network has them, or with the batch norm folded in.

Shapes: B images; H, W height and width; C channels. Everything is (B, H, W, C).

Layers bear the module paths of the published PyTorch implementation (``body.stage1.0.0``): they are how
weights are stored, and what makes the importer a matter of axis order alone.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import keras

#: PyTorch's defaults, with which the published weights were trained (its momentum of 0.1 is Keras' 0.9).
BATCH_NORM_EPSILON: Final = 1e-5
BATCH_NORM_MOMENTUM: Final = 0.9


@dataclass(slots=True)
class ConvBlocks:
    """Makes convolution + batch norm + activation; remembers which batch norm belongs to which convolution.

    - ``folded``: make one convolution with a bias in place of a convolution and a batch norm.
    - ``batch_norms``: filled while building, name of the convolution to name of its batch norm.
    """

    folded: bool = False
    batch_norms: dict[str, str] = field(default_factory=dict)

    def conv(
        self,
        x: Any,
        filters: int,
        kernel_size: int,
        *,
        name: str,
        batch_norm: str,
        stride: int = 1,
        slope: float | None = None,
        ceiling: float | None = None,
    ) -> Any:
        """Convolve (B, H, W, C) to (B, H/stride, W/stride, ``filters``), padding by half the kernel on each
        side.

        ``slope`` is that of the leaky ReLU behind it (0: plain ReLU), None for no activation; ``ceiling``
        bounds what it lets through.
        """
        x, padding = _padded(x, kernel_size, stride)
        layer = keras.layers.Conv2D(
            filters, kernel_size, stride, padding=padding, use_bias=self.folded, name=name
        )
        return self._finished(layer(x), name, batch_norm, slope, ceiling)

    def depthwise(
        self,
        x: Any,
        *,
        name: str,
        batch_norm: str,
        stride: int,
        slope: float,
        ceiling: float | None = None,
    ) -> Any:
        """Convolve each channel of (B, H, W, C) by itself, 3 x 3, to (B, H/stride, W/stride, C)."""
        x, padding = _padded(x, 3, stride)
        layer = keras.layers.DepthwiseConv2D(3, stride, padding=padding, use_bias=self.folded, name=name)
        return self._finished(layer(x), name, batch_norm, slope, ceiling)

    def _finished(
        self, x: Any, name: str, batch_norm: str, slope: float | None, ceiling: float | None
    ) -> Any:
        self.batch_norms[name] = batch_norm
        if not self.folded:
            x = keras.layers.BatchNormalization(
                epsilon=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM, name=batch_norm
            )(x)
        return x if slope is None else activated(x, slope, ceiling)


def activated(x: Any, slope: float, ceiling: float | None = None) -> Any:
    """Leaky ReLU with ``slope`` below zero; plain ReLU for a slope of 0. Nothing gets above ``ceiling``."""
    x = keras.ops.leaky_relu(x, slope) if slope else keras.ops.relu(x)
    return x if ceiling is None else keras.ops.minimum(x, ceiling)


def _padded(x: Any, kernel_size: int, stride: int) -> tuple[Any, str]:
    """Keras' own ``same`` padding differs from PyTorch's on strided convolutions: pad those beforehand."""
    if kernel_size == 1:
        return x, "valid"
    if stride == 1:
        return x, "same"
    return keras.layers.ZeroPadding2D(kernel_size // 2)(x), "valid"
