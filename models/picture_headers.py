"""What a picture file says of itself at its beginning, read before anything is decoded.

OpenCV decodes some twenty formats by their first bytes, whatever a file's name says, and takes memory by what the
header claims. Here the five that cameras, phones and data sets give are told apart, and their claims are read:

- JPEG (ITU-T T.81): the frame header, and how many scans there are, each of which costs a pass over the whole picture;
- PNG (RFC 2083): the first chunk, and whether the others are as long as they claim;
- WebP (RFC 9649), BMP: fixed places;
- TIFF 6.0, BigTIFF too: the first directory, tiles included.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: Start of frame markers: all of C0 to CF that are not tables (C4, C8, CC).
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Markers without a length.
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_SCAN: Final = b"\xff\xda"

#: A file of more is read as far as that.
_PNG_MOST_CHUNKS: Final = 200_000

#: Width, height, and those of a tile.
_TIFF_SIZES: Final = {256: "width", 257: "height", 322: "tile_width", 323: "tile_height"}
_TIFF_KINDS: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TIFF_MOST_ENTRIES: Final = 4096


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """The claims of one file: its format, pixels to be held at once, and passes over them while it is decoded."""

    format: str
    pixels: int
    passes: int = 1


def read_header(data: bytes) -> PictureHeader | None:
    """The claims of a picture file; None when it is of none of the five formats, or ends before it makes them."""
    for beginning, read in _READERS:
        if data.startswith(beginning):
            try:
                return read(data)
            except struct.error:
                return None
    return None


def _jpeg(data: bytes) -> PictureHeader | None:
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        at += 2
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return PictureHeader("JPEG", width * height, max(1, data.count(_JPEG_SCAN)))
        if marker == 0xFF:
            at -= 1
        elif marker and marker not in _JPEG_BARE:
            if marker in (0xD9, 0xDA):
                return None
            at += max(2, struct.unpack_from(">H", data, at)[0])
    return None


def _png(data: bytes) -> PictureHeader | None:
    """None, too, where a chunk claims to be longer than the file: OpenCV takes memory for it, 4 GB at most."""
    width, height = struct.unpack_from(">II", data, 16)
    at = 8
    for _ in range(_PNG_MOST_CHUNKS):
        if len(data) - at < 12:
            break
        length, name = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            return None
        if name == b"IEND":
            break
    return PictureHeader("PNG", width * height)


def _webp(data: bytes) -> PictureHeader | None:
    kind = data[12:16] if data[8:12] == b"WEBP" else b""
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[place : place + 3], "little") for place in (24, 27))
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        return None
    return PictureHeader("WebP", width * height)


def _bmp(data: bytes) -> PictureHeader:
    size = struct.unpack_from("<I", data, 14)[0]
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    return PictureHeader("BMP", abs(width * height))


def _tiff(data: bytes) -> PictureHeader | None:
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[:4] in (b"II+\0", b"MM\0+")
    word, entry_bytes = ("Q", 20) if is_big else ("I", 12)
    (at,) = struct.unpack_from(f"{order}{word}", data, 8 if is_big else 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if is_big else 'H'}", data, at)
    at += 8 if is_big else 2
    sides: dict[str, int] = {}
    for place in range(at, at + entry_bytes * min(count, _TIFF_MOST_ENTRIES), entry_bytes):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in _TIFF_SIZES and kind in _TIFF_KINDS:
            # the last one counts where a tag stands twice, or the largest: whichever a decoder takes
            (side,) = struct.unpack_from(f"{order}{_TIFF_KINDS[kind]}", data, place + (12 if is_big else 8))
            sides[_TIFF_SIZES[tag]] = max(side, sides.get(_TIFF_SIZES[tag], 0))
    if "width" not in sides or "height" not in sides:
        return None
    tile = sides.get("tile_width", 0) * sides.get("tile_height", 0)
    return PictureHeader("TIFF", max(sides["width"] * sides["height"], tile))


_READERS: Final[tuple[tuple[bytes | tuple[bytes, ...], Callable[[bytes], PictureHeader | None]], ...]] = (
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"RIFF", _webp),
    (b"BM", _bmp),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), _tiff),
)
