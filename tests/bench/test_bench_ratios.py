"""Which ratios moved, and what ``ppewatch bench --compare`` and ``--store`` make of it."""

import json

import pytest

from streamer.bench import ratios, rules
from streamer.bench.figures import spread
from streamer.bench.ratios import Measured, Verdict, compare, ratios_in, read_ratios, store_ratios
from streamer.cli import main


def _measured(*runs: float) -> Measured:
    return Measured(**spread(runs, digits=4))


def _verdicts(stored, now):
    return {one.name: one.verdict for one in compare(stored, now)}


@pytest.mark.parametrize(
    ("stored", "now", "verdict"),
    [
        ((1.0, 1.1, 1.2), (1.05, 1.15, 1.3), Verdict.WITHIN),
        ((1.0, 1.1, 1.2), (1.3, 1.4, 1.5), Verdict.WORSE),
        ((1.0, 1.1, 1.2), (0.8, 0.85, 0.9), Verdict.BETTER),
        # ranges that overlap, but not up to a median
        ((1.0, 1.1, 1.3), (1.2, 1.4, 1.5), Verdict.WORSE),
        # a wide run that covers the stored median says nothing
        ((1.0, 1.1, 1.2), (0.9, 1.4, 1.5), Verdict.WITHIN),
        # without any spread: hundredths are nothing, tenths are
        ((1.0,), (1.01,), Verdict.WITHIN),
        ((1.0,), (1.1,), Verdict.WORSE),
    ],
)
def test_a_ratio_has_moved_when_neither_median_is_in_the_others_range(stored, now, verdict):
    assert _verdicts({"decode.ratio_x": _measured(*stored)}, {"decode.ratio_x": _measured(*now)}) == {
        "decode.ratio_x": verdict
    }


def test_more_looks_are_better_and_fewer_worse():
    name, low, high = "throughput.ratio_looks", _measured(0.8, 0.81), _measured(0.95, 0.96)
    assert _verdicts({name: low}, {name: high}) == {name: Verdict.BETTER}
    assert _verdicts({name: high}, {name: low}) == {name: Verdict.WORSE}


def test_what_is_new_and_what_is_missing_is_told():
    one = _measured(1.0)
    assert _verdicts({"a": one, "gone": one}, {"a": one, "added": one}) == {
        "a": Verdict.WITHIN,
        "added": Verdict.NEW,
        "gone": Verdict.MISSING,
    }


def test_ratios_are_the_figures_that_are_called_so():
    figures = {"clip": "x", "ms": spread([1.0], digits=1), "ratio_a": spread([1.0, 2.0], digits=1)}
    assert ratios_in("decode", figures) == {"decode.ratio_a": Measured(1.5, 1.0, 2.0, 2)}


def test_the_stored_range_covers_all_calls_up_to_the_last_five(tmp_path):
    path = tmp_path / "ratios.json"
    for value in (9.0, 1.0, 1.1, 1.2, 1.3, 1.4):
        store_ratios(path, {"a": _measured(value, value + 0.01)})
    machine, stored = read_ratios(path)
    assert machine == ratios.this_machine()
    assert stored["a"] == Measured(pytest.approx(1.205), 1.0, 1.41, 10)


def test_what_another_machine_stored_is_not_mixed_with_ours(tmp_path, monkeypatch):
    path = tmp_path / "ratios.json"
    monkeypatch.setattr(ratios, "this_machine", lambda: "abacus, 10 cores")
    store_ratios(path, {"a": _measured(7.0)})
    monkeypatch.undo()
    store_ratios(path, {"b": _measured(1.0)})
    assert read_ratios(path) == (ratios.this_machine(), {"b": _measured(1.0)})


@pytest.mark.parametrize(
    "text", ["", "[]", '{"machine": "x"}', '{"machine": "x", "ratios": {"a": {"calls": []}}}']
)
def test_a_file_that_holds_no_ratios_is_refused(tmp_path, text):
    path = tmp_path / "ratios.json"
    path.write_text(text)
    with pytest.raises(ratios.RatiosFileError, match=r"ratios\.json"):
        read_ratios(path)


@pytest.fixture
def rules_cost(monkeypatch):
    """Say what ``bench rules`` will measure."""

    def say(*runs: float) -> None:
        monkeypatch.setattr(rules, "measure_rules", lambda: {"ratio_40_persons": spread(runs, digits=3)})

    return say


def test_the_command_fails_when_something_is_worse_and_says_what(rules_cost, tmp_path, capsys):
    path = str(tmp_path / "ratios.json")
    rules_cost(2.0, 2.1, 2.2)
    assert main(["bench", "rules", "--store", path]) == 0
    assert main(["bench", "rules", "--compare", path]) == 0
    assert "within its spread" in capsys.readouterr().out
    rules_cost(3.0, 3.1, 3.2)
    assert main(["bench", "rules", "--compare", path]) == 1
    told = capsys.readouterr()
    assert "rules.ratio_40_persons" in told.err
    assert "WORSE" in told.out
    rules_cost(1.0, 1.1)
    assert main(["bench", "rules", "--compare", path]) == 0
    assert "better" in capsys.readouterr().out


def test_on_another_machine_a_move_is_shown_but_no_failure(rules_cost, tmp_path, capsys, monkeypatch):
    path = tmp_path / "ratios.json"
    rules_cost(2.0)
    assert main(["bench", "rules", "--store", str(path)]) == 0
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"machine": "abacus, 10 cores"}))
    rules_cost(3.0)
    assert main(["bench", "rules", "--compare", str(path)]) == 0
    told = capsys.readouterr().out
    assert "abacus, 10 cores" in told
    assert "WORSE" in told


def test_json_stays_json_beside_a_comparison(rules_cost, tmp_path, capsys):
    path = str(tmp_path / "ratios.json")
    rules_cost(2.0)
    assert main(["bench", "rules", "--json", "--store", path]) == 0
    assert main(["bench", "rules", "--json", "--compare", path]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert json.loads(line)["rules"]["ratio_40_persons"]["median"] == 2.0
