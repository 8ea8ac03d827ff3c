"""The benchmark of Keras' networks on a device, tiny, on whatever there is."""

import json

import numpy as np
import pytest


def test_it_tells_what_a_picture_costs_beside_the_floor(capsys) -> None:
    from bench_gpu import main  # noqa: PLC0415 - loads Keras

    settings = [
        "--device",
        "cpu",
        "--input-size",
        "64",
        "--batch",
        "1",
        "2",
        "--repeats",
        "1",
        "--matrix-side",
        "64",
    ]
    assert main([*settings, "--models", "retinaface", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["batch"] for row in told["rows"]] == [1, 2]
    for row in told["rows"]:
        assert all(row[f"{name}_ms"] > 0 for name in ("whole", "floor", "host", "in_turn"))
        assert row["ratio"] == pytest.approx(row["whole_ms"] / row["floor_ms"])
    assert told["rows"][1]["floor_ms"] < told["rows"][0]["floor_ms"], "weights are read once for both"


def test_layers_are_counted_by_what_they_multiply() -> None:
    import keras  # noqa: PLC0415
    from bench_gpu import LayerCost, Rates, floor_s, layer_costs  # noqa: PLC0415

    pictures = keras.Input((None, None, 3))
    shared = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)
    x = keras.layers.DepthwiseConv2D(3, 2, padding="same")(
        keras.layers.Conv2D(8, 1, use_bias=False)(pictures)
    )
    x = keras.layers.Conv2DTranspose(8, 2, strides=2, use_bias=False)(x)
    network = keras.Model(pictures, [shared(x), shared(x), keras.layers.Dense(5, use_bias=False)(x)])
    costs = layer_costs(lambda pixels: network(np.asarray(pixels, np.float32)), (8, 16))
    assert sorted(cost.multiply_adds for cost in costs) == sorted(
        [128 * 3 * 8, 32 * 8 * 9, 32 * 8 * 4 * 8, 128 * 8 * 4 * 9, 128 * 8 * 4 * 9, 128 * 8 * 5]
    )
    assert LayerCost(128 * 3 * 8, 128 * 3 + 128 * 8, 24) in costs
    bound = [LayerCost(100, 10, 0), LayerCost(1, 10, 30)]
    assert floor_s(bound, Rates(1.0, 1.0), 1, "f32") == 100 + 160
    assert floor_s(bound, Rates(1.0, 1.0), 2, "bf16") == 200 + 100
