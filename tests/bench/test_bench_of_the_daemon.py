"""The benches that run the daemon, for a second or two: what they print is of what they say."""

import subprocess
import sys
import threading
import time

import av
import pytest

from streamer.bench import load as load_module
from streamer.bench.clips import camera_clip, encode
from streamer.bench.daemon_child import BenchError, DaemonChild, memory_of
from streamer.bench.load import Outcome
from streamer.bench.memory import measure_memory
from streamer.bench.memory_growth import follow_memory
from streamer.bench.starvation import measure_starvation
from streamer.bench.thread_times import UNNAMED, processor_s_by_purpose
from streamer.bench.throughput import by_purpose_ms, measure_throughput
from streamer.demo.site import CLIP

_LOOKER = ["retinaface"]


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory):
    """Two seconds of a camera's stream."""
    return camera_clip(CLIP, tmp_path_factory.mktemp("clip"), image_hw=(180, 320), fps=10, seconds=2.0)


def test_a_made_clip_is_as_a_camera_sends_it(small_clip):
    with av.open(str(small_clip)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 320, 180)
        assert (stream.average_rate, stream.frames, stream.codec_context.has_b_frames) == (10, 20, False)
        keys = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe]
        assert len(keys) == 1


def test_a_clip_that_is_there_is_not_made_again(small_clip):
    before = small_clip.stat().st_mtime_ns
    again = camera_clip(CLIP, small_clip.parent, image_hw=(180, 320), fps=10, seconds=2.0)
    assert again == small_clip
    assert again.stat().st_mtime_ns == before


def test_a_clip_is_whole_or_not_there(tmp_path):
    (tmp_path / "none.mp4").write_bytes(b"no video")
    with pytest.raises(av.FFmpegError):
        encode(tmp_path / "none.mp4", tmp_path / "made.mp4", (90, 160), 10, 1.0)
    assert not (tmp_path / "made.mp4").exists()


def test_throughput_alternates_daemon_and_floor(small_clip):
    figures = measure_throughput(small_clip, models=_LOOKER, cameras=2, seconds=1.0, repeats=1, settle_s=0.2)
    looks, processor = figures["ratio_looks"], figures["ratio_processor"]
    assert looks["runs"] == processor["runs"] == 1
    assert 0 < looks["least"] <= looks["median"] <= looks["most"]
    assert figures["daemon_by_thread_ms_a_look"].keys() >= {"decoding", "looking"}
    assert "judging" not in figures["floor_by_thread_ms_a_look"]
    assert figures["daemon_peak_memory_mb"] > 50


def test_starvation_tells_of_every_camera_and_every_look(small_clip):
    figures = measure_starvation(
        small_clip, models=_LOOKER, cameras=2, fps=4.0, seconds=1.5, repeats=1, settle_s=0.2
    )
    assert figures["full_load_looks_per_s_of_a_camera"]["runs"] == 2
    assert figures["half_load_looks_per_s_of_a_camera"]["runs"] == 1
    assert figures["full_load_latency"]["count"] > 0
    assert figures["full_load_latency"]["p99_ms"] >= figures["full_load_latency"]["p50_ms"] > 0
    assert figures["half_load_own_p95_ms"]["median"] > 0
    assert figures["half_load_floor_latency"]["count"] > 0
    assert figures["ratio_p95_at_half_load"]["median"] > 0
    assert figures["full_load_missed_looks"] >= 0
    assert 0 <= figures["full_load_least_share"]["most"] < 2


def test_memory_is_that_of_the_daemon_and_of_its_networks_alone():
    figures = measure_memory(CLIP, models=_LOOKER, cameras=(1,), settle_s=0.5, repeats=1)
    assert figures["ready_s_with_1_cameras"]["median"] > 0
    alone, settled = figures["floor_networks_alone_rss_mb"], figures["1_cameras_rss_settled_mb"]
    assert settled["median"] > alone["median"] > 50
    assert figures["ratio_settled_to_floor"]["median"] == pytest.approx(
        settled["median"] / alone["median"], abs=0.01
    )
    assert figures["1_cameras_pss_settled_mb"]["median"] <= settled["median"]


def test_growth_counts_after_settling_and_says_when_that_was_too_short(small_clip):
    told = []
    figures = follow_memory(
        [CLIP, small_clip], models=_LOOKER, seconds=3.0, settle_s=1.0, every_s=0.5, fps=5.0, tell=told.append
    )
    assert figures["cameras"] == 2
    assert figures["rss_mb"]["runs"] < len(told)
    assert figures["growth_of_rss_mb_per_hour"]["verdict"] == "too short to tell"


def test_a_daemon_that_ends_is_told_with_its_last_words(tmp_path):
    site = tmp_path / "site.yaml"
    site.write_text("cameras: nonsense\n")
    with DaemonChild(site) as daemon, pytest.raises(BenchError, match=r"(?s)ended with 2.*cameras"):
        daemon.start()


def test_memory_of_a_process_is_what_the_kernel_says():
    # one that does nothing else: this one frees and takes memory of its own
    code = (
        "import mmap\n"
        "print('empty', flush=True); input()\n"
        "held = mmap.mmap(-1, 30_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "for place in range(0, len(held), mmap.PAGESIZE): held[place] = 1\n"
        "print('full', flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "empty\n"
        before = memory_of(child.pid)
        print(file=child.stdin, flush=True)
        assert child.stdout.readline() == "full\n"
        after = memory_of(child.pid)
        print(file=child.stdin, flush=True)
    assert 28 < after.anonymous_mb - before.anonymous_mb < 33
    assert after.rss_mb >= after.pss_mb >= after.anonymous_mb


def test_processor_time_is_told_by_what_threads_are_for():
    end = threading.Event()

    def work():
        while not end.is_set():
            sum(range(10_000))

    before = processor_s_by_purpose()
    thread = threading.Thread(target=work, name="decode-gate")
    thread.start()
    until_s = time.monotonic() + 20
    while processor_s_by_purpose().get("decoding", 0.0) < 0.05 and time.monotonic() < until_s:
        time.sleep(0.02)
    spent = processor_s_by_purpose()
    end.set()
    thread.join()
    assert spent["decoding"] >= 0.05
    assert "decoding" not in before
    assert spent.get(UNNAMED, 0.0) >= 0


def test_a_look_s_time_is_the_median_of_the_runs():
    runs = [
        Outcome(
            seconds=1.0,
            looks=[5, 5],
            latencies_s=[],
            processor_s={"all": total, "looking": total / 2, "judging": 0.0},
            peak_memory_mb=1.0,
        )
        for total in (1.0, 2.0, 9.0)
    ]
    assert by_purpose_ms(runs) == {"looking": 100.0}
    assert [one.processor_ms_a_look for one in runs] == [100.0, 200.0, 900.0]
    assert runs[0].looks_per_s == 10.0


def test_a_camera_that_never_gets_a_look_is_an_error():
    watch = load_module._Watch(["a", "b"])
    watch._latencies_s["a"].append(0.1)
    with pytest.raises(TimeoutError, match="not every camera"):
        watch.wait_for_all(0.0, within_s=0.2)
