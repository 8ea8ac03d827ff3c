"""Plans: what is asked of machines, what binds, and the inverse questions; by hand where that can be done."""

from dataclasses import replace

import pytest
from capacity.made_figures import BOTH, device_figures, processor_figures
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.capacity.figures import FiguresError, write_figures
from streamer.capacity.fitting import most_cameras, most_fps, nodes_needed, ways_to_look
from streamer.capacity.planning import plan
from streamer.capacity.scenario import CameraKind, NodeGroup, Scenario, ScenarioError, read_scenario

_STREAM = {"size": (1280, 720), "models": BOTH, "input_size": 640}


def _scenario(figures, *, cameras=1, fps=1.0, usable=1.0, **node):
    kind = CameraKind(count=cameras, fps=fps, **_STREAM)
    return Scenario(cameras=(kind,), nodes=(NodeGroup(figures=figures, **node),), usable=usable)


def _shares(scenario):
    return {one.name: one.share for one in plan(scenario).resources}


def test_every_resource_is_what_it_is_by_hand():
    shares = _shares(_scenario(processor_figures(), cameras=4, fps=2.0))
    # four cameras of 25 frames of 4 ms and 2 looks of 100 ms, on two cores; one thread looks
    assert shares["processor"] == pytest.approx((4 * 25 * 0.004 + 4 * 2 * 0.1) / 2)
    assert shares["inference"] == pytest.approx(4 * 2 * 0.1)
    assert shares["memory"] == pytest.approx((400 + 4 * 20) / 8000)
    assert shares["network"] == pytest.approx(4 * 2.5 / 1000)
    assert shares["one stream"] == pytest.approx(0.1)


def test_the_fullest_resource_binds_and_says_how_much_more_there_is_room_for():
    made = plan(_scenario(processor_figures(), cameras=4, fps=2.0, usable=0.8))
    assert made.binding.name == "inference"
    assert made.head_room == pytest.approx(1.0)
    assert made.fits
    assert not plan(_scenario(processor_figures(), cameras=5, fps=2.0, usable=0.8)).fits


@pytest.mark.parametrize(
    ("figures", "binding"),
    [
        (processor_figures(look_ms=100), "inference"),
        (processor_figures(look_ms=5, frame_ms=8), "processor"),
        (processor_figures(look_ms=5, frame_ms=0.1, camera_mb=900), "memory"),
        (processor_figures(cores=16, look_ms=5, frame_ms=39), "one stream"),
        (device_figures(frame_ms=0.1), "inference"),
        (device_figures(frame_ms=0.1, first_ms=0.1, each_ms=0.5), "verdicts"),
    ],
)
def test_each_resource_can_bind(figures, binding):
    assert plan(_scenario(figures, cameras=8, fps=5.0)).binding.name == binding


def test_the_network_binds_where_it_is_thin():
    made = plan(_scenario(processor_figures(look_ms=5), cameras=8, network_megabits_s=10.0))
    assert made.binding.name == "network"


def test_a_device_looks_at_the_cheapest_batch_and_leaves_the_cores_to_decoders():
    shares = _shares(_scenario(device_figures(), cameras=100, fps=1.0))
    assert shares["inference"] == pytest.approx(100 * (20 + 2 * 8) / 8 / 1000)


def test_pictures_that_go_from_node_to_node_load_both_networks():
    figures = device_figures()
    nodes = (
        NodeGroup(name="door", figures=figures, inference=False),
        NodeGroup(name="brain", figures=figures, ingest=False),
    )
    kind = CameraKind(count=10, fps=2.0, **_STREAM)
    network = {
        one.group: one.wanted
        for one in plan(Scenario(cameras=(kind,), nodes=nodes)).resources
        if one.name == "network"
    }
    pictures = 10 * 2.0 * 384 * 640 * 3 * 8e-6
    assert network == {"door": pytest.approx(10 * 2.5 + pictures), "brain": pytest.approx(pictures)}


def test_what_cannot_be_done_is_granted_by_priority_as_the_daemon_would():
    kinds = tuple(
        CameraKind(count=10, fps=2.0, priority=priority, **_STREAM) for priority in ("normal", "high")
    )
    scenario = Scenario(cameras=kinds, nodes=(NodeGroup(figures=processor_figures(cores=16)),))
    normal, high = plan(scenario).granted_fps
    assert high == pytest.approx(2 * normal)
    # the schedule fills 0.95 of the worker
    assert 10 * (normal + high) * 0.1 == pytest.approx(0.95)


