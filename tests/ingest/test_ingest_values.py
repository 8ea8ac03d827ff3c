"""Addresses, clocks, sampling, mailbox, retry policy, budget and meters: the parts without a camera."""

import itertools
import logging
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_clips import read_all, write_clip

from models.pictures import ArrayPicture
from streamer.frame import Frame
from streamer.ingest.clocks import LiveClock, MediaTime
from streamer.ingest.collapse import LogCollapser
from streamer.ingest.errors import CameraBusy, CredentialsRefused, EndOfStream, StreamStalled, Unreachable
from streamer.ingest.host_budget import HostBudget
from streamer.ingest.mailbox import Mailbox, MailboxCounters
from streamer.ingest.retry import RetryPolicy
from streamer.ingest.sampler import FrameSampler, phase_of
from streamer.ingest.source import Source
from streamer.ingest.status import RateMeter
from streamer.ingest.timing import RecordingTiming
from streamer.ingest.urls import (
    SourceKind,
    display_url,
    host_of,
    kind_of,
    split_credentials,
    with_credentials,
)

CANARY = "c4n4ry-s3cret"


def frame(index: int, *, mono: float = 0.0) -> Frame:
    return Frame("gate", index, None, 1000.0 + index, mono, ArrayPicture(np.zeros((2, 2, 3), np.uint8)))


# --- addresses
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtsp://10.0.0.1/s", SourceKind.RTSP),
        ("rtsps://h:322/s", SourceKind.RTSP),
        ("HTTP://h/video.mjpg", SourceKind.HTTP),
        ("https://h/v", SourceKind.HTTP),
        ("clips/a.mp4", SourceKind.FILE),
        ("/var/clips", SourceKind.FILE),
        ("file:///var/a.mp4", SourceKind.FILE),
        ("concat:a|b", SourceKind.FILE),
        ("/dev/video0", SourceKind.WEBCAM),
        ("webcam:1", SourceKind.WEBCAM),
    ],
)
def test_the_kind_of_a_source(url: str, kind: SourceKind) -> None:
    assert kind_of(url) is kind


@pytest.mark.parametrize(
    "url", ["", "  ", "ftp://h/x", "rtmp://h/x", "rtsp://", "rtsp:///stream", "http://[::1"]
)
def test_addresses_that_cannot_be_read_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Source(url)


def test_libav_is_never_given_another_protocol_by_a_file_name() -> None:
    assert Source("concat:a.mp4|b.mp4").libav_url == "file:concat:a.mp4|b.mp4"
    assert Source("pipe:0").libav_url == "file:pipe:0"


@given(user=st.text(min_size=1, max_size=12), password=st.text(max_size=20))
def test_credentials_survive_the_address_and_never_show(user: str, password: str) -> None:
    url = with_credentials("rtsp://10.0.0.1:554/a?b=1#c", user, password)
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("10.0.0.1", 554, "/a", "b=1")
    assert split_credentials(url) == ("rtsp://10.0.0.1:554/a?b=1#c", user, password)
    assert display_url(url) == "rtsp://10.0.0.1:554/a?b=1#c"


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://viewer:{CANARY}@10.0.0.1/s",
        f"rtsp://site.viewer:{CANARY}@10.0.0.1/s",
        f"rtsp://user@corp:{CANARY}@10.0.0.1/s",
        f"rtsp://:{CANARY}@10.0.0.1/s",
        f"rtsp://viewer:pa/{CANARY}@10.0.0.1/s",
        f"rtsp://viewer:pa?{CANARY}@10.0.0.1/s",
        f"rtsp://viewer:pa#{CANARY}@10.0.0.1/s",
        f"http://10.0.0.1/s?username=a&pwd={CANARY}",
        f"http://10.0.0.1/s?channel=1&Auth-Token={CANARY}&x=2",
        f"rtsp://viewer:{CANARY}@[fe80::1]:554/s",
    ],
)
def test_no_spelling_of_a_secret_is_shown(url: str) -> None:
    source = Source(url)
    shown = (
        display_url(url) + source.display + repr(source) + str(source) + source.redact(f"cannot open '{url}'")
    )
    assert CANARY not in shown
    said = source.redact(f"said: {source.libav_url} and {source.password or CANARY}")
    assert CANARY not in said
    assert source.device in ("10.0.0.1 554", "10.0.0.1 80", "fe80::1 554")


