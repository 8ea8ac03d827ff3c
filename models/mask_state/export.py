"""The mask-state network as a graph of OpenVINO, compared with the network in Keras."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.mask_state.boxes import boxes_of
from models.mask_state.calibration import mask_states
from models.mask_state.classifier_config import ClassifierConfig
from models.mask_state.config import ARCHITECTURE
from models.mask_state.graph_answers import GRAPH, OUTPUT
from models.mask_state.keras_answers import network_of
from models.runtime.conversion import converted
from models.runtime.equality import largest_difference, likely_pictures
from models.runtime.export_files import Export
from models.runtime.session import Session
from models.weights import load_weights

_CROPS: Final = 8


def export(weights_path: Path) -> Export:
    """The export of a weights file, not judged yet. Raises ``WeightsError``, ``ExportError``."""
    import keras  # noqa: PLC0415 - as all that this module needs it for

    stored = load_weights(weights_path, architecture=ARCHITECTURE)
    config = ClassifierConfig.from_mapping(stored.config, origin=weights_path)
    network = network_of(config.network, stored, origin=weights_path, device="cpu")
    side = config.geometry.size_px

    def answers(crops: Any) -> tuple[Any, ...]:
        return (network(keras.ops.cast(crops, "float32"), training=False),)

    graph = converted(answers, {"crops": ((None, side, side, 3), "uint8")}, (OUTPUT,))
    crops = likely_pictures((side, side), _CROPS)
    expected = np.asarray(answers(crops)[0])
    said = Session(graph).run(crops=crops)[OUTPUT]
    return Export(
        "mask_state",
        stored.digest,
        {GRAPH: graph},
        {"config": dict(stored.config)},
        _differences(expected, said, config),
    )


def _differences(
    expected: NDArray[np.float32], said: NDArray[np.float32], config: ClassifierConfig
) -> dict[str, float]:
    logits, geometry = config.network.logits, config.geometry
    first, second = (
        mask_states(part[:, :logits], config.temperature, config.kind_temperature)
        for part in (expected, said)
    )
    boxes = [boxes_of(part[:, logits:], geometry) for part in (expected, said) if config.network.box]
    pairs = [(first.probs, second.probs), (first.visibility, second.visibility)]
    if first.kinds is not None and second.kinds is not None:
        pairs.append((first.kinds, second.kinds))
    return {
        "score": max(largest_difference(*pair) for pair in pairs),
        "box_px": largest_difference(*boxes) * geometry.size_px if boxes else 0.0,
    }
