"""What answers a label: which categories are right on a thing that a source calls by its own word.

Sources are no more precise than they needed to be. Where "hat" may be a hard hat too, a detection of either is right;
where something is too blurred to tell, none is right or wrong. The known sources stand in ``label_answers.yaml``,
which explains the keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from models.data.annotated import AnnotatedPicture
from models.errors import DataSetError
from models.structures import Category

_KNOWN_SOURCES: Final = Path(__file__).with_suffix(".yaml")
_IGNORED: Final = "ignored"
_WHERE_PRESENT: Final = "where_present"

#: Answers of a word; None: what bears it is neither right nor wrong.
Answers = frozenset[Category] | None


@dataclass(frozen=True, slots=True)
class SourceAnswers:
    """How one source speaks.

    - ``labels``: answers by word, where they differ from the category of the same name.
    - ``labelled``: words of which every instance is labelled; None: as the file says.
    - ``where_present``: only words that occur on a picture are labelled there.
    - ``pixel_bounds``: categories whose boxes are larger than what the source would draw around the same pixels.
    """

    labels: Mapping[str, Answers] = field(default_factory=dict)
    labelled: frozenset[str] | None = None
    where_present: bool = False
    pixel_bounds: frozenset[Category] = frozenset()


class LabelAnswers:
    """The answers of all sources; those of a source go before ``every_source``."""

    def __init__(self, every_source: SourceAnswers, sources: Mapping[str, SourceAnswers]) -> None:
        self._every_source = every_source
        self._sources = dict(sources)

    def categories(self, source: str, word: str) -> Answers:
        """The categories that answer ``word``; none when we know nothing like it, None when it is ignored."""
        for labels in (self._of(source).labels, self._every_source.labels):
            if word in labels:
                return labels[word]
        return frozenset(category for category in Category if category.label == word)

    def measured_words(self, picture: AnnotatedPicture) -> frozenset[str]:
        """Words of which every instance is labelled on ``picture``, and that something of ours answers.

        When neither the table nor the file says what is labelled, these are the words that occur.
        """
        rules = self._of(picture.source)
        present = frozenset(thing.category for thing in picture.objects)
        if rules.where_present:
            words = present
        elif rules.labelled is not None:
            words = rules.labelled
        else:
            words = picture.labelled or present
        return frozenset(word for word in words if self.categories(picture.source, word))

    def pixel_bounds(self, source: str) -> frozenset[Category]:
        """Categories whose detections are judged by the bounds of their pixels, where they have some."""
        return self._of(source).pixel_bounds

    def _of(self, source: str) -> SourceAnswers:
        return self._sources.get(source, self._every_source)


def read_label_answers(path: Path = _KNOWN_SOURCES) -> LabelAnswers:
    """Read a table of answers, by default that of the known sources.

    Raises ``DataSetError`` when the file is missing, no YAML, or has a wrong key, category or value.
    """
    try:
        return _table(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise DataSetError(f"{path}: is no table of answers: {error}") from error


def _table(content: Mapping[str, Any]) -> LabelAnswers:
    _refuse_unknown(content, {"every_source", "sources"})
    sources = content.get("sources") or {}
    return LabelAnswers(
        _source(content.get("every_source") or {}),
        {str(name): _source(rules) for name, rules in sources.items()},
    )


def _source(values: Mapping[str, Any]) -> SourceAnswers:
    _refuse_unknown(values, {"labels", "labelled", "pixel_bounds"})
    labelled = values.get("labelled")
    if isinstance(labelled, str) and labelled != _WHERE_PRESENT:
        raise ValueError(f"labelled: expected words or {_WHERE_PRESENT}, not {labelled!r}")
    words = None if labelled is None or isinstance(labelled, str) else frozenset(map(str, labelled))
    return SourceAnswers(
        labels={str(word): _answers(given) for word, given in values.get("labels", {}).items()},
        labelled=words,
        where_present=labelled == _WHERE_PRESENT,
        pixel_bounds=_answers(values.get("pixel_bounds", [])) or frozenset(),
    )


def _answers(given: Any) -> Answers:
    if given == _IGNORED:
        return None
    if not isinstance(given, list):
        raise TypeError(f"expected categories or {_IGNORED!r}, not {given!r}")
    known = {category.label: category for category in Category}
    strangers = sorted(str(name) for name in given if name not in known)
    if strangers:
        raise ValueError(f"there are no categories {strangers}")
    return frozenset(known[name] for name in given)


def _refuse_unknown(values: Mapping[str, Any], known: set[str]) -> None:
    unknown = set(values) - known
    if unknown:
        raise ValueError(f"unknown keys {sorted(unknown)}")