def test_a_device_is_a_host_and_a_port() -> None:
    assert Source("rtsp://u:p@CAM.local/1").device == Source("rtsp://cam.local:554/2").device
    assert Source("rtsp://cam.local:8554/1").device != Source("rtsp://cam.local/1").device
    assert Source("webcam:0").device is Source("clip.mp4").device is None


def test_an_at_sign_in_a_path_is_no_user_information() -> None:
    assert split_credentials("http://cam.local/a@b") == ("http://cam.local/a@b", None, None)
    assert host_of("http://10.0.0.1:8080/a@b") == "10.0.0.1"


def test_given_credentials_win_over_those_in_the_address() -> None:
    source = Source("rtsp://old:older@h/s", user="new", password="n@w")
    assert source.url == "rtsp://h/s"
    assert source.libav_url == "rtsp://new:n%40w@h/s"


def test_credentials_that_libav_would_cut_off_are_refused() -> None:
    with pytest.raises(ValueError, match="too long") as raised:
        Source("rtsp://h/s", user="u", password="ü" * 60)
    assert "ü" not in str(raised.value)


# --- clocks
# ----------------------------------------------------------------------------------------------------


def test_a_step_of_the_systems_clock_does_not_move_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = LiveClock()
    before = clock.captured_at(50.0)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert clock.captured_at(51.0) - before == 1.0
    assert clock.departure_s() == pytest.approx(3600, abs=1)
    assert LiveClock().captured_at(51.0) - before == pytest.approx(3601, abs=1)


@given(
    st.lists(
        st.one_of(st.none(), st.floats(-1e6, 1e6), st.floats(allow_nan=True, allow_infinity=True)),
        max_size=40,
    )
)
def test_media_time_always_goes_forward_whatever_the_stamps(stamps: list[float | None]) -> None:
    media = MediaTime(0.04)
    times = [media.at(stamp) for stamp in stamps]
    assert all(0 < b - a <= 60.001 for a, b in itertools.pairwise(times))
    assert not times or times[0] == 0.0


def test_media_time_follows_good_stamps_and_bridges_a_loop() -> None:
    media = MediaTime(0.1)
    assert [media.at(stamp) for stamp in (7.0, 7.5, 8.0)] == [0.0, 0.5, 1.0]
    media.begin_again()
    assert [media.at(stamp) for stamp in (7.0, 7.5)] == pytest.approx([1.1, 1.6])


@given(
    fps=st.floats(0.5, 30),
    stream_fps=st.floats(1, 60),
    jitter=st.lists(st.floats(-0.4, 0.4), min_size=200, max_size=200),
)
def test_sampling_keeps_the_wanted_rate(fps: float, stream_fps: float, jitter: list[float]) -> None:
    sampler = FrameSampler(fps)
    times = [(n + shake) / stream_fps for n, shake in enumerate(jitter)]
    due = [at for at in times if sampler.due(at)]
    wanted = min(fps, stream_fps) * 200 / stream_fps
    assert len(due) <= fps * 200 / stream_fps + 3
    assert len(due) >= wanted * 0.6 - 3


def test_sampling_is_even_and_starts_anew_after_a_gap_or_a_step_back() -> None:
    sampler = FrameSampler(5)
    assert sum(sampler.due(n / 25) for n in range(250)) in (50, 51)
    assert sampler.due(1000.0)
    assert not sampler.due(1000.04)
    assert sampler.due(3.0)
    assert all(FrameSampler(None).due(0.0) for _ in range(3))
    keeps_all = FrameSampler(10)
    assert all(keeps_all.due(n / 10 + (0.03 if n % 2 else -0.03)) for n in range(100))


# --- mailbox
# ---------------------------------------------------------------------------------------------------


def test_the_newest_frame_wins_and_drops_are_counted() -> None:
    woken: list[int] = []
    box = Mailbox("gate", notify=lambda: woken.append(1))
    assert box.take() is None
    assert box.peek_age_s() is None
    for index in range(5):
        box.put(frame(index, mono=10.0 + index))
    assert box.peek_age_s(20.0) == 6.0
    taken = box.take()
    assert taken is not None
    assert taken.index == 4
    assert box.take() is None
    box.put(frame(5))
    box.clear()
    assert box.counters == MailboxCounters(put=6, taken=1, dropped=5)
    assert len(woken) == 6


