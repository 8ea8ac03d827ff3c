"""The walls of the house: who imports whom, and that the top-level names are ours alone."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_no_installed_dependency_provides_our_top_level_names():
    providers = importlib.metadata.packages_distributions()
    for name in ("streamer", "models", "rules", "config"):
        assert set(providers.get(name, [])) <= {"ppewatch"}, name


@pytest.mark.parametrize(
    "module",
    [
        "config",
        "rules",
        "streamer.ingest",
        "models.structures",
        "streamer.cli",
        # so that usage is told at once
        *(
            f"models.training.commands.{name}"
            for name in ("retinaface", "mask_state", "mask_state_crops", "mask_rcnn")
        ),
    ],
)
def test_light_modules_never_load_tensorflow(module):
    code = f"import sys, {module}; sys.exit({{'tensorflow', 'keras', 'jax'}} & set(sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_rules_solve_assignments_without_the_rest_of_scipy():
    code = (
        "import sys, numpy, rules.matching as matching\n"
        "assert matching.optimal_pairs(numpy.array([[1, 2], [1, 5.0]])) == [(0, 1), (1, 0)]\n"
        "sys.exit('scipy.optimize' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_value_types_need_numpy_alone():
    heavy = {"cv2", "scipy", "av", "pydantic", "yaml"}
    code = f"import sys, models.structures; sys.exit({heavy} & set(sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_machine_loads_nothing_of_the_cluster():
    code = (
        "import sys, streamer.app, streamer.local_watch, streamer.commands.run, streamer.detector_loading\n"
        "sys.exit([name for name in sys.modules if name == 'ray' or name.startswith('streamer.cluster')] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_parts_of_a_cluster_know_nothing_of_ray():
    code = (
        "import sys, streamer.cluster.watch, streamer.cluster.ingest_part, streamer.cluster.inference_part\n"
        "import streamer.cluster.rules_part, streamer.cluster.parts\n"
        "sys.exit('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_keras_comes_without_what_nobody_reaches_through_it():
    unused = {"sklearn", "matplotlib"}
    code = (
        "import sys; from models.keras_start import load_keras; load_keras(); "
        f"loaded = {unused} & set(sys.modules); import keras, sklearn, matplotlib; sys.exit(loaded or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_site_without_webhooks_has_no_client_for_http():
    code = "import sys, streamer.app; sys.exit({'urllib3', 'requests', 'httpx'} & set(sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
