"""Damages files along their own structure: parts are dropped, doubled, swapped, or damaged inside."""

import binascii
import re
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from fuzz.byte_mutation import BOUNDARIES, damaged, damaged_in_place

#: Boxes of MP4 that hold boxes, with the bytes that stand before those.
_MP4_CONTAINERS: Final = {
    **dict.fromkeys((b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"udta"), 0),
    **{b"stsd": 8, b"avc1": 78, b"hvc1": 78, b"hev1": 78, b"mp4v": 78, b"dref": 8, b"meta": 4},
}


def damaged_nal_units(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """A raw H.264, H.265 or MPEG-4 stream with units dropped, doubled, swapped, taken from others or damaged."""
    pieces = re.split(rb"(?=\0\0\0\x01|(?<!\0)\0\0\x01)", data)
    foreign = [piece for other in others for piece in re.split(rb"(?=\0\0\0\x01)", other)][:200]
    return b"".join(_shuffled(pieces, rng, foreign, head=4))


def damaged_length_units(data: bytes, rng: Random) -> bytes:
    """A packet whose units have a length of four bytes before them (MP4, Matroska), of the same size as before."""
    changed, at = bytearray(data), 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if not 0 < size <= len(data) - at - 4:
            break
        body = slice(at + 4, at + 4 + size)
        match rng.randrange(4):
            case 0:
                number = rng.choice((*BOUNDARIES, size + rng.randint(-5, 5), len(data) - at))
                changed[at : at + 4] = (number % (1 << 32)).to_bytes(4, "big")
            case 1:
                changed[body] = damaged_in_place(data[body], rng, most=3)
            case 2:
                # the header alone: another kind of unit, another slice type, another parameter set
                head = slice(at + 4, min(at + 4 + rng.choice((1, 2, 6, 12)), at + 4 + size))
                changed[head] = damaged_in_place(data[head], rng, most=3)
        at += 4 + size
    return bytes(changed)


def damaged_mp4(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """An MP4 file with boxes dropped, doubled, swapped, renamed or damaged inside; sizes of their parents are kept up,
    most of the time.
    """
    return _damaged_boxes(data, rng, others, depth=0)


def _damaged_boxes(data: bytes, rng: Random, others: Sequence[bytes], depth: int) -> bytes:
    boxes, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if not 8 <= size <= len(data) - at:
            break
        boxes.append(data[at : at + size])
        at += size
    rest = data[at:]
    if not boxes or depth > 12:
        return damaged(data, rng, most=2)
    target = rng.randrange(len(boxes))
    box = boxes[target]
    name = box[4:8]
    if name in _MP4_CONTAINERS and rng.random() < 0.8:
        start = 8 + _MP4_CONTAINERS[name]
        body = box[8:start] + _damaged_boxes(box[start:], rng, others, depth + 1)
    else:
        match rng.randrange(6):
            case 0:
                boxes[target : target + 1] = []
                return b"".join(boxes) + rest
            case 1:
                boxes.insert(rng.randint(0, len(boxes)), box)
                return b"".join(boxes) + rest
            case 2:
                other = rng.randrange(len(boxes))
                boxes[target], boxes[other] = boxes[other], boxes[target]
                return b"".join(boxes) + rest
            case 3:
                name = rng.choice(
                    (b"free", b"moov", b"trak", b"stco", b"co64", b"uuid", damaged_in_place(name, rng))
                )
                body = box[8:]
            case 4:
                body = damaged_in_place(box[8:], rng, most=8)
            case _:
                # tables: an entry or the count of them
                body = _with_number(box[8:], rng, most_at=48)
    size = len(body) + 8 if rng.random() < 0.9 else rng.choice(BOUNDARIES)
    boxes[target] = (size % (1 << 32)).to_bytes(4, "big") + name + body
    return b"".join(boxes) + rest


def damaged_png(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """A PNG with chunks dropped, doubled, swapped or damaged inside; their checksums are right, most of the time."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    if not chunks:
        return damaged(data, rng, others=others)
    changed = []
    for name, body in chunks:
        copies = rng.choice((1,) * 12 + (0, 2))
        if name == b"IHDR" and rng.random() < 0.5:
            body = _with_number(body, rng, most_at=len(body))  # noqa: PLW2901 - what is damaged
        elif rng.random() < 0.5:
            body = damaged(body, rng, most=2)  # noqa: PLW2901
        changed += [(name, body)] * copies
    if rng.random() < 0.2:
        changed.insert(
            rng.randint(0, len(changed)), (rng.choice((b"PLTE", b"tRNS", b"iCCP", b"acTL")), rng.randbytes(9))
        )
    return data[:8] + b"".join(_png_chunk(name, body, rng) for name, body in changed)


def _png_chunk(name: bytes, body: bytes, rng: Random) -> bytes:
    checksum = binascii.crc32(name + body)
    size = len(body)
    if rng.random() < 0.05:
        size = rng.choice(BOUNDARIES) % (1 << 32)
    return struct.pack(">I", size) + name + body + struct.pack(">I", checksum)


def damaged_jpeg(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """A JPEG with segments dropped, doubled, swapped or damaged inside."""
    segments, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segments.append(data[at : at + size])
        at += size
    foreign = [segment for segment in segments if len(segment) > 4]
    return b"".join(_shuffled([*segments, data[at:]], rng, foreign, head=4))


def damaged_riff(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """A RIFF file (WebP, AVI) with a chunk damaged inside or its size changed."""
    chunks, at = [], 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        size += size % 2
        chunks.append(data[at : at + 8 + size])
        at += 8 + size
    body = b"".join(_shuffled(chunks, rng, chunks, head=8)) if chunks else data[12:]
    size = len(body) + 4 if rng.random() < 0.8 else rng.choice(BOUNDARIES)
    return data[:4] + (size % (1 << 32)).to_bytes(4, "little") + data[8:12] + body


def damaged_ts(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """An MPEG transport stream with packets dropped, doubled, swapped, or damaged behind their sync byte."""
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    return b"".join(_shuffled(packets, rng, packets, head=rng.choice((1, 4, 12))))


#: Words of text formats: quoted texts, numbers, names, signs, white space.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[A-Za-z_][\w.-]*|\s+|.', re.DOTALL)

#: What stands in for words.
_WORDS: Final = (
    *(
        b"",
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"0",
        b"-1",
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"9" * 400,
        b"0x10",
    ),
    *(
        b"\\u0000",
        b'"\\ud800"',
        b"\xff\xfe",
        b"\x00",
        b"\x1b[2J",
        b"\xe2\x80\xae",
        b"../../etc/passwd",
        b"%00",
        b"%n",
    ),
    *(
        b"&a",
        b"*a",
        b"<<: *a",
        b"!!python/object/apply:os.system [id]",
        b"!!binary aGk=",
        b"\t",
        b"---\n",
        b"? ",
        b"- ",
    ),
    *(
        b"{" * 60,
        b"[" * 2000,
        b"'",
        b'"',
        b"|",
        b">",
        b"${PW}",
        b"file:/etc/shadow",
        b"credential:x",
        b"A" * 5000,
    ),
    *(
        b"1970-01-01T00:00:00Z",
        b"9999-12-31T23:59:59.999999Z",
        b"18446744073709551616",
        b"-9223372036854775809",
    ),
)


def damaged_text(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """JSON, YAML, XML, SDP or the like with words dropped, doubled, swapped, replaced or damaged inside."""
    words = _TOKEN.findall(data) or [b""]
    foreign = [word for other in others for word in _TOKEN.findall(other)] or list(words)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(words))
        match rng.randrange(6):
            case 0:
                words[at] = rng.choice(_WORDS)
            case 1:
                words[at] = rng.choice(foreign)
            case 2:
                end = min(len(words), at + rng.choice((1, 2, 8, 40)))
                words[at:end] = []
            case 3:
                end = min(len(words), at + rng.choice((1, 2, 8, 40)))
                place = rng.randint(0, len(words))
                words[place:place] = words[at:end]
            case 4:
                words[at] = damaged(words[at], rng, most=2)
            case _:
                number = str(rng.choice((-1, 1)) * rng.choice(BOUNDARIES)).encode()
                places = [index for index, word in enumerate(words) if word[:1].isdigit()] or [at]
                words[rng.choice(places)] = number
        words = words or [b""]
    return b"".join(words)


def _shuffled(pieces: list[bytes], rng: Random, foreign: Sequence[bytes], *, head: int) -> list[bytes]:
    """One to some pieces dropped, doubled, swapped, replaced, or damaged inside or in their first ``head`` bytes."""
    pieces = list(pieces)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if not pieces:
            break
        at = rng.randrange(len(pieces))
        match rng.randrange(7):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(rng.randint(0, len(pieces)), pieces[at])
            case 2:
                other = rng.randrange(len(pieces))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3 if foreign:
                pieces[at] = rng.choice(foreign)
            case 4:
                pieces[at] = damaged_in_place(pieces[at][: head + 8], rng, most=2) + pieces[at][head + 8 :]
            case 5:
                pieces[at] = pieces[at][: rng.randint(0, len(pieces[at]))]
            case _:
                pieces[at] = pieces[at][:head] + damaged(pieces[at][head:], rng, most=3)
    return pieces


def _with_number(data: bytes, rng: Random, *, most_at: int) -> bytes:
    """A boundary as a number of 1, 2, 4 or 8 bytes, most significant first, in the first ``most_at`` bytes."""
    width = rng.choice((1, 2, 4, 4, 8))
    reach = min(len(data), most_at) - width
    if reach < 0:
        return data
    at = rng.randint(0, reach)
    number = rng.choice(BOUNDARIES) % (1 << 8 * width)
    return data[:at] + number.to_bytes(width, "big") + data[at + width :]


Mutator = Callable[[bytes, Random, Sequence[bytes]], bytes]


def one_of(*ways: Mutator) -> Mutator:
    """A mutator that takes one of ``ways``, or damages bytes wherever they stand."""

    def mutate(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
        way = rng.choice((*ways, *ways, None))
        return damaged(data, rng, others=others) if way is None else way(data, rng, others)

    return mutate
