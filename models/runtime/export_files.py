"""Exported graphs as a folder: two files a graph, and ``export.json`` that tells whether they are whole.

======================  ============================================================
``format``              1
``network``             the name of the network, for example ``retinaface``
``weights``             digest of the weights file that it was made of
``openvino``            version that made it
``facts``               what the detector needs to know of the network beside its graphs
``differences``         how far the export answered otherwise than the network, at most
``files``               SHA-256 of each file, by its name
======================  ============================================================
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from models.runtime.openvino_start import load_openvino, openvino_core, openvino_version

#: Changes with what is exported, so that older exports are made anew.
EXPORT_FORMAT: Final = 2

_MANIFEST: Final = "export.json"


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """A network as graphs of OpenVINO, by name; see above for the rest."""

    network: str
    weights_digest: str
    graphs: Mapping[str, Any]
    facts: Mapping[str, Any]
    differences: Mapping[str, float]


def write_export(export: Export, folder: Path) -> None:
    """Write ``export`` into an empty ``folder``. Raises ``OSError``."""
    openvino = load_openvino()
    for name, graph in export.graphs.items():
        openvino.save_model(graph, str(folder / f"{name}.xml"), compress_to_fp16=False)
    manifest = {
        "format": EXPORT_FORMAT,
        "network": export.network,
        "weights": export.weights_digest,
        "openvino": openvino_version(),
        "facts": dict(export.facts),
        "differences": dict(export.differences),
        "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def read_export(folder: Path, *, network: str, weights_digest: str) -> Export | None:
    """The export that lies in ``folder``; None when there is none, it is damaged, or it is of another network, other
    weights or another version.

    Its numbers are mapped from the files, which must not be written to: they are replaced as a whole.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        expected = {
            "format": EXPORT_FORMAT,
            "network": network,
            "weights": weights_digest,
            "openvino": openvino_version(),
        }
        if any(manifest[name] != value for name, value in expected.items()):
            return None
        files: dict[str, str] = manifest["files"]
        if any(_sha256(folder / Path(name).name) != digest for name, digest in files.items()):
            return None
        graphs = {
            Path(name).stem: openvino_core().read_model(str(folder / name))
            for name in files
            if name.endswith(".xml")
        }
        return Export(network, weights_digest, graphs, manifest["facts"], manifest["differences"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError):
        # OpenVINO's own complaints are RuntimeErrors
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
