"""Files and folders: what is read, what it is worth in time, and what bad ones end with."""

import random
import time
from pathlib import Path
from threading import Timer

import cv2
import numpy as np
import pytest
from ingest_clips import Collector, picture, read_all, write_clip

from streamer.ingest.connection import run_connection
from streamer.ingest.errors import EndOfStream, IngestError, NoVideo, StreamNotFound
from streamer.ingest.session import Session
from streamer.ingest.source import Source


@pytest.mark.parametrize(
    ("codec", "name", "suffix"),
    [
        ("libx264", "h264", "mp4"),
        ("libx265", "hevc", "mp4"),
        ("mjpeg", "mjpeg", "avi"),
        ("libx264", "h264", "mkv"),
    ],
)
def test_every_frame_of_a_clip_comes_in_order_with_its_picture(
    tmp_path: Path, codec: str, name: str, suffix: str
) -> None:
    clip = write_clip(tmp_path / f"clip.{suffix}", codec=codec)
    frames, session = read_all(clip)
    assert [frame.index for frame in frames] == list(range(30))
    assert [round(frame.captured_at - 1000.0, 3) for frame in frames] == [round(n / 10, 3) for n in range(30)]
    assert session.sink.formats[0].codec == name
    assert session.sink.formats[0].image_hw == (120, 160)
    assert session.counters.skipped_damaged == session.counters.decode_errors == 0
    for number in (0, 15, 29):
        error = np.abs(frames[number].rgb().astype(int) - picture(number)).mean()
        assert error < 6, f"frame {number} shows something else (mean error {error:.1f})"


def test_fewer_frames_than_the_clip_has_are_spread_evenly(tmp_path: Path) -> None:
    frames, session = read_all(write_clip(tmp_path / "clip.mp4", frames=40), fps=2)
    steps = np.diff([frame.captured_at for frame in frames[1:]])
    assert len(frames) in (8, 9)
    assert steps == pytest.approx(0.5, abs=0.01)
    assert session.counters.decoded == 40


