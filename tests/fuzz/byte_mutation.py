"""Damages bytes in the ways that parsers find hardest, by a random generator: the same generator, the same damage."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

#: Whole numbers at which sizes, signs and products of sizes turn over.
BOUNDARIES: Final = (
    *(0, 1, 2, 3, 7, 8, 9, 127, 128, 255, 256, 257, 32767, 32768, 65535, 65536),
    *((1 << 24) - 1, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - 8, 1 << 32),
    *((1 << 63) - 1, 1 << 63, (1 << 64) - 1),
)

#: What begins or divides the formats that the libraries know, to lead a parser into another one.
MAGIC: Final = (
    *(
        b"\xff\xd8\xff\xe0",
        b"\xff\xd9",
        b"\xff\xda",
        b"\x89PNG\r\n\x1a\n",
        b"IHDR",
        b"IDAT",
        b"IEND",
        b"RIFF",
    ),
    *(b"WEBPVP8 ", b"VP8L", b"ANIM", b"BM", b"II*\0", b"MM\0*", b"GIF89a", b"\0\0\0\x0cjP  ", b"v/1\x01"),
    *(b"ftyp", b"moov", b"mdat", b"stsd", b"stts", b"stsz", b"stco", b"avcC", b"hvcC", b"esds", b"elst"),
    *(b"\0\0\0\x01\x67", b"\0\0\0\x01\x68", b"\0\0\0\x01\x65", b"\0\0\x01\xb3", b"\0\0\x01\xb6", b"\0\0\x01"),
    *(b"\0\0\0\x01\x40\x01", b"\0\0\0\x01\x42\x01", b"G\x40\0\x10", b"\x1aE\xdf\xa3", b"FLV\x01", b"OggS"),
    *(b"\x89HDF\r\n\x1a\n", b"TREE", b"SNOD", b"HEAP", b"OHDR", b"TFL3", b"PK\x03\x04", b"\x80\x02"),
    *(
        b"$\0\xff\xff",
        b"$\x01\0\0",
        b"\r\n\r\n",
        b"\0" * 16,
        b"\xff" * 16,
        b"#EXTM3U\n",
        b"ffconcat version 1.0\n",
    ),
)


def damaged(data: bytes, rng: Random, *, others: Sequence[bytes] = (), most: int = 6) -> bytes:
    """``data`` changed in one to ``most`` places; ``others`` are files of which pieces may be put in."""
    changed = bytearray(data)
    for _ in range(_few(rng, most)):
        rng.choice(_WAYS)(changed, rng, others)
    return bytes(changed)


def damaged_in_place(data: bytes, rng: Random, *, most: int = 6) -> bytes:
    """``data`` changed in one to ``most`` places, its length kept."""
    changed = bytearray(data)
    for _ in range(_few(rng, most)):
        rng.choice(_SAME_LENGTH)(changed, rng, ())
    return bytes(changed)


def _few(rng: Random, most: int) -> int:
    """One more often than many: much damage is found out at once, little goes deep."""
    count = 1
    while count < most and rng.random() < 0.5:
        count += 1
    return count


def _flip_bits(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8, 32))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set_bytes(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _overwrite_run(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    start, end = _span(data, rng)
    fill = rng.choice((0, 0xFF, 0x41, None))
    data[start:end] = rng.randbytes(end - start) if fill is None else bytes([fill]) * (end - start)


def _set_number(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    """A boundary, or the number that stands there and a little, as 1, 2, 4 or 8 bytes of either order."""
    width, order = rng.choice((1, 2, 2, 4, 4, 4, 8)), rng.choice(("big", "little"))
    if len(data) < width:
        return
    at = rng.randrange(min(len(data), rng.choice((64, 512, len(data)))) - width + 1 or 1)
    at = min(at, len(data) - width)
    there = int.from_bytes(data[at : at + width], order)
    number = rng.choice(
        (rng.choice(BOUNDARIES), there + rng.randint(-16, 16), there * 2, ~there, len(data) - at)
    )
    data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, order)


def _copy_chunk(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    start, end = _span(data, rng)
    at = rng.randint(0, len(data))
    data[at:at] = data[start:end] * rng.choice((1, 1, 2, 5))


def _move_chunk(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    start, end = _span(data, rng)
    chunk = bytes(data[start:end])
    at = rng.randint(0, max(0, len(data) - len(chunk)))
    data[at : at + len(chunk)] = chunk


def _delete_chunk(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    start, end = _span(data, rng)
    del data[start:end]


def _truncate(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    del data[rng.randint(0, len(data)) :]


def _insert_magic(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    at, magic = rng.randint(0, len(data)), rng.choice(MAGIC)
    data[at : at + rng.choice((0, len(magic)))] = magic


def _overwrite_magic(data: bytearray, rng: Random, _others: Sequence[bytes]) -> None:
    magic = rng.choice(MAGIC)
    if len(data) >= len(magic):
        at = rng.randint(0, len(data) - len(magic))
        data[at : at + len(magic)] = magic


def _splice(data: bytearray, rng: Random, others: Sequence[bytes]) -> None:
    other = rng.choice(others) if others else bytes(data)
    start, end = _span(other, rng)
    at = rng.randint(0, len(data))
    data[at : at + rng.choice((0, end - start))] = other[start:end]


def _graft(data: bytearray, rng: Random, others: Sequence[bytes]) -> None:
    """The beginning of one file and the rest of another."""
    other = rng.choice(others) if others else bytes(data)
    at = rng.randint(0, len(data))
    data[at:] = other[min(at, len(other)) :]


def _span(data: bytes | bytearray, rng: Random) -> tuple[int, int]:
    if not data:
        return 0, 0
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 16, 64, 256, 1024, len(data))))


_Way = Callable[[bytearray, Random, Sequence[bytes]], None]

_SAME_LENGTH: Final[tuple[_Way, ...]] = (
    *(_flip_bits, _set_bytes, _overwrite_run, _set_number, _set_number, _move_chunk, _overwrite_magic),
)
_WAYS: Final[tuple[_Way, ...]] = (
    *(_flip_bits, _flip_bits, _set_bytes, _overwrite_run, _set_number, _set_number, _set_number, _copy_chunk),
    *(_move_chunk, _delete_chunk, _truncate, _insert_magic, _overwrite_magic, _splice, _graft),
)
