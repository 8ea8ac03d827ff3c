"""Which categories are labelled completely: what a set's reader cannot know and its user says."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError

#: By source, the categories of which every instance is labelled; or ``present``: those that a picture shows.
Labelled = Literal["present"] | Mapping[str, frozenset[str]]


def with_labelled(pictures: Iterable[AnnotatedPicture], labelled: Labelled) -> list[AnnotatedPicture]:
    """``pictures`` with ``labelled`` set as told; sources that it does not name keep what they have.

    Raises ``DataSetError`` when it names a source of which there is no picture.
    """
    pictures = list(pictures)
    if labelled == "present":
        return [
            replace(
                picture, labelled=frozenset(thing.category for thing in picture.objects if not thing.ignored)
            )
            for picture in pictures
        ]
    sources = {picture.source for picture in pictures}
    unknown = sorted(set(labelled) - sources)
    if unknown:
        raise DataSetError(f"there is no source {unknown[0]!r}; there are {', '.join(sorted(sources))!r}")
    return [replace(picture, labelled=labelled.get(picture.source, picture.labelled)) for picture in pictures]
