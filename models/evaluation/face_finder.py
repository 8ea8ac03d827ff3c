"""What finds faces, as far as measuring is concerned."""

from typing import Protocol

from models.retinaface.faces import Faces
from models.structures import ImageBatch


class FaceFinder(Protocol):
    """What is measured: ``RetinaFaceDetector``, or whatever finds faces like it."""

    def detect(self, batch: ImageBatch) -> list[Faces]:
        """Faces of each picture of the batch in pixels of the originals."""
        ...
