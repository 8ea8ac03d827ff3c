"""What crosses a lane, as bytes: MessagePack with the types of ``streamer.cluster.wire``, checked where it is read.

Nothing but plain values can be in it, so that whoever reads runs nothing that came from elsewhere. Arrays are
``[dtype, shape, bytes]``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.cluster.errors import LaneError
from streamer.cluster.wire import Cut, FrameKey, LookReply, OfferReply, SentFrame, SentLook

Buffer = bytes | bytearray | msgspec.Raw

#: Booleans, integers and floats: what an array may hold.
_KINDS: Final = "biuf"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to: the encoded ``value``, or the ``failure`` of whoever was called."""

    value: msgspec.Raw
    failure: str | None = None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        flat = np.ascontiguousarray(value).reshape(-1)
        return value.dtype.str, value.shape, flat.view(np.uint8).data
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} does not cross")


def _array(kind: type, value: Any) -> Any:
    if (get_origin(kind) or kind) is not np.ndarray:
        raise NotImplementedError(f"{kind} does not cross")
    name, shape, data = value
    dtype = np.dtype(str(name))
    if dtype.kind not in _KINDS:
        raise ValueError(f"an array of {name}")
    return np.frombuffer(data, dtype).reshape([int(side) for side in shape])


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_plain)


def _decoder(kind: Any) -> Callable[[Buffer], Any]:
    decode: Callable[[Buffer], Any] = msgspec.msgpack.Decoder(kind, dec_hook=_array).decode
    return decode


_ARGUMENTS: Final = {
    "offer": _decoder(tuple[list[SentFrame]]),
    "cut": _decoder(tuple[FrameKey, list[Cut]]),
    "judge": _decoder(tuple[list[SentLook], dict[str, str]]),
}
_RESULTS: Final = {
    "offer": _decoder(OfferReply),
    "cut": _decoder(list[NDArray[np.uint8]] | None),
    "judge": _decoder(LookReply),
}
_ANSWER: Final = _decoder(Answer)
_CALL: Final = _decoder(tuple[str, msgspec.Raw])

#: The calls that cross: those of every look.
METHODS: Final = frozenset(_ARGUMENTS)


def encode_call(method: str, args: tuple[Any, ...]) -> bytes:
    """A call. Raises ``LaneError`` where ``args`` hold what cannot cross."""
    return _encoded((method, args))


def decode_call(data: Buffer) -> tuple[str, tuple[Any, ...]]:
    """Method and arguments. Raises ``LaneError`` on anything but a call of ``METHODS``."""
    method, args = _read(_CALL, data)
    if method not in _ARGUMENTS:
        raise LaneError(f"no call of that name: {method[:40]!r}")
    return method, _read(_ARGUMENTS[method], args)


def encode_answer(value: Any, failure: str | None = None) -> bytes:
    """An answer. Raises ``LaneError`` where ``value`` cannot cross."""
    return _encoded(Answer(msgspec.Raw(_encoded(value)), failure))


def decode_answer(method: str, data: Buffer) -> tuple[Any, str | None]:
    """What ``method`` gave, and how it failed (None: it did not). Raises ``LaneError``."""
    answer: Answer = _read(_ANSWER, data)
    if answer.failure is not None:
        return None, answer.failure
    return _read(_RESULTS[method], answer.value), None


def _encoded(value: Any) -> bytes:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise LaneError(str(error)) from error


def _read(decode: Callable[[Buffer], Any], data: Buffer) -> Any:
    try:
        return decode(data)
    except (msgspec.MsgspecError, TypeError, ValueError, NotImplementedError) as error:
        raise LaneError(str(error)) from error
