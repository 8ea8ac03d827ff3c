"""What the rest of the product needs from any detector, and nothing of how it works."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from models.structures import Detections, Picture

#: The models that look at a picture, by the names that users know (``models.loading.MODELS``); None: all.
ModelSet = frozenset[str] | None


class Detector(Protocol):
    """Finds people's heads, faces and gear in pictures. One thread at a time uses it."""

    @property
    def digests(self) -> Mapping[str, str]:
        """``sha256:<hex>`` of the weights of each network, by its name."""
        ...

    def detect(self, pictures: Sequence[Picture], input_hw: tuple[int, int]) -> list[Detections]:
        """What is in each of ``pictures`` (at least one), in their order, in original pixels.

        The networks look at ``input_hw`` pixels, multiples of 32. Counts that were not warmed up work too but
        may take long at first.
        """
        ...

    def warm_up(self, input_hw: tuple[int, int], batch_sizes: Sequence[int]) -> None:
        """Prepare (trace, compile, allocate) for batches of these sizes, so that later calls are fast."""
        ...


@runtime_checkable
class RunsBeside(Protocol):
    """A detector that says whether its networks run beside the processor, on a GPU, so that others can use the
    processor while it detects, and several pictures together cost less than one by one."""

    runs_beside: bool


@runtime_checkable
class ForgetsSizes(Protocol):
    """A detector that gives back what it prepared for an input size."""

    def forget(self, input_hw: tuple[int, int]) -> None:
        """Undo ``warm_up`` of a size that is not looked at any more; whoever asks for it again waits again."""
        ...


class SelectiveDetector(Detector, Protocol):
    """Several models in one detector, of which each picture is seen by those that it needs."""

    def detect(
        self,
        pictures: Sequence[Picture],
        input_hw: tuple[int, int],
        models: Sequence[ModelSet] | None = None,
    ) -> list[Detections]:
        """As ``Detector.detect``; ``models`` says for each picture who looks at it, None: all at all pictures.

        A model that is not loaded is left out. A picture at which none looks is empty.
        """
        ...