def test_no_frame_is_lost_uncounted_or_taken_twice_between_threads() -> None:
    box = Mailbox("gate")
    taken: list[int] = []
    done = threading.Event()

    def consume() -> None:
        while not done.is_set() or box.peek_age_s() is not None:
            got = box.take()
            if got is not None:
                taken.append(got.index)

    consumers = [threading.Thread(target=consume) for _ in range(2)]
    for thread in consumers:
        thread.start()
    for index in range(5000):
        box.put(frame(index))
    done.set()
    for thread in consumers:
        thread.join()
    counters = box.counters
    assert counters.put == 5000 == counters.taken + counters.dropped
    assert len(taken) == len(set(taken)) == counters.taken
    assert 4999 in taken


# --- retrying
# --------------------------------------------------------------------------------------------------


def bounds(policy: RetryPolicy, ended: object, count: int, online_s: float = 0.0) -> list[float | None]:
    return [policy.delay_after(ended, online_s) for _ in range(count)]  # type: ignore[arg-type]


def test_waits_double_up_to_the_cap_and_are_drawn_from_the_whole_interval() -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    policy = RetryPolicy(base_s=1, cap_s=60, floor_s=0.2, uniform=uniform)
    assert bounds(policy, Unreachable(), 8) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert {low for low, _ in drawn} == {0.2}
    assert policy.delay_after(StreamStalled(), 31.0) == 1, "a healthy connection begins the series anew"
    assert policy.delay_after(StreamStalled(), 5.0) == 2, "a short one does not"
    policy.reset()
    assert policy.delay_after(Unreachable(), 0.0) == 1
    assert len(bounds(policy, Unreachable(), 3000)) == 3000


def test_a_busy_camera_is_given_time_and_refused_credentials_are_final() -> None:
    policy = RetryPolicy(uniform=lambda _low, high: high)
    assert policy.delay_after(CameraBusy(), 0.0) == 8
    assert policy.delay_after(CredentialsRefused(), 0.0) is None
    assert policy.delay_after(EndOfStream(), 100.0) is None


def test_real_jitter_spreads_cameras() -> None:
    delays = [RetryPolicy(base_s=8, cap_s=60).delay_after(Unreachable(), 0.0) for _ in range(200)]
    assert min(delays) < 2
    assert max(delays) > 6


def test_the_host_budget_limits_attempts_and_spaces_them() -> None:
    now = [0.0]
    budget = HostBudget(at_once=2, spacing_s=1.0, longest_s=60.0, clock=lambda: now[0])
    assert budget.try_enter("a", "first") == 0
    assert budget.try_enter("a", "second") == 1.0
    assert budget.try_enter("b", "elsewhere") == 0
    now[0] = 1.5
    assert budget.try_enter("a", "second") == 0
    now[0] = 9.0
    assert budget.try_enter("a", "third") > 0, "two are in flight"
    budget.leave("a", "first")
    assert budget.try_enter("a", "third") == 0
    assert all(budget.try_enter(None, n) == 0 for n in range(100)), "local sources are free"


def test_attempts_without_an_answer_do_not_keep_their_neighbours_waiting_for_long() -> None:
    now = [0.0]
    budget = HostBudget(at_once=2, spacing_s=0.0, longest_s=3.0, clock=lambda: now[0])
    assert budget.try_enter("recorder", "mute") == budget.try_enter("recorder", "mute too") == 0
    now[0] = 2.95
    assert budget.try_enter("recorder", "alive") == pytest.approx(0.05)
    now[0] = 3.0
    assert budget.try_enter("recorder", "alive") == 0
    budget.leave("recorder", "mute")
    assert budget.try_enter("recorder", "alive too") == 0
    assert budget.try_enter("recorder", "one more") > 0, "the end of one that counted no more frees nothing"


def test_waiting_for_the_budget_ends_when_a_place_is_free_or_nobody_wants_it() -> None:
    budget = HostBudget(at_once=1, spacing_s=0.0, longest_s=600.0)
    assert budget.enter("a", "first", unwanted=lambda: False)
    asked = threading.Event()
    assert not budget.enter("a", "second", unwanted=lambda: asked.is_set() or asked.set() is not None)
    release = threading.Timer(0.1, budget.leave, ["a", "first"])
    release.start()
    assert budget.enter("a", "second", unwanted=lambda: False)


