"""Who wants to see the looks of a camera: on a cluster nobody else's cross to the head."""

import pytest

from streamer.dialects.looks import LookDialects
from streamer.live.desk import LiveDesk
from streamer.onlookers import Onlookers
from streamer.zone_editor.recent_looks import RecentLooks


class NoPublisher:
    def publish_event(self, subtopic: str, payload: bytes, *, qos: int = 0) -> None:
        raise AssertionError("nothing was looked at")


def onlookers(*, recent: bool = False, **dialects: bool) -> Onlookers:
    return Onlookers(LiveDesk(), LookDialects(NoPublisher(), **dialects), RecentLooks() if recent else None)


def test_nobody_wants_looks_that_nobody_watches():
    assert not onlookers().want("gate")


@pytest.mark.parametrize("why", [{"deepstream": True}, {"onvif": True}, {"recent": True}])
def test_dialects_and_zones_on_trial_want_every_look(why: dict[str, bool]):
    assert onlookers(**why).want("gate")


def test_a_page_that_is_open_wants_those_of_its_cameras():
    some = onlookers()
    some.live.watch("gate")
    assert some.want("gate")
    assert not some.want("yard")
