"""``ppewatch train`` and ``evaluate`` hand everything behind the network's name to whoever knows it."""

import pytest
from command_line import one_line_of, ppewatch


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("train", "retinaface"), ("--data", "--init", "--out")),
        (("train", "classifier"), ("--data", "--init", "--crops", "--out")),
        (("train", "classifier-crops"), ("--detector", "--out")),
        (("train", "maskrcnn"), ("--pseudo", "--init", "--out")),
        (("evaluate", "pipeline"), ("--detector", "--classifier", "--least-height", "--peers")),
        (("evaluate", "detector"), ("--input-size", "--beside", "--peers")),
        (("evaluate", "classifier"), ("--weights", "--class", "--whole-pictures")),
        (("evaluate", "crossval"), ("--folds", "--recipe", "--dry-run")),
    ],
)
def test_help_behind_the_name_is_that_of_the_network(command, options):
    done = ppewatch(*command, "--help")
    # and nothing of what its libraries have to say
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: ppewatch {' '.join(command)} [-h]")
    assert all(option in done.out for option in options)


def test_options_that_come_first_reach_it(tmp_path):
    done = ppewatch(
        "evaluate", "detector", "--longest-side", "640", "--", "no.safetensors", tmp_path / "no.json"
    )
    assert done.code == 1
    assert "no.json" in one_line_of(done)


def test_its_own_usage_errors_are_exit_code_2():
    done = ppewatch("evaluate", "detector", "--no-such-option")
    assert done.code == 2
    assert "ppewatch evaluate detector: error:" in done.err
