"""Anybody's labelled faces for the mask-state classifier: folders of pictures, or boxes of a labels file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from models.data.annotated import AnnotatedPicture
from models.data.near_duplicates import groups_of
from models.data.readers import read_pictures
from models.errors import DataSetError
from models.mask_state.crops import CropGeometry
from models.training.mask_state_examples import FaceExample, LocatedFaces, image_level_faces
from models.training.mask_state_labels import meaning_of_object
from models.training.mask_state_split import HELD_OUT_SHARE, held_out


@dataclass(frozen=True, slots=True)
class FaceSet:
    """One set.

    - ``path``: below the data folder: a folder with a folder of pictures for each class; or a labels file, or folder,
      of a format that ``models.data.readers`` knows, with boxes of faces or a label for each picture.
    - ``classes``: by word of the set, the state or kind that it means (see ``mask_state_labels``), null for what is
      not to be learned from. Words that it does not name must be known.
    - ``faces``: where the face of a picture without boxes is: ``found`` by the face detector, or the ``whole`` picture.
    - ``held_out``: share of the pictures that choose the best round and are not learned from; near duplicates of
      each other are held out together.
    """

    path: str
    classes: Mapping[str, str | None] = field(default_factory=dict)
    faces: Literal["found", "whole"] = "found"
    held_out: float = HELD_OUT_SHARE

    def __post_init__(self) -> None:
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out must lie in 0 to 1, got {self.held_out}")
        if self.faces not in ("found", "whole"):
            raise ValueError(f"faces must be found or whole, got {self.faces!r}")


@dataclass(frozen=True, slots=True, eq=False)
class LoadedFaceSet:
    """A set and its pictures, which lie below ``folder``."""

    face_set: FaceSet
    folder: Path
    pictures: Sequence[AnnotatedPicture]

    @property
    def name(self) -> str:
        """The set's own in sources and in ``LocatedFaces``."""
        return self.face_set.path if self.face_set.path not in ("", ".") else self.folder.name

    def to_be_found(self) -> dict[str, Path]:
        """The pictures in which the face must be found first, by their keys in ``LocatedFaces``."""
        if self.face_set.faces == "whole":
            return {}
        return {
            f"{self.name}/{picture.path.relative_to(self.folder).as_posix()}": picture.path
            for picture in self.pictures
            if not picture.objects and picture.image_label
        }

    def examples(self, located: LocatedFaces, *, geometry: CropGeometry, seed: int) -> list[FaceExample]:
        """What can be learned from it. Raises ``DataSetError`` for words that nobody knows."""
        named = [picture for picture in self.pictures if picture.objects or picture.image_label]
        examples = [
            example
            for picture in named
            for example in (
                self._labelled(picture)
                if picture.objects
                else image_level_faces(
                    [picture],
                    self.folder,
                    located,
                    name=self.name,
                    geometry=geometry,
                    classes=self.face_set.classes,
                )
            )
        ]
        if not examples:
            raise DataSetError(f"{self.folder}: there is no labelled face to learn from")
        chosen = self._held_out(named, examples, seed)
        return [replace(example, held_out=str(example.file) in chosen) for example in examples]

    def _labelled(self, picture: AnnotatedPicture) -> list[FaceExample]:
        examples = []
        for thing in picture.objects:
            meaning = meaning_of_object(thing, self.face_set.classes, origin=self.name)
            if meaning is not None and not thing.ignored:
                source = f"{self.name}/{picture.source or thing.category}"
                examples.append(
                    FaceExample(picture.path, thing.box_xyxy, meaning.label, source, kind=meaning.kind)
                )
        return examples

    def _held_out(
        self, pictures: Sequence[AnnotatedPicture], examples: Sequence[FaceExample], seed: int
    ) -> frozenset[str]:
        """Files that are not learned from; a picture counts as what its rarest face is."""
        if not self.face_set.held_out:
            return frozenset()
        counts = Counter((example.label, example.kind) for example in examples)
        rarest: dict[str, tuple[int, int]] = {}
        for example in examples:
            file, words = str(example.file), (example.label, example.kind)
            if file not in rarest or counts[words] < counts[rarest[file]]:
                rarest[file] = words
        used = [picture for picture in pictures if str(picture.path) in rarest]
        files = [str(picture.path) for picture in used]
        chosen = held_out(
            [picture.path.relative_to(self.folder).as_posix() for picture in used],
            [str(rarest[file]) for file in files],
            groups_of(used),
            share=self.face_set.held_out,
            seed=seed,
        )
        return frozenset(file for file, is_chosen in zip(files, chosen, strict=True) if is_chosen)


def load_face_set(face_set: FaceSet, data: Path) -> LoadedFaceSet:
    """Read a set's labels. Raises ``DataSetError`` when it is missing, or cannot be understood."""
    path = data / face_set.path
    pictures = read_pictures(path)
    return LoadedFaceSet(face_set, path if path.is_dir() else path.parent, pictures)
