"""Picture files that claim more than they are: refused before memory or time is spent on them."""

import binascii
import resource
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.errors import PictureError
from models.picture_headers import read_header
from models.pictures import read_picture

SUFFIXES = (".jpg", ".png", ".webp", ".bmp", ".tiff")


def drawn(height: int = 30, width: int = 50) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 4, columns * 3, rows + columns], axis=-1).astype(np.uint8)


def encoded(suffix: str, *options: int) -> bytes:
    return cv2.imencode(suffix, drawn(), list(options))[1].tobytes()


def png_of(width: int, height: int, rows: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", binascii.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *((f"{suffix}", encoded(suffix)) for suffix in SUFFIXES),
        ("progressive", encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        ("lossless", encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101)),
        ("deflated", encoded(".tiff", cv2.IMWRITE_TIFF_COMPRESSION, 8)),
        ("filled", b"\xff\xd8\xff\xff\xff\xfe\x00\x04ab" + encoded(".jpg")[2:]),
    ],
)
def test_headers_claim_what_the_picture_is(tmp_path: Path, name: str, data: bytes) -> None:
    header = read_header(data)
    assert header is not None
    assert header.pixels == 30 * 50
    assert (header.passes > 1) == (name == "progressive")
    (tmp_path / "picture").write_bytes(data)
    rgb = read_picture(tmp_path / "picture").rgb()
    assert rgb.shape == (30, 50, 3)
    # red in the first place
    assert np.abs(rgb[..., ::-1].astype(int) - drawn()).mean() < 6


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_ends_in_its_header_is_refused(tmp_path: Path, suffix: str) -> None:
    data = encoded(suffix)
    path = tmp_path / f"short{suffix}"
    for length in (0, 1, 3, 4, 8, 12, 13, 17, 19, 23, 25):
        path.write_bytes(data[:length])
        with pytest.raises(PictureError):
            read_picture(path)


@pytest.mark.parametrize("suffix", [".gif", ".ppm", ".hdr", ".pfm"])
def test_formats_beyond_the_five_are_not_even_tried(tmp_path: Path, suffix: str) -> None:
    pixels = drawn().astype(np.float32) / 255 if suffix in (".hdr", ".pfm") else drawn()
    path = tmp_path / "picture.jpg"
    cv2.imencode(suffix, pixels)[1].tofile(path)
    with pytest.raises(PictureError, match="neither JPEG"):
        read_picture(path)


def bombs() -> dict[str, bytes]:
    webp = bytearray(encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101))
    webp[21:25] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    bmp = bytearray(encoded(".bmp"))
    bmp[18:26] = struct.pack("<ii", 30_000, -30_000)
    jpeg = encoded(".jpg")
    frame = jpeg.index(b"\xff\xc0") + 5
    tiff = bytearray(encoded(".tiff"))
    at = struct.unpack_from("<I", tiff, 4)[0] + 2
    for place in range(at, at + 24, 12):
        if struct.unpack_from("<H", tiff, place)[0] in (256, 257):
            tiff[place + 2 : place + 12] = struct.pack("<HII", 4, 1, 40_000)
    scan = jpeg[jpeg.index(b"\xff\xda") :].removesuffix(b"\xff\xd9")
    wide = jpeg[:frame] + struct.pack(">HH", 8000, 8000) + jpeg[frame + 4 :]
    return {
        "png": png_of(30_000, 30_000, bytes(1000)),
        "webp": bytes(webp),
        "bmp": bytes(bmp),
        "jpeg": jpeg[:frame] + struct.pack(">HH", 65_500, 65_500) + jpeg[frame + 4 :],
        "jpeg of a thousand scans": wide.removesuffix(b"\xff\xd9") + scan * 1000,
        "tiff": bytes(tiff),
    }


@pytest.mark.parametrize("name", bombs())
def test_bombs_are_refused_before_they_take_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bombs()[name])
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PictureError, match="too large for a picture"):
        read_picture(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


def test_a_chunk_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    data = png_of(8, 8, bytes(200))
    path = tmp_path / "chunk.png"
    # what OpenCV takes for a small size, having added to it, and takes memory for all the same
    path.write_bytes(data[:33] + struct.pack(">I", 0xFFFF_FFF8) + b"tRNS" + data[33:])
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PictureError, match="is no picture"):
        read_picture(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 50_000


def test_a_file_of_the_size_of_a_disk_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PictureError, match="too large for a picture"):
        read_picture(path)
