"""Figures of machines: what they hold, what is reckoned from them, and files that hold something else."""

import json

import pytest
from capacity.made_figures import BOTH, device_figures, processor_figures

from streamer.capacity.figures import BatchCost, FiguresError, read_figures, write_figures


def test_figures_come_back_as_they_were_written(tmp_path):
    figures = device_figures()
    write_figures(tmp_path / "figures.json", figures)
    assert read_figures(tmp_path / "figures.json") == figures
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batches": []}, "batches"),
        ({"others_share": 2}, "others_share"),
        ({"unknown": 1}, "unknown"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_files_that_hold_something_else_are_refused_by_name(tmp_path, change, words):
    path = tmp_path / "figures.json"
    write_figures(path, processor_figures())
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FiguresError, match=rf"figures\.json.*{words}"):
        read_figures(path)


def test_no_json_is_told(tmp_path):
    (tmp_path / "figures.json").write_text("cameras: 4")
    with pytest.raises(FiguresError, match="bench capacity"):
        read_figures(tmp_path / "figures.json")


def test_sizes_that_were_not_measured_are_reckoned_by_their_pixels():
    figures = processor_figures(frame_ms=4.0, look_ms=100.0)
    assert figures.frame_mean_ms("h264", (1440, 2560)) == pytest.approx(16.0)
    assert figures.megabits_s("h264", (1440, 2560), 12.5) == pytest.approx(5.0)
    (cost,) = figures.batches_of(frozenset(BOTH), (768, 1280)).values()
    assert cost.processor_mean_ms == pytest.approx(400.0)


def test_what_was_not_measured_at_all_is_named():
    figures = processor_figures()
    with pytest.raises(FiguresError, match=r"hevc was not measured .*h264"):
        figures.decode_of("hevc", (720, 1280))
    with pytest.raises(FiguresError, match=r"retinaface were not measured .*maskrcnn retinaface"):
        figures.batches_of(frozenset({"retinaface"}), (384, 640))


def test_threads_are_those_of_batches_that_nothing_disturbed():
    # half of them had to wait for others
    batch = BatchCost(
        models=BOTH,
        input_hw=(384, 640),
        count=1,
        wall_ms=(50.0, 50.0, 200.0, 400.0),
        processor_ms=(90.0, 90.0, 90.0, 90.0),
    )
    assert batch.threads == pytest.approx(1.8)