# --- reports
# ---------------------------------------------------------------------------------------------------


def test_a_flood_becomes_one_line_a_second_with_a_count() -> None:
    now, lines = [0.0], []
    collapser = LogCollapser(lines.append, clock=lambda: now[0])
    for number in range(100):
        now[0] = number * 0.03
        collapser.add(f"error {number}")
    now[0] = 10.0
    collapser.flush()
    collapser.flush()
    assert lines[0] == "error 0"
    assert 3 <= len(lines) <= 5
    counts = [int(line.split()[0]) for line in lines[1:]]
    assert sum(counts) == 99


def test_rates_follow_the_stream_and_fall_to_zero_in_silence() -> None:
    meter = RateMeter()
    assert meter.rate(0.0) == 0.0
    for number in range(200):
        meter.add(number / 25)
    assert meter.rate(8.0) == pytest.approx(25, rel=0.05)
    assert meter.rate(10.0) < 20
    assert meter.rate(14.0) == 0.0


@pytest.mark.parametrize("interval_s", [3.0, 5.0, 20.0])
def test_a_rate_of_less_than_one_frame_a_window_is_a_rate(interval_s: float) -> None:
    meter = RateMeter()
    for number in range(4):
        meter.add(number * interval_s)
    for silent_s in (0.0, 0.5 * interval_s, interval_s):
        assert meter.rate(3 * interval_s + silent_s) == pytest.approx(1 / interval_s)
    assert meter.rate(3 * interval_s + max(5.0, 2 * interval_s) + 0.1) == 0.0


def test_libav_messages_never_reach_stderr_raw(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.ts", frames=20)
    data = bytearray(clip.read_bytes())
    data[len(data) // 2 :: 97] = bytes(len(data[len(data) // 2 :: 97]))
    clip.write_bytes(data)
    logging.getLogger("streamer").setLevel(logging.CRITICAL)
    try:
        read_all(clip)
    finally:
        logging.getLogger("streamer").setLevel(logging.NOTSET)
    assert capfd.readouterr().err == ""


def test_converting_mjpeg_fills_no_log(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    frames, _ = read_all(write_clip(tmp_path / "clip.avi", codec="mjpeg", frames=3))
    for each in frames:
        each.rgb((60, 80))
    assert caplog.records == []


@given(st.floats(0, 0.999), st.floats(0.5, 12))
def test_a_phase_moves_the_grid_and_not_the_rate(phase: float, fps: float):
    sampler = FrameSampler(fps, phase=phase)
    due = [at / 25 for at in range(25 * 60) if sampler.due(at / 25)]
    assert due[0] == 0
    assert len(due) == pytest.approx(60 * fps, abs=2)
    gaps = np.diff(due)
    assert gaps[0] == pytest.approx((0.5 + phase) / fps, abs=0.041)
    assert gaps[2:].max() <= 1 / fps + 0.081


def test_cameras_that_begin_together_are_spread_over_the_interval():
    for count in (2, 3, 8, 16, 50):
        phases = sorted(phase_of(number) for number in range(count))
        assert phases[0] >= 0
        assert phases[-1] < 1
        assert np.diff([*phases, phases[0] + 1]).max() < 2 / count


def test_every_frame_of_a_paced_recording_has_its_moment():
    timing = RecordingTiming(fps=2, stop=threading.Event(), paced=True, start_epoch_s=None, interval_s=0.04)
    began = time.monotonic()
    taken = [timing.take(number / 25, time.monotonic()) for number in range(13)]
    assert time.monotonic() - began >= 0.47, "also those that are not due come at their time"
    assert [number for number, times in enumerate(taken) if times] == [0, 7]


def test_a_waiting_frame_is_freshened_and_an_empty_slot_stays_empty():
    mailbox = Mailbox("gate")
    first, second = (
        Frame(
            camera_id="gate",
            index=index,
            pts_s=None,
            captured_at=float(index),
            received_mono_s=float(index),
            picture=ArrayPicture(np.zeros((2, 2, 3), np.uint8)),
        )
        for index in (1, 2)
    )
    mailbox.freshen(first)
    assert not mailbox.is_waiting
    mailbox.put(first)
    mailbox.freshen(second)
    assert mailbox.is_waiting
    assert mailbox.take() is second
    assert mailbox.counters == MailboxCounters(put=1, taken=1, dropped=0)
