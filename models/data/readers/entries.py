"""Values of somebody else's JSON document, and where each stands in it: what is wrong there has a name."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.errors import DataSetError

#: No picture is larger; what claims to lie farther away is no coordinate in pixels.
FARTHEST_PX: Final = 1e6

_LONGEST_WORD: Final = 60


class Entry:
    """One value of a document.

    Whatever is asked of it and is not there raises ``DataSetError`` with the file and the value's place.
    """

    __slots__ = ("_file", "_kind", "_place", "value")

    def __init__(self, value: Any, *, file: Path, kind: str, place: str = "") -> None:
        self.value = value
        self._file = file
        self._kind = kind
        self._place = place

    def problem(self, words: str) -> DataSetError:
        """The error that this value is: ``words`` behind its place."""
        return DataSetError(f"{self._file}: is no {self._kind}: {self._place or 'the document'} {words}")

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def member(self, key: str) -> "Entry":
        """What an object holds under ``key``, which must be there."""
        if not isinstance(self.value, dict):
            raise self.problem(f"should be an object, not {shown(self.value)}")
        if key not in self.value:
            raise self.problem(f"lacks {key!r}")
        return self._inner(self.value[key], f"{self._place}.{key}" if self._place else key)

    def member_or(self, key: str, default: Any) -> "Entry":
        """What an object holds under ``key``; ``default`` where that is absent or null."""
        if not isinstance(self.value, dict):
            raise self.problem(f"should be an object, not {shown(self.value)}")
        if self.value.get(key) is None:
            return self._inner(default, f"{self._place}.{key}" if self._place else key)
        return self.member(key)

    def members(self) -> Iterator[tuple[str, "Entry"]]:
        """Keys and values of an object."""
        if not isinstance(self.value, dict):
            raise self.problem(f"should be an object, not {shown(self.value)}")
        for key in self.value:
            yield str(key), self.member(key)

    def rows(self) -> Iterator["Entry"]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self.problem(f"should be a list, not {shown(self.value)}")
        for index, value in enumerate(self.value):
            yield self._inner(value, f"{self._place}[{index}]")

    def text(self) -> str:
        """Text that is not empty, or a number as text."""
        if isinstance(self.value, str) and self.value.strip():
            return self.value
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return str(self.value)
        raise self.problem(f"should be text, not {shown(self.value)}")

    def word(self) -> str:
        """Text that may be empty, or a number as text."""
        return "" if self.value == "" else self.text()

    def number(self) -> float:
        """A number that can be one of pixels."""
        number = self._as_number()
        if number is None:
            raise self.problem(f"should be a number, not {shown(self.value)}")
        if not abs(number) <= FARTHEST_PX:
            raise self.problem(f"is {shown(self.value)}, which is nowhere in a picture")
        return number

    def numbers(self, count: int | None = None) -> NDArray[np.float64]:
        """A list of numbers that can be pixels, ``count`` of them."""
        numbers = [row.number() for row in self.rows()]
        if count is not None and len(numbers) != count:
            raise self.problem(f"should be {count} numbers, not {len(numbers)}")
        return np.array(numbers, np.float64)

    def side_px(self) -> int:
        """A width or height: whole and above 0."""
        number = self.number()
        if number < 1 or not number.is_integer():
            raise self.problem(f"should be whole pixels above 0, not {shown(self.value)}")
        return int(number)

    def key(self) -> int | str:
        """A number or text by which other entries refer to this one."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | str):
            raise self.problem(f"should be an id, not {shown(self.value)}")
        return self.value

    def flag(self) -> bool:
        """Whether it is set: true, false, 1 or 0."""
        if self.value in (0, 1):
            return bool(self.value)
        raise self.problem(f"should be 0 or 1, not {shown(self.value)}")

    def _as_number(self) -> float | None:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return None
        try:
            return float(self.value)
        except OverflowError:
            return math.inf

    def _inner(self, value: Any, place: str) -> "Entry":
        return Entry(value, file=self._file, kind=self._kind, place=place)


def shown(value: object) -> str:
    """``value`` in a few words on one line."""
    words = value if isinstance(value, str) else repr(value)
    return repr(words[:_LONGEST_WORD] + "…") if len(words) > _LONGEST_WORD else repr(value)


def read_text(file: Path) -> str:
    """The text of ``file``. Raises ``DataSetError`` when it cannot be read or is no UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataSetError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataSetError(f"{file}: is no UTF-8 text: {error.reason} at byte {error.start}") from error


def read_json(file: Path, kind: str) -> Entry:
    """The document in ``file``, which should be a ``kind``. Raises ``DataSetError``."""
    try:
        return Entry(json.loads(read_text(file)), file=file, kind=kind)
    except (ValueError, RecursionError) as error:
        raise DataSetError(f"{file}: is no {kind}: no JSON that can be read: {error}") from error
