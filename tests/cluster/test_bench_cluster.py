"""`ppewatch bench cluster`: both sides look, and what it costs is told by part."""

from pathlib import Path

import pytest
from peers import ray_nodes

from models.weights import STORE
from streamer.bench.cluster import by_part_ms, measure_cluster
from streamer.bench.cluster_load import Outcome


def outcome(looks: int, **processor_s: float) -> Outcome:
    return Outcome(
        seconds=10.0,
        looks=looks,
        looks_per_s=looks / 10,
        processor_s={**processor_s, "all": sum(processor_s.values())},
        latency_p50_s=0.1,
        latency_p95_s=0.2,
        idle_seconds=10.0,
        idle_looks=0,
        idle_processor_s={"all": 1.0},
    )


def test_processor_time_is_told_by_part():
    many = [outcome(100, head=0.5, ingest=1.0), outcome(100, head=0.7, ingest=2.0), outcome(100, ingest=3.0)]
    assert by_part_ms(many) == {"head": 5.0, "ingest": 20.0}
    assert many[0].processor_ms_a_look == pytest.approx(15.0)


def test_what_stands_anyhow_is_told_from_what_a_look_takes():
    # a tenth of a core stands; 100 looks took four seconds more
    busy = outcome(100, ingest=5.0)
    assert busy.standing_cores == pytest.approx(0.1)
    assert busy.further_look_ms == pytest.approx(40.0)
    assert busy.looks_per_s_of(2) == pytest.approx(1.9 / 0.04)


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.skipif(ray_nodes.missing_reason() is not None, reason=str(ray_nodes.missing_reason()))
@pytest.mark.skipif(not (STORE / "retinaface.safetensors").exists(), reason="no weights are shipped yet")
def test_a_cluster_is_measured_beside_one_process(slow_clip: Path):
    figures = measure_cluster(
        slow_clip, models=["retinaface"], cameras=2, seconds=3, repeats=1, input_size_px=320
    )
    assert figures["single_looks_per_s"]["median"] > 0
    assert figures["cluster_looks_per_s"]["median"] > 0
    assert figures["ratio_processor"]["median"] > 0
    assert {"head", "ingest", "inference", "rules", "ray"} <= figures["cluster_by_part_ms_a_look"].keys()
