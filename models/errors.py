"""What can go wrong in ``models``, one tree with one root.

::

    ModelError
    ├── WeightsError    a weights file is missing, damaged, of another architecture, or holds what it must not
    ├── PictureError    a picture cannot be read, or its size is not one that the network takes
    ├── DeviceError     the asked-for processor (a GPU) is not there
    ├── InferenceError  a network answered with numbers that are not finite
    ├── ExportError     a network cannot be exported for another runtime, or its export would answer otherwise
    ├── DataSetError    a training or evaluation set is missing or not of the described layout
    └── TrainingError   a training run cannot start, cannot resume, or has diverged
"""

from models.printable import printable


class ModelError(Exception):
    """Root of everything that ``models`` raises on purpose. Its text quotes files, but steers no terminal."""

    def __str__(self) -> str:
        return printable(super().__str__(), kept="\n")


class WeightsError(ModelError):
    """A weights file is missing, damaged, of another architecture, or holds what it must not."""


class PictureError(ModelError):
    """A picture cannot be read, or its size is not one that the network takes."""


class DeviceError(ModelError):
    """The asked-for processor (a GPU) is not there."""


class InferenceError(ModelError):
    """A network answered with numbers that are not finite."""


class ExportError(ModelError):
    """A network cannot be exported for another runtime, or its export would answer otherwise than the network."""


class DataSetError(ModelError):
    """A training or evaluation set is missing or not of the described layout."""


class TrainingError(ModelError):
    """A training run cannot start, cannot resume, or has diverged."""
