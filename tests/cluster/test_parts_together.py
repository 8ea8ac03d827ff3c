"""The parts of a cluster in one process, called directly: the same classes, whatever carries the calls."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cluster_site import write_cluster_site

from config import SiteSettings, load_site
from models.pictures import ArrayPicture
from models.structures import Category, Detections
from streamer.alerts.errors import SnapshotError
from streamer.cluster.errors import PeerError
from streamer.cluster.held_frames import HeldFrames
from streamer.cluster.ingest_part import IngestPart
from streamer.cluster.peer import NearPeer
from streamer.cluster.rules_part import FarArtist, RulesPart
from streamer.cluster.sent_picture import SentPicture, cut_out
from streamer.cluster.wire import (
    Cut,
    FrameKey,
    IngestOrder,
    Moment,
    OfferReply,
    Orders,
    RulesOrder,
    SentFrame,
    SentLook,
)
from streamer.frame import Frame
from streamer.inference.batcher import Pace
from streamer.inference.results import LookTimings

IMAGE_HW = (270, 480)


@pytest.fixture
def site(tmp_path: Path, slow_clip: Path) -> SiteSettings:
    return load_site(write_cluster_site(tmp_path, {"gate": str(slow_clip)}, broker_port=1883))


class Looker:
    """What an ingest part takes for an inference part."""

    def __init__(self, *, granted_fps: float = 100.0, due_in_s: float = 0.0) -> None:
        self.frames: list[tuple[float, SentFrame]] = []
        self.pace = Pace(granted_fps, due_in_s)

    def offer(self, frames: list[SentFrame]) -> OfferReply:
        self.frames += [(time.monotonic(), frame) for frame in frames]
        return OfferReply(paces={frame.key.camera_id: self.pace for frame in frames})


def wait_until(condition, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def ingest(site: SiteSettings) -> Iterator[IngestPart]:
    part = IngestPart(site)
    yield part
    part.finish()


def test_frames_come_at_the_networks_size_and_parts_of_them_from_the_whole(ingest: IngestPart):
    looker = Looker()
    ingest.exchange(Orders({"gate": IngestOrder(1, True, 0, NearPeer(looker))}, number=1))
    wait_until(lambda: looker.frames)
    sent = looker.frames[0][1]
    assert sent.image_hw == IMAGE_HW
    assert sent.pixels.shape == (180, 320, 3), "320 pixels are what the site asks for"
    picture = SentPicture(sent.key, sent.pixels, sent.image_hw, ingest.cut)
    crop = picture.crop_rgb((-4, 10, 60, 74))
    assert crop.shape == (64, 64, 3)
    (whole,) = ingest.cut(sent.key, [Cut((0, 0, 480, 270))]) or []
    assert np.array_equal(crop, cut_out(whole, [Cut((-4, 10, 60, 74))])[0])
    assert np.array_equal(picture.crops_rgb([(-4, 10, 60, 74)])[0], crop)
    assert picture.part_rgb((0, 0, 240, 135), (60, 80)).shape == (60, 80, 3)


def test_what_the_inference_grants_slows_frames_down(ingest: IngestPart):
    looker = Looker(granted_fps=0.5, due_in_s=1.8)
    ingest.exchange(Orders({"gate": IngestOrder(1, True, 0, NearPeer(looker))}, number=1))
    wait_until(lambda: len(looker.frames) >= 3)
    apart = looker.frames[2][0] - looker.frames[1][0]
    assert apart > 1.2, "0.3 s before it is due, where the camera would give two a second"


def test_a_camera_with_other_settings_goes_on_though_its_old_connection_takes_its_time(ingest: IngestPart):
    looker = Looker()
    ingest.exchange(Orders({"gate": IngestOrder(1, True, 0, NearPeer(looker))}, number=1))
    wait_until(lambda: looker.frames)
    ingest.exchange(Orders({"gate": IngestOrder(2, True, 0, NearPeer(looker))}, number=2))
    wait_until(lambda: not any(thread.name == "let-go" for thread in threading.enumerate()))
    count = len(looker.frames)
    wait_until(lambda: len(looker.frames) > count + 2)
    ingest.exchange(Orders({}, number=1))
    assert "gate" in ingest.exchange(None).statuses, "orders that came late count for nothing"


def test_orders_that_cannot_be_obeyed_leave_the_next_ones_their_effect(
    ingest: IngestPart, tmp_path: Path, slow_clip: Path
):
    ingest.exchange(Orders({"gate": IngestOrder(1, True, 0, None)}, number=1))
    for number in (2, 3):
        with pytest.raises(KeyError):
            ingest.exchange(
                Orders(
                    {"dock": IngestOrder(1, True, 1, None), "gate": IngestOrder(2, True, 0, None)},
                    number=number,
                )
            )
    both = load_site(
        write_cluster_site(tmp_path, {"gate": str(slow_clip), "dock": str(slow_clip)}, broker_port=1883)
    )
    report = ingest.exchange(
        Orders(
            {"dock": IngestOrder(2, True, 1, None), "gate": IngestOrder(3, True, 0, None)},
            site=both,
            number=4,
        )
    )
    assert set(report.statuses) == {"gate", "dock"}


def test_a_frame_that_is_gone_is_enlarged_from_what_crossed():
    pixels = np.full((90, 160, 3), 200, np.uint8)
    picture = SentPicture(FrameKey("gate", 0, 1.0), pixels, IMAGE_HW, lambda _key, _cuts: None)
    assert picture.crop_rgb((0, 0, 30, 40)).shape == (40, 30, 3)
    assert picture.rgb((90, 160)) is not None


def test_whole_frames_are_held_for_a_bounded_time_and_number():
    now = [0.0]
    held = HeldFrames(kept_s=5, kept_frames=3, clock=lambda: now[0])
    keys = [FrameKey("gate", number, float(number)) for number in range(5)]
    for key in keys:
        held.hold(key, _frame(key))
    assert [held.get(key) is not None for key in keys] == [False, False, True, True, True]
    now[0] = 6.0
    held.sweep()
    assert all(held.get(key) is None for key in keys)


def _frame(key: FrameKey) -> Frame:
    return Frame(
        key.camera_id, key.index, None, key.captured_at, 0.0, ArrayPicture(np.zeros((*IMAGE_HW, 3), np.uint8))
    )


# -- the rules, and another part that takes over ---------------------------------------------------------


def look(number: int, at: float, category: Category | None) -> SentLook:
    """Somebody, or nobody, a fifth of a second after the look before."""
    if category is None:
        detections = Detections.empty(IMAGE_HW)
    else:
        probs = {
            Category.FACE_WITHOUT_MASK: (0.01, 0.98, 0.01),
            Category.FACE_WITH_MASK: (0.98, 0.01, 0.01),
        }[category]
        # it moves a little: what stands still is a poster
        left = 200.0 + 8 * np.sin(number / 3)
        detections = Detections(
            image_hw=IMAGE_HW,
            boxes_xyxy=np.array([[left, 60, left + 60, 135]], np.float32),
            scores=np.array([0.95], np.float32),
            class_ids=np.array([int(category)], np.int32),
            face_mask_probs=np.array([probs], np.float32),
            sharpness=np.ones(1, np.float32),
        )
    return SentLook(
        FrameKey("gate", number, at), None, Moment.of(time.monotonic()), detections, LookTimings(0, 0, 1, 0)
    )


class Feed:
    """Looks at one camera at 5 a second of its own time, which ends now: so much as is asked for."""

    def __init__(self, seconds: float) -> None:
        self.number = 0
        self.at = time.time() - seconds

    def show(self, part: RulesPart, category: Category | None, seconds: float) -> None:
        for _ in range(round(seconds * 5)):
            self.number, self.at = self.number + 1, self.at + 0.2
            part.judge([look(self.number, self.at, category)], {})
            wait_until(lambda: not len(part._results))


def told(part: RulesPart, stored: int = 0) -> list[tuple[int, str, str]]:
    report = part.exchange(None, stored, 0.5)
    return [(number, str(alert.alert.type), alert.alert.alert_id) for number, alert in report.alerts]


def test_an_alert_is_reported_until_it_is_stored_and_no_longer(site: SiteSettings):
    part = RulesPart(site)
    part.exchange(Orders({"gate": RulesOrder(1, None)}, number=1))
    Feed(30).show(part, Category.FACE_WITHOUT_MASK, 4)
    first = told(part)
    assert [kind for _, kind, _ in first] == ["new"]
    assert told(part) == first
    assert told(part, stored=first[0][0]) == []
    part.finish()
    assert [kind for _, kind, _ in told(part, stored=first[0][0])] == ["end"]


def test_an_episode_goes_on_under_its_name_in_the_part_that_takes_over(site: SiteSettings):
    feed = Feed(30)
    first = RulesPart(site)
    first.exchange(Orders({"gate": RulesOrder(1, None)}, number=1))
    feed.show(first, Category.FACE_WITHOUT_MASK, 4)
    report = first.exchange(None, 0, 0.5)
    ((_, opened),) = report.alerts
    # and now it is gone, without a word
    second = RulesPart(site)
    second.exchange(Orders({"gate": RulesOrder(1, None, state=report.states["gate"])}, number=1))
    feed.at += 3
    feed.show(second, Category.FACE_WITHOUT_MASK, 3)
    assert told(second) == [], "the same person is no new episode"
    feed.show(second, Category.FACE_WITH_MASK, 6)
    ended = [entry for entry in told(second) if entry[1] != "update"]
    assert [(kind, alert_id) for _, kind, alert_id in ended] == [("end", opened.alert.alert_id)]
    first.finish()
    second.finish()


def test_what_was_not_reported_is_told_by_the_part_that_takes_over(site: SiteSettings):
    feed = Feed(30)
    first = RulesPart(site)
    first.exchange(Orders({"gate": RulesOrder(1, None)}, number=1))
    feed.show(first, None, 1)
    # states without a message are reported once a second
    reports = []
    wait_until(lambda: reports.append(first.exchange(None, 0, 0.0)) or "gate" in reports[-1].states)
    before = reports[-1].states["gate"]
    feed.show(first, Category.FACE_WITHOUT_MASK, 4)
    second = RulesPart(site)
    second.exchange(Orders({"gate": RulesOrder(1, None, state=before)}, number=1))
    feed.show(second, Category.FACE_WITHOUT_MASK, 4)
    assert [kind for _, kind, _ in told(second)] == ["new"]
    first.finish()
    second.finish()


class Frozen:
    """A holder of frames that answers nothing in time."""

    def __init__(self) -> None:
        self.asked = 0

    def call(self, _method: str, *_args: object, timeout_s: float) -> None:
        self.asked += 1
        raise PeerError("no answer")


def test_a_holder_that_does_not_answer_one_camera_is_not_asked_for_another(site: SiteSettings):
    part, holder = RulesPart(site), Frozen()
    artists = [FarArtist(part._silent) for _ in range(6)]
    for artist in artists:
        artist.holder = holder
        with pytest.raises(SnapshotError):
            artist.snapshot(_frame(FrameKey("gate", 0, 1.0)), None, None)
    assert holder.asked == 1
    part.finish()
