"""Convolutions with batch norm as published networks have them, or with the batch norm folded in.

Shapes: B images; H, W height and width; C channels. Everything is (B, H, W, C).
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import keras

#: Keras' default, with which Matterport's weights and the MobileNets of Keras were trained.
BATCH_NORM_EPSILON: Final = 1e-3

#: Deviation of the first weights of layers that answer: untrained, they say nearly nothing, and what lies
#: below them is not torn about by their noise (Girshick 2015, section 4.1).
ANSWER_DEVIATION: Final = 0.01

Activation = Literal["relu", "relu6"] | None
Padding = Literal["same", "valid"]


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
        batch_norm: str | None = None,
        stride: int = 1,
        padding: Padding = "same",
        activation: Activation = None,
        biased: bool = True,
    ) -> Any:
        """Convolve (B, H, W, C) to (B, H', W', ``filters``); ``same`` pads as TensorFlow does.

        ``biased``: the convolution has a bias beside its batch norm; one without batch norm, or folded,
        always has.
        """
        has_bias = biased or self.folded or batch_norm is None
        layer = keras.layers.Conv2D(
            filters,
            kernel_size,
            stride,
            padding=padding,
            use_bias=has_bias,
            # of layers without batch norm only this keeps the size of what passes (He et al. 2015,
            # arXiv:1502.01852)
            kernel_initializer="he_normal" if activation else "lecun_normal",
            name=name,
        )
        return self._finished(layer(x), name, batch_norm, activation)

    def depthwise(
        self, x: Any, *, name: str, batch_norm: str, stride: int = 1, activation: Activation = None
    ) -> Any:
        """Convolve each channel of (B, H, W, C) by itself, 3 x 3, to (B, H/stride, W/stride, C)."""
        layer = keras.layers.DepthwiseConv2D(3, stride, padding="same", use_bias=self.folded, name=name)
        return self._finished(layer(x), name, batch_norm, activation)

    def _finished(self, x: Any, name: str, batch_norm: str | None, activation: Activation) -> Any:
        if batch_norm is not None:
            self.batch_norms[name] = batch_norm
            if not self.folded:
                x = keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=batch_norm)(x)
        if activation is None:
            return x
        return keras.ops.relu(x) if activation == "relu" else keras.ops.relu6(x)


def answer_weights() -> keras.initializers.Initializer:
    """The first weights of a layer that answers."""
    return keras.initializers.RandomNormal(stddev=ANSWER_DEVIATION)
