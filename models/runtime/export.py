"""Makes exports, and is the process that does: ``python -m models.runtime.export NETWORK WEIGHTS FOLDER``, and as many
more such triples.

Each network knows how it is exported, and what of its answers is compared.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from models.errors import ModelError, WeightsError
from models.runtime.equality import check_differences
from models.runtime.export_files import Export, write_export

#: The modules whose ``export(weights_path)`` gives the ``Export`` of a network, by its name.
_EXPORTERS: Final = {
    "retinaface": "models.retinaface.export",
    "mask_state": "models.mask_state.export",
    "maskrcnn": "models.mask_rcnn.export",
}


def make_export(network: str, weights_path: Path) -> Export:
    """The export of a weights file, made here and compared; loads TensorFlow.

    Raises ``WeightsError`` when the file is not one of ``network``, ``ExportError`` when it cannot be exported or its
    export answers otherwise.
    """
    from models.keras_start import load_keras  # noqa: PLC0415 - takes seconds

    load_keras()
    export: Export = importlib.import_module(_EXPORTERS[network]).export(weights_path)
    check_differences(network, export.differences)
    return export


def main(arguments: Sequence[str]) -> int:
    """Export all, whatever is wrong with one; the last line on standard error says why the last one of those that
    failed did."""
    from models.runtime.cache import WEIGHTS_EXIT_CODE  # noqa: PLC0415 - which runs this module

    exit_code = 0
    for network, weights, folder in zip(arguments[::3], arguments[1::3], arguments[2::3], strict=True):
        try:
            write_export(make_export(network, Path(weights)), Path(folder))
        except (ModelError, OSError) as error:
            print(error, file=sys.stderr)
            exit_code = WEIGHTS_EXIT_CODE if isinstance(error, WeightsError) else 1
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
