"""Whatever stands in a labels file, its reader answers with pictures or with ``DataSetError``."""

import contextlib
import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import labelled_sets as sets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.readers import read_coco, read_pictures, read_via, read_voc, read_yolo
from models.errors import DataSetError

STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 0, 10**6, 10**9, 2**63]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["../x", "/", ".", "..", "a.png", "\ud800", "polygon", "x" * 5000]),
    st.lists(st.integers() | st.floats(), max_size=7),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
    st.just([[]]),
    st.just({"size": [60, 80], "counts": "0"}),
    st.builds(
        lambda text: {"size": [60, 80], "counts": text}, st.text(st.characters(codec="ascii"), max_size=9)
    ),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    document = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        if not (found := places(document)):
            break
        container, key = draw(st.sampled_from(found))
        if draw(st.booleans()):
            container[key] = copy.deepcopy(draw(STRANGE))
        else:
            del container[key]
    return document


@st.composite
def garbled(draw: st.DrawFn, text: str) -> str:
    letters = list(text)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(letters) - 1))
        piece = draw(
            st.text(max_size=3) | st.sampled_from(["<", ">", "&x;", "1e999", "-", "\0", "../", "nan"])
        )
        letters[place : place + draw(st.integers(0, 6))] = list(piece)
        letters = letters or ["x"]
    return "".join(letters).encode("utf-8", "replace").decode("utf-8")


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(document=damaged(sets.coco_document()))
def test_coco(folder, document):
    with contextlib.suppress(DataSetError):
        read_coco(sets.write_json(folder / "coco.json", document))


@given(document=damaged(sets.via_document()))
def test_via(folder, document):
    for name in "ab":
        if not (folder / f"{name}.png").exists():
            sets.draw(folder / f"{name}.png")
    with contextlib.suppress(DataSetError):
        read_via(sets.write_json(folder / "via.json", document))


@given(text=garbled(sets.VOC))
def test_voc(folder, text):
    file = sets.write_voc(folder / "voc", text)
    with contextlib.suppress(DataSetError):
        read_voc(file)


@given(names=garbled(sets.YOLO_NAMES) | st.just(sets.YOLO_NAMES), labels=garbled(sets.YOLO_LABELS))
def test_yolo(folder, names, labels):
    file = sets.write_yolo(folder / "yolo", names, labels)
    with contextlib.suppress(DataSetError):
        read_yolo(file)


@given(content=st.binary(max_size=40) | garbled(json.dumps(sets.coco_document())).map(str.encode))
def test_any_bytes(folder, content):
    for name in ("x.json", "x.xml", "x.yaml", "classes.txt"):
        (folder / "any").mkdir(exist_ok=True)
        (folder / "any" / name).write_bytes(content)
        with contextlib.suppress(DataSetError):
            read_pictures(folder / "any" / name)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "", "\ufeff{}"])
def test_documents_that_overwhelm_a_parser(tmp_path, text):
    for name in ("x.json", "x.xml", "x.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(DataSetError):
            read_pictures(tmp_path / name)


@pytest.mark.parametrize("names", ["path: {0}\ntrain: a\nnames: [x]\n", "train: {0}\nnames: [x]\n"])
def test_names_that_no_file_system_takes(tmp_path, names):
    sets.write_yolo(tmp_path, names.format("9" * 5000))
    with pytest.raises(DataSetError):
        read_yolo(tmp_path / "data.yaml")
