"""The mask-state network in Keras, its batch norms folded, on whatever processor it runs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from models.mask_state.backbones import BATCH_NORM_EPSILONS
from models.mask_state.config import MaskStateConfig
from models.mask_state.network import batch_norms_of, build_mask_state_network
from models.networks.compiled import CompiledBatchFunction, resolved_device
from models.networks.folding import folded_tensors
from models.runtime.choice import Device
from models.weights import StoredWeights
from models.weights.keras_variables import assign_tensors


def network_of(
    config: MaskStateConfig, stored: StoredWeights, *, origin: Path, device: Device = "auto"
) -> keras.Model:
    """The network of a weights file. Raises ``WeightsError`` (naming ``origin``) when the tensors do not fit,
    ``DeviceError`` when the device is not there."""
    tensors = dict(stored.tensors)
    if not config.folded and batch_norms_of(config):
        tensors = folded_tensors(
            batch_norms_of(config), tensors, epsilon=BATCH_NORM_EPSILONS[config.backbone], origin=origin
        )
        config = replace(config, folded=True)
    with keras.device(resolved_device(device)):
        network = build_mask_state_network(config)
        assign_tensors(network, tensors, origin=origin)
    return network


def keras_answers(
    network: keras.Model, *, device: Device, buckets: Sequence[int]
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """What ``network`` answers to crops uint8 (N, S, S, 3), N at least 1: float32 (N, any)."""
    compiled = CompiledBatchFunction(
        lambda crops: (network(keras.ops.cast(crops, "float32"), training=False),),
        device=device,
        buckets=buckets,
    )
    return lambda crops: compiled(crops)[0]
