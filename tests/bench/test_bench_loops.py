"""The comparison of loops: who looks at which frames, and what the table says. Nobody is timed."""

import argparse
import importlib
import itertools
import sys
from pathlib import Path

import cv2
import pytest

from streamer.bench.clips import camera_clip
from streamer.demo.site import CLIP

_FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def comparison():
    """The two scripts, as modules."""
    sys.path.insert(0, str(_FOLDER))
    try:
        return importlib.import_module("compare_loops"), importlib.import_module("loops")
    finally:
        sys.path.remove(str(_FOLDER))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Ten frames of one second."""
    return camera_clip(CLIP, tmp_path_factory.mktemp("clip"), image_hw=(96, 160), fps=10, seconds=1.0)


def _options(clip, looks):
    return argparse.Namespace(clip=clip, looks=looks, input_size=160, peers=None)


@pytest.mark.parametrize(
    ("looks", "places"), [(5.0, (0, 2, 4, 6, 8)), (None, range(10)), (4.0, (0, 3, 5, 8))]
)
def test_the_naive_loop_looks_as_often_as_it_is_told(comparison, clip, monkeypatch, looks, places):
    _, loops = comparison
    seen = []
    monkeypatch.setattr(loops, "_keras", lambda _options: lambda picture: seen.append(picture.tobytes()) or 0)
    list(itertools.islice(loops.looks_of("keras", _options(clip, looks)), 2 * len(places)))
    capture = cv2.VideoCapture(str(clip))
    frames = [capture.read()[1].tobytes() for _ in range(10)]
    assert seen == [frames[place] for place in places] * 2


@pytest.mark.parametrize("looks", [5.0, None])
def test_ppewatch_looks_at_the_recording_over_and_over(comparison, clip, looks):
    _, loops = comparison
    faces = list(itertools.islice(loops.looks_of("ppewatch", _options(clip, looks)), 12))
    assert len(faces) == 12


def test_ratios_are_of_runs_side_by_side(comparison):
    compare_loops, _ = comparison

    def runs(*cpu_ms):
        return [
            {"ready_s": 1.0, "wall_ms": 1.0, "processor_ms": ms, "faces": 1.0, "peak_mb": 9.0}
            for ms in cpu_ms
        ]

    lines = compare_loops.table({"ppewatch": runs(10, 20, 40), "keras": runs(30, 80, 80)}).splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["ppewatch", "keras"]
    assert lines[1].endswith("1.00 (1.00-1.00)")
    assert lines[2].endswith("3.00 (2.00-4.00)")
    assert "50.0" in lines[1]
    assert compare_loops.table({"keras": runs(30)}).splitlines()[1].endswith("  -")