def test_the_same_recording_gives_the_same_frames_and_times(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    first, _ = read_all(clip, fps=3)
    second, _ = read_all(clip, fps=3)
    assert [(f.index, f.captured_at) for f in first] == [(f.index, f.captured_at) for f in second]
    assert all(np.array_equal(a.rgb(), b.rgb()) for a, b in zip(first, second, strict=True))


def test_decoding_with_all_cores_gives_the_same_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    one, _ = read_all(clip)
    many, _ = read_all(clip, decode_threads=0)
    assert [f.index for f in many] == [f.index for f in one]
    assert all(np.array_equal(a.rgb(), b.rgb()) for a, b in zip(one, many, strict=True))


def test_a_paced_recording_runs_at_its_own_speed_on_the_wall_clock(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=10)
    sink = Collector()
    started, started_at = time.monotonic(), time.time()
    ended = run_connection(Source(str(clip)), Session("test", sink))
    assert isinstance(ended, EndOfStream)
    assert time.monotonic() - started > 0.8, "it is not read as fast as can be"
    steps = np.diff([frame.captured_at for frame in sink.frames])
    assert steps.mean() == pytest.approx(0.1, abs=0.03)
    assert abs(sink.frames[0].captured_at - started_at) < 0.5


def test_a_looped_recording_goes_on_counting(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=10)
    session = Session("test", Collector())
    stopper = Timer(2.5, session.stop.set)
    stopper.start()
    started = time.monotonic()
    assert run_connection(Source(str(clip), loop=True), session) is None
    assert time.monotonic() - started < 30
    frames = session.sink.frames
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(frames) > 20
    assert np.diff([frame.captured_at for frame in frames]).min() > 0
    assert len(session.sink.formats) == 1


def test_a_declared_rotation_is_applied(tmp_path: Path) -> None:
    upright, _ = read_all(write_clip(tmp_path / "a.mp4"))
    turned, _ = read_all(write_clip(tmp_path / "b.mp4", rotation=90))
    assert turned[3].image_hw == (160, 120)
    assert np.array_equal(turned[3].rgb(), np.rot90(upright[3].rgb()))


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("this is a shopping list\n" * 200)
    plain = tmp_path / "notes.txt"
    plain.write_text("this is a shopping list\n" * 200)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    noise = tmp_path / "noise.mkv"
    noise.write_bytes(random.Random(1).randbytes(50_000))
    sound = write_clip(tmp_path / "sound.mp4", sound=True, picture_too=False)
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (text, plain, empty, noise, sound, folder):
        with pytest.raises(NoVideo) as raised:
            read_all(path)
        assert path.name in str(raised.value)
        assert "\n" not in str(raised.value)


def test_sound_beside_the_picture_is_ignored(tmp_path: Path) -> None:
    frames, _ = read_all(write_clip(tmp_path / "clip.mp4", sound=True))
    assert len(frames) == 30


def test_a_missing_file_and_device_say_so(tmp_path: Path) -> None:
    with pytest.raises(StreamNotFound, match="does not exist"):
        read_all(tmp_path / "none.mp4")
    ended = run_connection(Source("/dev/video97"), Session("test", Collector()))
    assert isinstance(ended, StreamNotFound)


def test_a_truncated_recording_gives_what_is_left(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", frames=60)
    cut = tmp_path / "cut.mkv"
    data = clip.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    frames, _ = read_all(cut)
    assert 15 < len(frames) < 50
    error = np.abs(frames[-1].rgb().astype(int) - picture(frames[-1].index)).mean()
    assert error < 6


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "ts"), ("libx265", "mkv"), ("mjpeg", "avi")])
def test_damaged_recordings_never_crash_or_hang_and_show_no_garbage(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    clip = write_clip(tmp_path / f"clip.{suffix}", codec=codec, frames=40)
    data = clip.read_bytes()
    shown = skipped = 0
    for seed in range(40):
        damaged = tmp_path / f"damaged.{suffix}"
        damaged.write_bytes(_mutated(data, random.Random(seed)))
        started = time.monotonic()
        try:
            frames, session = read_all(damaged)
        except IngestError:
            frames = []
        else:
            skipped += session.counters.skipped_damaged + session.counters.decode_errors
        assert time.monotonic() - started < 10
        times = [frame.captured_at for frame in frames]
        assert times == sorted(times)
        for frame in frames:
            assert frame.rgb((60, 80)).shape == (60, 80, 3)
        shown += len(frames)
    assert shown > 100, "damage to a few places must not cost everything"
    assert skipped > 0, "the damage went unnoticed"


def test_frames_after_damage_are_held_back_until_a_key_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", frames=40, gop=10)
    data = bytearray(clip.read_bytes())
    middle = len(data) * 4 // 10
    for position in range(middle, middle + 1200):
        data[position] ^= 0x5A
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(data)
    frames, session = read_all(damaged)
    assert session.counters.skipped_damaged + session.counters.decode_errors > 0
    clean, _ = read_all(clip)
    by_time = {frame.pts_s: frame for frame in clean}
    assert len(frames) > 20
    for frame in frames:
        error = np.abs(frame.rgb().astype(int) - by_time[frame.pts_s].rgb()).mean()
        assert error < 2, f"frame at {frame.pts_s} shows damage (mean error {error:.1f})"


def _mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes with a few bits flipped, or a stretch overwritten, cut out or doubled."""
    out = bytearray(data)
    # The head holds the tables without which there is nothing to survive for; other tests cover that.
    begin = len(out) // 20
    kind = rng.choice(["bits", "overwrite", "cut", "double"])
    if kind == "bits":
        for _ in range(rng.randint(1, 60)):
            out[rng.randrange(begin, len(out))] ^= 1 << rng.randrange(8)
        return bytes(out)
    at, length = rng.randrange(begin, len(out)), rng.randint(1, 2000)
    if kind == "overwrite":
        stretch = out[at : at + length]
        out[at : at + length] = rng.randbytes(len(stretch))
    elif kind == "cut":
        del out[at : at + length]
    else:
        out[at:at] = out[at : at + length]
    return bytes(out)


def test_a_folder_of_pictures_is_a_clip(tmp_path: Path) -> None:
    names = ["2.jpg", "10.png", "1.webp"]
    for name in names:
        bgr = cv2.cvtColor(picture(int(name.split(".")[0])), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(tmp_path / name), bgr)
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    (tmp_path / "readme.txt").write_text("not a picture either")
    frames, session = read_all(tmp_path, folder_fps=2.0)
    assert [frame.captured_at - 1000.0 for frame in frames] == [0.0, 0.5, 1.0]
    assert session.counters.decode_errors == 1
    for frame, number in zip(frames, (1, 2, 10), strict=True):
        assert np.abs(frame.rgb().astype(int) - picture(number)).mean() < 6


def test_a_single_picture_is_a_recording_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    cv2.imwrite(str(path), cv2.cvtColor(picture(5), cv2.COLOR_RGB2BGR))
    frames, _ = read_all(path)
    assert len(frames) == 1
    assert np.array_equal(frames[0].rgb(), picture(5))
