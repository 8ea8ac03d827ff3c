"""The folder of weights that ship with the product, each beside its card.

``<name>.safetensors`` is described by ``<name>.card.md``: data, initialisation, licence note, command,
figures, and a line ``sha256: <hex>`` that ties the card to the very bytes it speaks of.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import WeightsError
from models.weights.files import digest_of, load_weights

STORE: Final = Path(__file__).parent / "store"

_SHA256_LINE: Final = re.compile(r"^\W*sha256\W+([0-9a-f]{64})\W*$", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One weights file of a folder. ``problem`` is None, or one line that says what is wrong with it."""

    name: str
    path: Path
    architecture: str
    source: str
    digest: str
    size_bytes: int
    problem: str | None


def list_weights(folder: Path = STORE) -> list[WeightsEntry]:
    """Every weights file of ``folder`` by name, each read and compared with its card. Never raises for a
    bad file."""
    return list(_entries(folder))


def verify_weights(folder: Path = STORE) -> list[str]:
    """What is wrong in ``folder``: one line per problem, none when all is well. Finds cards without files
    too."""
    problems = [f"{entry.name}: {entry.problem}" for entry in _entries(folder) if entry.problem]
    problems += [
        f"{card.name}: describes a file that is not there"
        for card in sorted(folder.glob("*.card.md"))
        if not (folder / f"{card.name.removesuffix('.card.md')}.safetensors").exists()
    ]
    return problems


def check_against_card(path: Path) -> None:
    """Raise ``WeightsError`` unless a weights file is the one that the card beside it speaks of; without a card any is.

    A turned bit makes other finite numbers of a weight: nothing else would tell.
    """
    card = path.with_name(f"{path.stem}.card.md")
    if not card.exists():
        return
    digest, named = digest_of(path), f"sha256:{card_sha256(card)}"
    if digest != named:
        raise WeightsError(f"{path}: is damaged or replaced: its digest is {digest}, its card names {named}")


def card_sha256(card: Path) -> str:
    """The hex digest that a card names. Raises ``WeightsError`` when the card is missing or names none, or
    several."""
    try:
        text = card.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsError(f"{card}: cannot be read: {error.strerror}") from error
    found = _SHA256_LINE.findall(text)
    if len(found) != 1:
        raise WeightsError(f"{card}: needs exactly one line `sha256: <hex>`, has {len(found)}")
    return str(found[0])


def _entries(folder: Path) -> Iterator[WeightsEntry]:
    for path in sorted(folder.glob("*.safetensors")):
        name = path.stem
        size_bytes = path.stat().st_size
        try:
            stored = load_weights(path)
            named = card_sha256(path.with_name(f"{name}.card.md"))
        except WeightsError as error:
            yield WeightsEntry(name, path, "", "", "", size_bytes, str(error))
            continue
        problem = (
            None if stored.digest == f"sha256:{named}" else "the card speaks of another file: sha256 differs"
        )
        yield WeightsEntry(name, path, stored.architecture, stored.source, stored.digest, size_bytes, problem)