def test_the_inverse_questions_answer_each_other():
    scenario = _scenario(processor_figures(), cameras=37, fps=2.0, usable=0.8)
    fit = most_cameras(scenario)
    (needed,) = nodes_needed(scenario).values()
    assert fit == 4
    assert needed == -(-37 // fit)
    assert most_fps(_scenario(processor_figures(), cameras=4, usable=0.8)) == pytest.approx(2.0)


@settings(max_examples=40, deadline=None)
@given(
    cameras=st.integers(1, 300),
    fps=st.floats(0.2, 10),
    usable=st.floats(0.2, 1.0),
    look_ms=st.floats(1, 300),
    frame_ms=st.floats(0.1, 30),
)
def test_one_machine_fewer_never_does(cameras, fps, usable, look_ms, frame_ms):
    figures = processor_figures(look_ms=look_ms, frame_ms=frame_ms)
    scenario = _scenario(figures, cameras=cameras, fps=fps, usable=usable)
    (needed,) = nodes_needed(scenario).values()

    def fits(count):
        group = replace(scenario.nodes[0], count=count)
        resources = plan(replace(scenario, nodes=(group,))).resources
        return all(one.share <= usable for one in resources if one.name != "one stream")

    assert fits(needed)
    assert needed == 1 or not fits(needed - 1)


@pytest.mark.parametrize("usable", [0.31, 0.5, 0.8, 1.0])
def test_one_camera_more_does_not_fit(usable):
    def scenario(count):
        return _scenario(processor_figures(look_ms=20), cameras=count, usable=usable, count=7)

    fit = most_cameras(scenario(3))
    assert plan(scenario(fit)).fits
    assert not plan(scenario(fit + 1)).fits


def test_a_stream_that_is_more_than_a_core_needs_another_kind_of_machine():
    with pytest.raises(FiguresError, match="one thread"):
        nodes_needed(_scenario(processor_figures(frame_ms=50), cameras=2))


def test_a_daemon_that_does_not_fit_at_all_is_told():
    with pytest.raises(FiguresError, match="no number"):
        nodes_needed(_scenario(processor_figures(daemon_mb=9000)))


def test_ways_to_look_fall_with_the_pixels_and_stop_at_the_stream():
    ways = ways_to_look(_scenario(processor_figures(), usable=0.8))
    assert [one.input_px for one in ways] == [320, 480, 640, 960, 1280]
    counts = [one.cameras for one in ways]
    assert counts == sorted(counts, reverse=True)
    assert counts[2] == most_cameras(_scenario(processor_figures(), usable=0.8))


_SCENARIO = """
cameras:
  - {count: 3, size: [1280, 720], fps: 2, models: [retinaface, maskrcnn], input_size: 640}
nodes:
  - {name: box, figures: box.json, count: 2, price_per_hour: 0.5}
failures: {node_hours: 10}
"""


def test_a_scenario_is_read_with_the_figures_beside_it(tmp_path):
    write_figures(tmp_path / "box.json", processor_figures())
    (tmp_path / "many.yaml").write_text(_SCENARIO)
    scenario = read_scenario(tmp_path / "many.yaml")
    assert (scenario.camera_count, scenario.price_per_hour) == (3, 1.0)
    assert scenario.nodes[0].figures == processor_figures()
    assert scenario.failures.node_hours == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("fps: 2", "fps: 0"), r":3:\d+: cameras\.0\.fps"),
        (("count: 2", "cuont: 2"), r"nodes\.0\.cuont"),
        (("price_per_hour: 0.5", "ingest: false"), "no node takes in cameras"),
        (("input_size: 640", "input_size: 650"), "multiple of 32"),
    ],
)
def test_a_scenario_that_says_what_cannot_be_is_refused_with_its_place(tmp_path, change, words):
    write_figures(tmp_path / "box.json", processor_figures())
    (tmp_path / "many.yaml").write_text(_SCENARIO.replace(*change))
    with pytest.raises(ScenarioError, match=words):
        read_scenario(tmp_path / "many.yaml")
