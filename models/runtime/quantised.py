"""Networks whose exports were quantised to 8 bits after training: an option, for it costs average precision.

The ranges of what flows through a graph are measured on pictures like those that it will see (post-training
quantisation with bias correction, NNCF; Jacob et al. 2018, Nagel et al. 2019). It lies in the cache beside the export
that it was made of, and holds no more for another version of OpenVINO.
"""

import contextlib
import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import ExportError
from models.runtime.cache import cache_folder, export_place, exported
from models.runtime.export_files import Export, read_export, write_export
from models.runtime.openvino_start import load_openvino
from models.runtime.session import SessionOptions
from models.weights.files import digest_of

#: The networks that are quantised, with their graphs that are: those that see pictures take nearly all of the time.
#: Heads and the classifier gain nothing.
QUANTISED_GRAPHS: Final[Mapping[str, str]] = {"retinaface": "retinaface", "maskrcnn": "trunk"}


def export_for(network: str, weights_path: Path, options: SessionOptions | None) -> Export:
    """The export of a weights file that ``options`` run: the quantised one where they say so and ``network`` is ever
    quantised, else the usual one (``cache.exported``, whose errors it raises).

    Raises ``ExportError`` when it is to be quantised and was not.
    """
    if options is not None and options.precision == "int8" and network in QUANTISED_GRAPHS:
        return quantised_export(network, weights_path)
    return exported(network, weights_path)


def quantised_export(network: str, weights_path: Path, *, folder: Path | None = None) -> Export:
    """The quantised export of a weights file, out of ``folder`` (by default ``cache_folder()``).

    Raises ``ExportError`` when there is none for these weights and this version of OpenVINO, ``WeightsError`` when the
    file cannot be read.
    """
    digest = digest_of(weights_path)
    place = export_place(_name(network), digest, folder or cache_folder())
    found = read_export(place, network=_name(network), weights_digest=digest)
    if found is None:
        raise ExportError(
            f"{weights_path}: was not quantised for this version of OpenVINO: "
            "`ppewatch weights export --precision int8 --pictures FOLDER` does that"
        )
    return found


def quantise(
    network: str,
    weights_path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    folder: Path | None = None,
) -> Export:
    """Quantise the export of a weights file and keep it in ``folder`` (by default ``cache_folder()``).

    ``pictures``: inputs uint8 (1, H, W, 3) as the network will see them, of any sizes that are multiples of 32; some
    hundred of them. Raises ``ExportError`` when NNCF is not installed or fails, else as ``cache.exported``.
    """
    export = exported(network, weights_path, folder=folder)
    graph = QUANTISED_GRAPHS[network]
    changed = Export(
        _name(network),
        export.weights_digest,
        {**export.graphs, graph: _quantised(export.graphs[graph], pictures)},
        {**export.facts, "pictures": len(pictures)},
        export.differences,
    )
    place = export_place(_name(network), export.weights_digest, folder or cache_folder())
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export.", dir=place.parent) as made_in:
        made = Path(made_in) / "export"
        made.mkdir()
        write_export(changed, made)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)
    return quantised_export(network, weights_path, folder=folder)


def _name(network: str) -> str:
    return f"{network}-int8"


def _quantised(graph: Any, pictures: Sequence[NDArray[np.uint8]]) -> Any:
    load_openvino()  # before NNCF does: it knows how without telemetry
    try:
        nncf = importlib.import_module("nncf")
    except ImportError as error:
        raise ExportError(f"quantising needs the package nncf (extra `int8`): {error}") from error
    with _on_standard_error():
        try:
            return nncf.quantize(
                graph.clone(),
                nncf.Dataset(list(pictures)),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(pictures),
            )
        except Exception as error:
            # it raises classes of its own, without a common root
            raise ExportError(f"the network cannot be quantised: {error}") from error


@contextlib.contextmanager
def _on_standard_error() -> Iterator[None]:
    """What NNCF prints of its progress is no output of a command."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
