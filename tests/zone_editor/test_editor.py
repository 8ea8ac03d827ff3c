"""Zones changed through the editor, over a real file with the daemon's own validation."""

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from judging.site_of_one import START, face
from zone_editor.edited_site import SECRETS, TEXT, WIDE, EditedSite

from config.site_edit import RuleWish, ZoneWish
from streamer.reloads import Reloads
from streamer.zone_editor.errors import BusyError, ConflictError, WrongWishError, ZoneEditError
from streamer.zone_editor.values import EditorState, Wish


@pytest.fixture
def edited(tmp_path: Path) -> EditedSite:
    return EditedSite(tmp_path / "site.yaml")


def state_of(edited: EditedSite, camera: str = "gate") -> EditorState:
    state = edited.editor.state(camera)
    assert state is not None
    return state


def widened(state: EditorState, **more: object) -> Wish:
    """The zone over the whole picture."""
    wide = replace(state.zones[0], corners=tuple((x, y) for x, y in WIDE))
    return Wish(revision=state.revision, zones=(wide,), **more)


def look_at_somebody(edited: EditedSite) -> None:
    for number in range(50):
        edited.looks.take("gate", face(number / 5), START + number / 5)


def test_the_state_tells_what_can_be_changed(edited: EditedSite) -> None:
    state = state_of(edited)
    assert [(zone.was, zone.anchor) for zone in state.zones] == [("apron", "head")]
    assert state.rules[0].rule.zones == ("apron",)
    assert (state.rules[0].rule.require, state.rules[0].rule.dwell_s) == (("face_mask",), 1.0)
    assert state.gear == ("hard_hat", "face_mask")
    assert (state.warning, state.versions) == ("", ())
    door = state_of(edited, "door")
    assert (door.zones, door.rules[0].elsewhere) == ((), ("gate/apron",))
    assert edited.editor.state("none") is None
    assert not any(secret in repr(state) for secret in SECRETS.values())


def test_a_trial_tells_alerts_and_writes_nothing(edited: EditedSite) -> None:
    wish = widened(state_of(edited))
    with pytest.raises(ZoneEditError, match="nothing was seen"):
        edited.editor.try_out("gate", wish)
    look_at_somebody(edited)
    report = edited.editor.try_out("gate", wish)
    assert [alert.zone for alert in report.alerts] == ["apron"]
    assert (report.present, report.looks, report.notes) == ((), 50, ())
    assert (report.since, report.until) == (START, START + 9.8)
    assert edited.text == TEXT
    assert (edited.reloads, edited.versions) == (0, [])


def test_a_trial_says_what_it_cannot_tell(edited: EditedSite) -> None:
    look_at_somebody(edited)
    state = state_of(edited)
    hats = RuleWish(
        was=None,
        name="hats",
        require=("hard_hat",),
        dwell_s=1.0,
        clear_s=1.0,
        cooldown_s=0.0,
        severity="alert",
        alert_per="person",
        allow_incorrect=False,
        enabled=True,
        whole_picture=True,
        zones=(),
    )
    (note,) = edited.editor.try_out("gate", widened(state, rules=(hats,))).notes
    assert "rule “hats”: this camera was not looked at for hard hats" in note
    # a rule that holds at other hours
    edited.path.write_text(TEXT.replace("cooldown: 0s", 'schedule: {days: mon, from: "00:00", to: "00:01"}'))
    edited.site = replace_site(edited)
    (note,) = edited.editor.try_out("gate", widened(state_of(edited))).notes
    assert "does not hold at this time (mon 00:00-00:01)" in note


def replace_site(edited: EditedSite):
    from config import load_site  # noqa: PLC0415

    return load_site(edited.path, edited.environ)


def test_saving_writes_reloads_and_can_be_taken_back(edited: EditedSite) -> None:
    report = edited.editor.save("gate", widened(state_of(edited)))
    assert (report.in_force, report.error) == (True, "")
    assert report.changes == ("camera gate: zone apron changed",)
    assert edited.text == TEXT.replace('"0.0,0.0, 0.1,0.0, 0.1,0.1, 0.0,0.1"', '"0,0, 1,0, 1,1, 0,1"')
    assert edited.site.cameras["gate"].zones["apron"].polygon_xy == tuple((x, y) for x, y in WIDE)
    assert edited.path.stat().st_mode & 0o777 == 0o640
    (version,) = state_of(edited).versions
    assert version.what == "camera gate: zone apron changed"
    assert [each.read_text() for each in edited.versions] == [TEXT]
    assert edited.versions[0].stat().st_mode & 0o777 == 0o640

    back = edited.editor.bring_back(version.version, report.revision)
    assert back is not None
    assert back.changes == ("camera gate: zone apron changed",)
    assert edited.text == TEXT
    assert edited.site.cameras["gate"].zones["apron"].polygon_xy[2] == (0.1, 0.1)
    # to take that back too
    assert len(state_of(edited).versions) == 2
    assert edited.editor.bring_back("20200101T000000.000000Z", back.revision) is None


