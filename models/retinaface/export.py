"""RetinaFace as a graph of OpenVINO, compared with the network in Keras."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.networks.boxes import boxes_from_deltas
from models.networks.logistic import sigmoid
from models.retinaface.anchors import anchors_for
from models.retinaface.config import ARCHITECTURE
from models.retinaface.graph_candidates import GRAPH, OUTPUTS
from models.retinaface.keras_candidates import network_of
from models.runtime.conversion import converted
from models.runtime.equality import largest_difference, likely_pictures
from models.runtime.export_files import Export
from models.runtime.session import Session
from models.weights import load_weights

_ASKED_HW: Final = (256, 320)
#: Boxes are compared where they may become faces: at the best anchors of a picture.
_BEST: Final = 200


def export(weights_path: Path) -> Export:
    """The export of a weights file, not judged yet. Raises ``WeightsError``, ``ExportError``."""
    import keras  # noqa: PLC0415 - as all that this module needs it for

    stored = load_weights(weights_path, architecture=ARCHITECTURE)
    network = network_of(stored, origin=weights_path, device="cpu")

    def answers(pixels: Any) -> tuple[Any, ...]:
        said = network(keras.ops.cast(pixels, "float32"), training=False)
        return tuple(said[name] for name in OUTPUTS)

    graph = converted(answers, {"pixels": ((None, None, None, 3), "uint8")}, OUTPUTS)
    pictures = likely_pictures(_ASKED_HW, 2)
    expected = [np.asarray(part) for part in answers(pictures)]
    session = Session(graph, shapes={"pixels": (1, *_ASKED_HW, 3)})
    rows = []
    for index in range(len(pictures)):
        said = session.run(pixels=pictures[index : index + 1])
        rows.append(_differences([part[index] for part in expected], [said[name][0] for name in OUTPUTS]))
    worst = {name: max(row[name] for row in rows) for name in rows[0]}
    return Export("retinaface", stored.digest, {GRAPH: graph}, {}, worst)


def _differences(expected: list[NDArray[Any]], said: list[NDArray[Any]]) -> dict[str, float]:
    """Of one picture: the outputs of the network, and of its export."""
    scores = [sigmoid(logits[:, 1] - logits[:, 0]) for logits, *_ in (expected, said)]
    best = np.argsort(-scores[0])[:_BEST]
    anchors = anchors_for(_ASKED_HW)[best]
    boxes = [boxes_from_deltas(deltas[best], anchors) for _, deltas, _ in (expected, said)]
    return {"score": largest_difference(*scores), "box_px": largest_difference(*boxes)}
