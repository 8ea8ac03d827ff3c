"""``ppewatch replay``: the rules over the demo clip and over a site's camera, twice the same, beside the truth."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from command_line import Done, need_weights, one_line_of, ppewatch

from streamer.demo.site import CLIP
from streamer.replay.recording import duration_of

SITE = """\
site: {name: yard, timezone: Europe/Brussels}
cameras:
  hall:
    url: rtsp://viewer:c4n4ry-s3cret@10.0.0.1/stream
    fps: 2
    zones:
      corner: {coordinates: "0.0,0.0, 0.02,0.0, 0.02,0.02, 0.0,0.02"}
  yard: {url: rtsp://10.0.0.2/stream}
rules:
  - {name: masks in the corner, where: [hall/corner], require: [face_mask], dwell: 1s}
  - name: masks at night
    where: [hall]
    require: [face_mask]
    dwell: 1s
    schedule: {days: all, from: "22:00", to: "23:00"}
"""
#: Enough to see the faces of the demo clip.
FAST = ("--input-size", "960")

#: The person who comes in bare-faced at about 2.3 s puts the mask on at about 9.3 s.
EVENTS = {
    "duration_s": 27.3,
    "events": [
        {"gear": "face_mask", "started_at_s": 2.0, "ended_at_s": 9.5, "box": [100, 150, 640, 720]},
        {"gear": "hard_hat", "started_at_s": 1.0, "ended_at_s": 20.0},
    ],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Done, Path]]:
    """The demo clip twice, once with the messages on standard output and once in a file."""
    need_weights()
    folder = tmp_path_factory.mktemp("replay")
    truth = folder / "events.json"
    truth.write_text(json.dumps(EVENTS))
    common = ("replay", CLIP, *FAST, "--fps", "3", "--dwell", "1.5s", "--clear", "3", "--truth", truth)
    first = ppewatch(*common, "--save", folder / "first", timeout=290)
    (folder / "first.jsonl").write_text(first.out)
    second = ppewatch(*common, "--save", folder / "second", "--json", folder / "second.jsonl", timeout=290)
    return [(first, folder / "first.jsonl"), (second, folder / "second.jsonl")]


def test_the_same_clip_gives_the_same_bytes(runs):
    (first, first_lines), (second, second_lines) = runs
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first_lines.read_bytes() == second_lines.read_bytes()
    pictures = [sorted((lines.parent / lines.stem).iterdir()) for _, lines in runs]
    assert [path.name for path in pictures[0]] == [path.name for path in pictures[1]]
    assert [path.read_bytes() for path in pictures[0]] == [path.read_bytes() for path in pictures[1]]


def test_messages_are_those_of_the_wire_and_pictures_are_bound_to_them(runs):
    (_, lines), _ = runs
    messages = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert messages[0]["type"] == "new"
    by_id = {message["alert_id"]: [] for message in messages}
    for message in messages:
        by_id[message["alert_id"]].append(message["type"])
        assert message["schema"] == 1
        assert message["missing"] == ["face_mask"]
        assert message["delayed"] is False
        assert message["confirmed_at"] >= message["started_at"]
        assert set(message["models"]) == {"retinaface", "mask_state"}
        if message["snapshot"] is not None:
            picture = lines.parent / "first" / f"{message['alert_id']}.{message['seq']}.jpg"
            assert sha256(picture.read_bytes()).hexdigest() == message["snapshot"]["sha256"]
    # the recording's end ends what is open
    assert all((types[0], types[-1], types.count("new")) == ("new", "end", 1) for types in by_id.values())


def test_the_bare_face_is_alerted_after_the_dwell_and_ends_with_the_mask(runs):
    (_, lines), _ = runs
    first, *rest = [json.loads(line) for line in lines.read_text().splitlines()]
    assert "1970-01-01T00:00:02" <= first["started_at"] <= "1970-01-01T00:00:04"
    assert "1970-01-01T00:00:03" <= first["confirmed_at"] <= "1970-01-01T00:00:06"
    end = next(
        message for message in rest if message["alert_id"] == first["alert_id"] and message["type"] == "end"
    )
    assert end["end_reason"] == "worn"
    assert "1970-01-01T00:00:08.5" <= end["ended_at"] <= "1970-01-01T00:00:11"


def test_figures_beside_the_truth(runs):
    (first, lines), (second, _) = runs
    opened = sum(json.loads(line)["type"] == "new" for line in lines.read_text().splitlines())
    # with the messages in a file, standard output is for the figures, as JSON
    figures = json.loads(second.out)
    assert (figures["events"], figures["found"], figures["missed"]) == (2, 1, 1)
    assert figures["alerts"] == opened
    assert figures["false_alerts"] == opened - 1
    assert 1 < figures["time_to_alert_s"]["median"] < 4
    for run in (first, second):
        assert "of 2 events 1 found, 1 missed, time to alert: median" in run.err
        # up to the last look
        assert re.search(rf"\b27\.\d s of recording: {opened} alerts$", run.err, re.MULTILINE)


def test_zones_schedules_and_rates_of_a_site(tmp_path):
    """Nobody is in the corner, and it is not night."""
    need_weights()
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    path.chmod(0o600)
    common = ("replay", CLIP, *FAST, "--config", path, "--camera", "hall")
    by_day = ppewatch(*common, "--start", "2026-07-01T12:00:00+02:00", timeout=290)
    assert (by_day.code, by_day.out) == (0, "")
    assert by_day.err.endswith("s of recording: 0 alerts\n")
    frames = int(by_day.err.split()[0])
    assert frames == pytest.approx(27.3 * 2, abs=3)
    at_night = ppewatch(*common, "--start", "2026-07-01T20:30:00Z", timeout=290)
    assert at_night.code == 0
    new = json.loads(at_night.out.splitlines()[0])
    assert (new["camera"], new["rule"], new["site"], new["zone"]) == ("hall", "masks at night", "yard", None)
    assert new["confirmed_at"].startswith("2026-07-01T20:30:0")


# --- wrong use, without models -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--config", "site.yaml"), 2, "several cameras; say with --camera which: hall, yard"),
        (("--config", "site.yaml", "--camera", "gate"), 2, "has no 'gate'; there are hall, yard"),
        (("--config", "site.yaml", "--camera", "hall", "--dwell", "1"), 2, "--dwell belongs to SITE.yaml"),
        (("--config", "site.yaml", "--camera", "hall", "--require", "face_mask"), 2, "--require belongs"),
        (("--config", "missing.yaml"), 2, "missing.yaml: cannot be read"),
        (("--clear", "-3"), 2, "clear"),
        (("--areas", "site.yaml"), 2, "site.yaml is no list of suppression areas"),
        (("--areas", "missing.json"), 1, "missing.json: No such file"),
        (("--truth", "missing.json"), 1, "missing.json: No such file"),
        (("--truth", "site.yaml"), 1, "site.yaml: is no JSON"),
    ],
)
def test_wrong_use(tmp_path, arguments, code, said):
    (tmp_path / "site.yaml").write_text(SITE)
    done = ppewatch("replay", CLIP, *arguments, cwd=tmp_path)
    assert done.code == code
    assert said in one_line_of(done)


def test_what_will_not_alert_is_said_beforehand(tmp_path):
    (tmp_path / "site.yaml").write_text(SITE)
    done = ppewatch("replay", "missing.mp4", "--config", "site.yaml", "--camera", "hall", cwd=tmp_path)
    assert "warning: rules have a schedule: say with --start" in done.err
    done = ppewatch("replay", "missing.mp4", "--config", "site.yaml", "--camera", "yard", cwd=tmp_path)
    assert "warning: no rule watches camera yard" in done.err
    blind = SITE.replace("require: [face_mask]", "require: [hard_hat]")
    (tmp_path / "blind.yaml").write_text(blind.replace("cameras:", "models: [retinaface]\ncameras:", 1))
    done = ppewatch("replay", "missing.mp4", "--config", "blind.yaml", "--camera", "hall", cwd=tmp_path)
    assert "requires hard_hat, which " in done.err


def test_a_file_that_is_no_recording(tmp_path):
    need_weights()
    (tmp_path / "words.mp4").write_text("words")
    done = ppewatch("replay", tmp_path / "words.mp4", "--json", tmp_path / "lines.jsonl")
    assert done.code == 1
    assert "words.mp4: is no video" in one_line_of(done)


def test_how_long_a_recording_says_it_is(tmp_path):
    assert duration_of(CLIP) == pytest.approx(27.3, abs=0.5)
    (tmp_path / "words.mp4").write_text("words")
    assert duration_of(tmp_path / "words.mp4") is None
    assert duration_of(tmp_path) is None
