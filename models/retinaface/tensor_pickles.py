"""Reads the pickles of PyTorch's files without the pickle machine: as a list of instructions, of which a few are known.

``pickletools`` takes a pickle apart and runs nothing. What a file of tensors is built of is done here, on a stack of
plain values; an instruction or a name beyond that ends the reading. The standard library describes the instructions in
``pickletools.opcodes``.
"""

import pickletools
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from models.errors import WeightsError

#: Push their argument.
_LITERALS: Final = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT"),
        *(
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINUNICODE8",
            "UNICODE",
            "SHORT_BINSTRING",
            "BINSTRING",
            "STRING",
        ),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    )
)
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_MAKERS: Final[dict[str, Callable[[], Any]]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NOTHING: Final = frozenset({"PROTO", "FRAME"})
_PUT: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_GET: Final = frozenset({"GET", "BINGET", "LONG_BINGET"})


class TensorPickle:
    """One reading of one pickle.

    - ``find(module, name)``: what a global name stands for; raises what refuses the file.
    - ``persistent(id)``: the thing beside the pickle that an id stands for.
    """

    def __init__(self, find: Callable[[str, str], Any], persistent: Callable[[Any], Any]) -> None:
        self._find = find
        self._persistent = persistent
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def read(self, stream: BinaryIO) -> Any:
        """What the pickle at the stream's position holds; the stream then stands behind it.

        Raises ``WeightsError`` at an instruction that is refused, and ``ValueError``, ``LookupError`` or ``TypeError``
        on a damaged pickle.
        """
        with warnings.catch_warnings():
            # a damaged name with a backslash in it is no occasion for a warning to the user
            warnings.simplefilter("ignore", DeprecationWarning)
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._do(opcode.name, argument)
        raise ValueError("it ends too soon")

    def _do(self, name: str, argument: Any) -> None:  # noqa: C901, PLR0912 - one line for each instruction
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _MAKERS:
            stack.append(_MAKERS[name]())
        elif name in _TUPLES:
            stack.append(tuple(self._last(_TUPLES[name])))
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name == "LIST":
            stack.append(self._since_mark())
        elif name == "DICT":
            stack.append(_pairs(self._since_mark()))
        elif name in {"APPEND", "APPENDS"}:
            items = self._last(1) if name == "APPEND" else self._since_mark()
            _checked(stack[-1], list).extend(items)
        elif name in {"SETITEM", "SETITEMS"}:
            items = self._last(2) if name == "SETITEM" else self._since_mark()
            _checked(stack[-1], dict).update(_pairs(items))
        elif name in _PUT:
            self._memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in _GET:
            stack.append(self._memo[int(argument)])
        else:
            self._refer(name, argument)

    def _refer(self, name: str, argument: Any) -> None:
        """Instructions that reach beyond plain values."""
        stack = self._stack
        if name == "GLOBAL":
            module, _, what = str(argument).partition(" ")
            stack.append(self._find(module, what))
        elif name == "STACK_GLOBAL":
            module, what = self._last(2)
            stack.append(self._find(str(module), str(what)))
        elif name == "BINPERSID":
            stack.append(self._persistent(stack.pop()))
        elif name == "REDUCE":
            function, arguments = self._last(2)
            if not callable(function):
                raise WeightsError("refused: it calls what is no function")
            # nothing but what ``find`` gave out can be called
            stack.append(function(*_checked(arguments, tuple)))
        elif name == "BUILD":
            # the versions that PyTorch hangs on to a dictionary of tensors
            stack.pop()
            _checked(stack[-1], OrderedDict)
        elif name not in _NOTHING:
            raise WeightsError(f"refused: it holds the instruction {name}, and only tensors are read")

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("the pickle takes more than it put")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        mark = self._marks.pop()
        taken = self._stack[mark:]
        del self._stack[mark:]
        return taken


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _checked(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"the pickle takes a {type(value).__name__} for a {kind.__name__}")
    return value