def test_saving_what_is_there_writes_nothing(edited: EditedSite) -> None:
    inode = edited.path.stat().st_ino
    state = state_of(edited)
    report = edited.editor.save("gate", Wish(revision=state.revision, zones=state.zones))
    assert (report.changes, report.revision, report.in_force) == ((), state.revision, True)
    assert (edited.path.stat().st_ino, edited.versions) == (inode, [])


def test_a_change_by_hand_is_not_overwritten(edited: EditedSite) -> None:
    wish = widened(state_of(edited))
    edited.path.write_text(TEXT + "# by hand\n")
    for action in (edited.editor.save, edited.editor.try_out):
        with pytest.raises(ConflictError):
            action("gate", wish)
    with pytest.raises(ConflictError):
        edited.editor.save("gate", replace(wish, revision=""))
    assert edited.text == TEXT + "# by hand\n"
    assert edited.versions == []
    assert state_of(edited).warning == ""
    edited.path.write_text(TEXT.replace("fps: 2", "fps: 3"))
    assert "has been changed since the daemon read it" in state_of(edited).warning


@pytest.mark.parametrize(
    ("zone", "rule", "place"),
    [
        ({"corners": ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))}, {}, ("apron", None, "coordinates")),
        ({"corners": ((0.0, 0.0), (1.0, 1.0))}, {}, ("apron", None, "coordinates")),
        ({"corners": ((0.0, 0.0), (7.0, 0.0), (1.0, 1.0))}, {}, ("apron", None, "coordinates")),
        ({"anchor": "knee"}, {}, ("apron", None, "anchor")),
        ({"name": "no spaces"}, {}, ("no spaces", None, "name")),
        ({"name": "door"}, {"zones": ("door",)}, ("door", None, "name")),
        ({}, {"dwell_s": 9999.0}, (None, 0, "dwell")),
        ({}, {"require": ()}, (None, 0, "require")),
        ({}, {"require": ("shoes",)}, (None, 0, "require")),
        ({}, {"zones": ()}, (None, 0, "where")),
        ({}, {"zones": ("none",)}, (None, 0, "where")),
        ({}, {"name": ""}, (None, 0, "name")),
        ({}, {"severity": "loud"}, (None, 0, "severity")),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_nothing_is_written(
    edited: EditedSite, zone: dict[str, object], rule: dict[str, object], place: tuple[object, ...]
) -> None:
    state = state_of(edited)
    wish = Wish(
        revision=state.revision,
        zones=(replace(state.zones[0], **zone),),
        rules=(replace(state.rules[0].rule, **rule),),
    )
    with pytest.raises(WrongWishError) as caught:
        edited.editor.save("gate", wish)
    (problem,) = caught.value.problems
    assert (problem.zone, problem.rule, problem.field) == place, problem
    assert edited.text == TEXT
    assert (edited.versions, edited.reloads) == ([], 0)


def test_a_file_that_is_wrong_already_is_to_be_mended_by_hand(edited: EditedSite) -> None:
    edited.path.write_text(TEXT.replace("fps: 2", "fps: gate-secret-1"))
    with pytest.raises(WrongWishError, match=r"mended by hand first: cameras\.door\.fps") as caught:
        edited.editor.state("gate")
    assert SECRETS["GATE_PASSWORD"] not in str(caught.value)


def test_a_reload_that_is_refused_is_told(edited: EditedSite) -> None:
    edited.refusal = "the models cannot be used"
    report = edited.editor.save("gate", widened(state_of(edited)))
    assert (report.in_force, report.error) == (False, "the models cannot be used")
    assert "has been changed since the daemon read it" in state_of(edited).warning


def test_one_change_at_a_time(edited: EditedSite) -> None:
    under_way, go_on = Event(), Event()
    reload = edited._reload

    def slow() -> None:
        under_way.set()
        assert go_on.wait(30)
        reload()

    edited._book._request = slow
    first = Thread(target=edited.editor.save, args=("gate", widened(state_of(edited))))
    first.start()
    try:
        assert under_way.wait(30)
        with pytest.raises(BusyError, match="try again in a moment"):
            edited.editor.save("gate", widened(state_of(edited)))
    finally:
        go_on.set()
        first.join(30)
    assert len(edited.versions) == 1


def test_a_reload_that_had_begun_before_is_not_the_answer() -> None:
    asked = Event()
    reloads = Reloads(asked.set)
    reloads.began()
    outcomes: list[object] = []
    waiting = Thread(target=lambda: outcomes.append(reloads.ask(30)))
    waiting.start()
    assert asked.wait(30)
    reloads.ended("the old file")
    reloads.began()
    reloads.ended(None)
    waiting.join(30)
    assert [getattr(outcome, "error", "?") for outcome in outcomes] == [None]
    assert reloads.ask(0.01) is None


def test_a_new_zone_is_one_of_its_camera_alone(edited: EditedSite) -> None:
    state = state_of(edited, "door")
    zone = ZoneWish(was=None, name="step", corners=tuple((x, y) for x, y in WIDE), anchor="feet")
    edited.editor.save("door", Wish(revision=state.revision, zones=(zone,)))
    assert list(edited.site.cameras["door"].zones) == ["step"]
    assert list(edited.site.cameras["gate"].zones) == ["apron"]
    assert "password: ${GATE_PASSWORD}   # not here" in edited.text
