"""Rules tried on past looks say what the daemon's own engine said when they came."""

import pytest
from judging.site_of_one import START, camera_judge, face, frame

from models.structures import Gear
from rules import Anchor, CameraEngine, Rule, Zone
from streamer.zone_editor.recent_looks import RecentLooks
from streamer.zone_editor.trial import alerts_of


def walked(seconds: float = 12.0, bare_until: float = 6.0) -> RecentLooks:
    """Somebody without a mask, who puts one on."""
    looks = RecentLooks()
    for number in range(round(seconds * 5)):
        at_s = number / 5
        looks.take("gate", face(at_s, bare=at_s < bare_until), START + at_s)
    return looks


def engine(*, dwell_s: float = 1.0, zone: Zone | None = None) -> CameraEngine:
    places = (None,) if zone is None else (zone.name,)
    return CameraEngine(
        "gate",
        zones=[] if zone is None else [zone],
        rules=[Rule("masks", (Gear.FACE_MASK,), places, dwell_s=dwell_s, clear_s=1.0, cooldown_s=0.0)],
        timezone="UTC",
    )


def test_it_says_what_was_said_when_the_looks_came() -> None:
    judge = camera_judge()
    told = []
    for number in range(60):
        at_s = number / 5
        told += [each.alert for each in judge.look(frame(at_s), face(at_s, bare=at_s < 6))]
    new, end = (next(alert for alert in told if alert.type == kind) for kind in ("new", "end"))
    (tried,) = alerts_of(engine(), walked().of("gate"))
    assert (tried.at, tried.started_at, tried.ended_at) == (new.confirmed_at, new.started_at, end.ended_at)
    assert (tried.rule, tried.missing, tried.track_id) == ("masks", ("face_mask",), new.track_id)
    height, width = new.image_hw
    for relative, pixels, size in zip(tried.box_xyxy, new.box_xyxy, (width, height) * 2, strict=True):
        assert relative * size == pytest.approx(pixels)


def test_the_time_and_the_place_of_a_rule_decide() -> None:
    looks = walked().of("gate")
    assert alerts_of(engine(dwell_s=30.0), looks) == ()
    # heads are at a third of the height, from 0.35 of the width on to the right
    here = Zone("here", ((0.3, 0.2), (0.9, 0.2), (0.9, 0.6), (0.3, 0.6)), Anchor.HEAD)
    (alert,) = alerts_of(engine(zone=here), looks)
    assert alert.zone == "here"
    below = Zone("below", ((0.3, 0.6), (0.9, 0.6), (0.9, 0.7), (0.3, 0.7)), Anchor.HEAD)
    assert alerts_of(engine(zone=below), looks) == ()


def test_who_is_there_at_the_end_is_still_going_on() -> None:
    (alert,) = alerts_of(engine(), walked(seconds=4.0).of("gate"))
    assert alert.ended_at is None
    assert alerts_of(engine(), ()) == ()
