"""RetinaFace as an exported graph, decoded on the host: of forty thousand anchors some hundred are worth it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.retinaface.anchors import anchors_for
from models.retinaface.candidates import Candidates, best_candidates
from models.runtime.export_files import Export
from models.runtime.session import SessionOptions, SizedSessions

#: The only graph of an export, and its outputs.
GRAPH: Final = "retinaface"
OUTPUTS: Final = ("face_logits", "box_deltas", "landmark_deltas")


class GraphCandidates:
    """A ``CandidateFinder`` of an export."""

    def __init__(self, export: Export, options: SessionOptions | None = None) -> None:
        self._sessions = SizedSessions(export.graphs[GRAPH], options)

    def find(self, pixels: NDArray[np.uint8], score_threshold: float) -> Sequence[Candidates]:
        """See ``CandidateFinder``."""
        input_hw = pixels.shape[1], pixels.shape[2]
        session, anchors = self._sessions.at(input_hw), anchors_for(input_hw)
        found = []
        for row in range(len(pixels)):
            answers = session.run(pixels=pixels[row : row + 1])
            logits, box_deltas, landmark_deltas = (answers[name][0] for name in OUTPUTS)
            found.append(
                best_candidates(logits, box_deltas, landmark_deltas, anchors, score_threshold=score_threshold)
            )
        return found

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:  # noqa: ARG002 - one by one
        """Compile for an input size."""
        self._sessions.announce(input_hw)

    def forget(self, input_hw: tuple[int, int]) -> None:
        """See ``CandidateFinder``."""
        self._sessions.forget(input_hw)
