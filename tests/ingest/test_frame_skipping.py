"""What the decoder leaves out when fewer frames are wanted than come: never so much that a look is missed."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_clips import read_all, write_clip

from streamer.frame import Frame
from streamer.ingest.frame_skipping import FrameSkipping, Level
from streamer.ingest.sampler import FrameSampler

Kind = str  # "key", "ref" or "free" (no other frame builds on it)


def periodic(gop: int, every: int) -> Callable[[int], Kind]:
    """A key frame each ``gop``, and of the others one in ``every`` on which others build."""
    return lambda n: "key" if n % gop == 0 else "ref" if n % gop % every == 0 else "free"


def run(
    skipping: FrameSkipping,
    kinds: Callable[[int], Kind],
    *,
    fps: float,
    seconds: float,
    start_s: float = 0.0,
    reorders: bool = False,
) -> Iterator[tuple[float, Level, bool]]:
    """Time, level and whether the frame was given, of each packet of a stream without reordering."""
    given = True  # a frame that builds on one that was left out is not given whole
    for n in range(round(seconds * fps)):
        at_s = start_s + n / fps
        kind = kinds(n)
        level = skipping.before(at_s, is_key=kind == "key", reorders=reorders)
        decoded = level == "DEFAULT" or kind == "key" or (level == "NONREF" and kind == "ref")
        given = True if kind == "key" else given and (decoded or kind == "free")
        if decoded and given:
            skipping.gave(at_s)
        yield at_s, level, decoded and given


def looks(shown: list[tuple[float, Level, bool]], fps: float) -> np.ndarray:
    sampler = FrameSampler(fps)
    return np.array([at_s for at_s, _, given in shown if given and sampler.due(at_s)])


def test_frames_upon_which_none_builds_are_left_out_once_the_stream_is_known():
    shown = list(run(FrameSkipping(5.0), periodic(50, 3), fps=25, seconds=20))
    assert {level for at_s, level, _ in shown if at_s < 2} == {"DEFAULT"}
    assert {level for at_s, level, _ in shown if at_s > 3} == {"NONREF"}
    gaps = np.diff(looks(shown, 5.0)[5:])
    assert gaps.mean() == pytest.approx(0.2, abs=0.005)
    assert gaps.max() <= 0.32 + 1e-9


def test_nothing_is_left_out_where_frames_hardly_come_closer_than_they_are_wanted():
    shown = run(FrameSkipping(12.0), periodic(50, 2), fps=25, seconds=20)
    assert {level for _, level, _ in shown} == {"DEFAULT"}


def test_a_stream_that_leaves_too_little_is_decoded_whole_again_and_tried_ever_more_seldom():
    shown = list(run(FrameSkipping(5.0), periodic(250, 8), fps=25, seconds=600))
    starved = [at_s for at_s, _, _ in shown if at_s > 2]
    left_out = [at_s for at_s, level, _ in shown if level == "NONREF"]
    assert 0 < len(left_out) < 0.02 * len(starved)
    tries = [b for a, b in pairwise(left_out) if b - a > 1]
    pauses = np.diff([left_out[0], *tries])
    assert pauses[0] == pytest.approx(30, abs=2)
    assert all(np.diff(pauses) > 20)
    # a look is late by one gap of what was left, no more
    assert np.diff(looks(shown, 5.0)).max() < 0.2 + 8 / 25


def test_a_stream_that_changes_its_structure_is_followed():
    def kinds(n: int) -> Kind:
        return periodic(50, 2)(n) if n < 1000 else "key" if n % 50 == 0 else "free" if n % 50 < 40 else "ref"

    shown = list(run(FrameSkipping(5.0), kinds, fps=25, seconds=60))
    assert {level for at_s, level, _ in shown if 10 < at_s < 39} == {"NONREF"}
    assert {level for at_s, level, _ in shown if 42 < at_s < 60} == {"DEFAULT"}


@pytest.mark.parametrize(("fps", "gop"), [(1.0, 25), (0.5, 50), (0.5, 25), (0.2, 50)])
def test_key_frames_alone_do_where_they_come_as_often_as_looks(fps: float, gop: int):
    shown = list(run(FrameSkipping(fps), periodic(gop, 1), fps=25, seconds=100))
    assert {level for at_s, level, _ in shown if at_s > 45} == {"NONKEY"}
    assert np.diff(looks(shown, fps)[2:]).mean() == pytest.approx(1 / fps, rel=0.05)


@pytest.mark.parametrize(
    ("fps", "gop", "reorders"),
    [(1.0, 50, False), (1.0, 18, False), (5.0, 25, False), (1.0, 25, True)],
    ids=["too seldom", "uneven looks", "far too seldom", "reordered"],
)
def test_key_frames_alone_do_not_where(fps: float, gop: int, reorders: bool):
    shown = run(FrameSkipping(fps), periodic(gop, 1), fps=25, seconds=60, reorders=reorders)
    assert "NONKEY" not in {level for _, level, _ in shown}


@pytest.mark.parametrize(("fps", "gop", "every"), [(5.0, 50, 2), (1.0, 25, 1)])
def test_a_stream_that_turns_out_unfit_is_decoded_whole(fps: float, gop: int, every: int):
    skipping = FrameSkipping(fps)
    before = list(run(skipping, periodic(gop, every), fps=25, seconds=20))
    assert before[-1][1] != "DEFAULT"
    skipping.stop()
    after = list(run(skipping, periodic(gop, every), fps=25, seconds=20, start_s=20))
    assert {level for _, level, _ in after} == {"DEFAULT"}


def test_a_key_frame_that_does_not_come_ends_the_reliance_on_them_for_good():
    """As of encoders that lengthen their groups while nothing moves."""

    def kinds(n: int) -> Kind:
        return "key" if (n % 25 == 0 and n <= 1000) or n % 100 == 0 else "ref"

    shown = list(run(FrameSkipping(1.0), kinds, fps=25, seconds=200))
    assert {level for at_s, level, _ in shown if 20 < at_s < 40} == {"NONKEY"}
    # frames come again from the next key frame on
    assert {level for at_s, level, _ in shown if 44 <= at_s < 60} == {"DEFAULT"}
    assert "NONKEY" not in {level for at_s, level, _ in shown if at_s >= 44}
    assert all(given for at_s, _, given in shown if 44 <= at_s < 60)


@given(
    fps=st.sampled_from([0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 25.0]),
    stream_fps=st.sampled_from([5.0, 12.5, 25.0, 30.0]),
    pieces=st.lists(
        st.tuples(st.integers(1, 120), st.integers(1, 9), st.integers(20, 400)), min_size=1, max_size=4
    ),
    reorders=st.booleans(),
)
def test_looks_keep_their_rate_whatever_the_stream_is_made_of(
    fps: float, stream_fps: float, pieces: list[tuple[int, int, int]], reorders: bool
):
    kinds = [periodic(gop, every)(n) for gop, every, count in pieces for n in range(count)]
    seconds = len(kinds) / stream_fps
    shown = list(
        run(FrameSkipping(fps), kinds.__getitem__, fps=stream_fps, seconds=seconds, reorders=reorders)
    )
    whole = looks([(at_s, level, True) for at_s, level, _ in shown], fps)
    got = looks(shown, fps)
    # each piece may cost a look or two as it begins, before the change is known
    group_s = max(gop for gop, _, _ in pieces) / stream_fps
    assert len(got) >= len(whole) - len(pieces) * (2 + group_s * fps)


@given(
    stamps=st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), max_size=200),
    fps=st.floats(0.1, 30),
)
def test_stamps_may_be_anything(stamps: list[float | None], fps: float):
    skipping = FrameSkipping(fps)
    for number, stamp in enumerate(stamps):
        assert skipping.before(stamp, is_key=number % 7 == 0, reorders=False) in (
            "DEFAULT",
            "NONREF",
            "NONKEY",
        )
        skipping.gave(stamp)
    skipping.begin_again()


@pytest.mark.parametrize(
    ("codec", "b_frames", "fps", "gop", "least"),
    [
        ("libx264", 3, 3.0, 50, 1.4),
        ("libx264", 0, 3.0, 50, 1.0),
        ("libx265", 3, 3.0, 50, 1.2),
        ("libx264", 0, 2.5, 10, 2.0),
        ("mjpeg", 0, 3.0, 50, 1.0),
    ],
    ids=["b frames", "no b frames", "hevc", "key frames", "intra"],
)
def test_a_clip_gives_the_same_looks_with_fewer_frames_decoded(
    tmp_path: Path, codec: str, b_frames: int, fps: float, gop: int, least: float
):
    suffix = "avi" if codec == "mjpeg" else "mp4"
    clip = write_clip(
        tmp_path / f"clip.{suffix}", codec=codec, frames=250, fps=25, gop=gop, b_frames=b_frames
    )
    whole, _ = read_all(clip, fps=fps)
    lean, session = read_all(clip, fps=fps, skip_frame="AUTO")
    assert session.counters.skipped_damaged == session.counters.decode_errors == 0
    assert 250 / session.counters.decoded >= least
    # as looks move to the frames that are left their grid may move by a part of an interval
    assert abs(len(lean) - len(whole)) <= 1
    assert np.diff([frame.captured_at for frame in lean]).max() < 1.7 / fps
    by_time = {frame.pts_s: frame for frame in read_all(clip)[0]}
    for frame in lean:
        assert np.array_equal(frame.rgb(), by_time[frame.pts_s].rgb()), "a frame shows something else"


def test_who_wants_every_frame_gets_every_frame(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mp4", frames=150, fps=25, b_frames=3)
    frames, _ = read_all(clip, skip_frame="AUTO")
    assert [frame.index for frame in frames] == list(range(150))


def mean_error(frame: Frame, clean: dict[float | None, Frame]) -> float:
    if frame.pts_s not in clean:  # the damage hit its time stamp
        return 0.0
    return float(np.abs(frame.rgb().astype(int) - clean[frame.pts_s].rgb()).mean())


@pytest.mark.parametrize("b_frames", [0, 3])
def test_damage_shows_no_garbage_while_frames_are_left_out(tmp_path: Path, b_frames: int):
    clip = write_clip(tmp_path / "clip.ts", frames=300, fps=25, gop=25, b_frames=b_frames)
    data = clip.read_bytes()
    clean = {frame.pts_s: frame for frame in read_all(clip)[0]}
    rng = np.random.default_rng(5)
    noticed = shown = 0
    for _ in range(6):
        hurt = bytearray(data)
        # beyond the first four seconds, when frames are left out
        for position in rng.integers(len(hurt) * 4 // 10, len(hurt), 4):
            hurt[position : position + 300] = rng.integers(0, 256, 300, dtype=np.uint8).tobytes()
        (tmp_path / "hurt.ts").write_bytes(bytes(hurt[: len(data)]))
        frames, session = read_all(tmp_path / "hurt.ts", fps=2.0, skip_frame="AUTO")
        whole = {frame.pts_s: frame for frame in read_all(tmp_path / "hurt.ts")[0]}
        noticed += session.counters.skipped_damaged + session.counters.decode_errors
        shown += len(frames)
        for frame in frames:
            # what nobody notices (a frame lost with all its packets) nobody notices either way
            error = mean_error(frame, clean)
            allowed = 2 + (mean_error(whole[frame.pts_s], clean) if frame.pts_s in whole else 0)
            assert error < allowed, f"frame at {frame.pts_s} shows damage (mean error {error:.1f})"
    assert noticed > 0
    assert shown > 60
