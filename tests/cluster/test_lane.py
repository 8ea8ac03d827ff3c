"""The short way between parts of one machine: what crosses, what does not, and what happens without it."""

import errno
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.structures import Category, Detections
from streamer.cluster import lane_codec as codec
from streamer.cluster.errors import LaneError, PeerError
from streamer.cluster.lane import Lane, Lanes, LaneServer
from streamer.cluster.ray_crew import RayPeer
from streamer.cluster.wire import (
    Cut,
    FrameKey,
    LaneAddress,
    LookReply,
    Moment,
    OfferReply,
    SentFrame,
    SentLook,
    this_machine,
)
from streamer.inference.batcher import Pace
from streamer.inference.results import LookTimings

KEY = FrameKey("gate", 7, 1700000000.25)


class Part:
    """Answers as parts do."""

    def __init__(self) -> None:
        self.offered: list[SentFrame] = []
        self.judged: list[tuple[list[SentLook], dict[str, str]]] = []
        self.open = threading.Event()
        self.open.set()

    def offer(self, frames: list[SentFrame]) -> OfferReply:
        self.open.wait(10)
        self.offered += frames
        return OfferReply(
            paces=MappingProxyType({"gate": Pace(2.5, 0.125)}), attention={"gate": True}, strangers=("yard",)
        )

    def cut(self, key: FrameKey, cuts: list[Cut]) -> list[Any] | None:
        if key != KEY:
            return None
        if not cuts:
            raise ValueError("nothing to cut")
        return [np.full((2, 3, 3), cut.box_xyxy[0] % 256, np.uint8) for cut in cuts]

    def judge(self, looks: list[SentLook], digests: dict[str, str]) -> LookReply:
        self.judged.append((looks, digests))
        return LookReply(attention={"gate": False}, heads={"gate": {-1: (1.0, np.float32(2.0), 3.0, 4.0)}})

    def snapshot(self) -> bytes:
        raise AssertionError("is not called this way")


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
def server(part: Part) -> Iterator[LaneServer]:
    running = LaneServer(part)
    yield running
    running.close()


@pytest.fixture
def lane(server: LaneServer) -> Iterator[Lane]:
    way = Lane(server.address)
    yield way
    way.close()


def sent_frame(height: int = 360) -> SentFrame:
    pixels = np.random.default_rng(1).integers(0, 256, (height, 640, 3), np.uint8)
    return SentFrame(KEY, None, Moment.of(time.monotonic()), (1080, 1920), pixels)


def sent_look() -> SentLook:
    detections = Detections(
        image_hw=(1080, 1920),
        boxes_xyxy=np.array([[1, 2, 30, 40]], np.float32),
        scores=np.array([0.75], np.float32),
        class_ids=np.array([int(Category.FACE_WITH_MASK)], np.int32),
        input_scale=1 / 3,
        face_mask_probs=np.array([[0.7, 0.2, 0.1]], np.float32),
        seg_masks=np.zeros((1, 28, 28), np.float32),
    )
    return SentLook(
        KEY, 1.5, Moment.of(time.monotonic()), detections, LookTimings(0.1, 0.2, 1, time.monotonic())
    )


def test_frames_cross_to_the_bit(lane: Lane, part: Part):
    frame = sent_frame()
    reply = lane.call("offer", ([frame, sent_frame(1280)],), 5.0)
    assert reply == OfferReply(
        paces={"gate": Pace(2.5, 0.125)}, attention={"gate": True}, strangers=("yard",)
    )
    assert np.array_equal(part.offered[0].pixels, frame.pixels)
    assert (part.offered[0].key, part.offered[0].received) == (frame.key, frame.received)
    assert part.offered[1].pixels.shape == (1280, 640, 3)


def test_looks_cross_and_are_checked_on_the_way(lane: Lane, part: Part):
    look = sent_look()
    reply = lane.call("judge", ([look], {"retinaface": "sha256:1"}), 5.0)
    assert reply.heads == {"gate": {-1: (1.0, 2.0, 3.0, 4.0)}}
    (there,), digests = part.judged[0]
    assert digests == {"retinaface": "sha256:1"}
    for name in ("boxes_xyxy", "scores", "class_ids", "face_mask_probs", "seg_masks"):
        assert np.array_equal(getattr(there.detections, name), getattr(look.detections, name)), name
    assert there.detections.landmarks_xy is None
    assert (there.timings, there.received, there.pts_s) == (look.timings, look.received, 1.5)


def test_crops_come_together_or_not_at_all(lane: Lane):
    crops = lane.call("cut", (KEY, [Cut((5, 0, 9, 9)), Cut((-4, 0, 9, 9), (64, 64))]), 5.0)
    assert [int(crop[0, 0, 0]) for crop in crops] == [5, 252]
    assert lane.call("cut", (FrameKey("gate", 8, 0.0), [Cut((0, 0, 1, 1))]), 5.0) is None


def test_a_failure_there_is_one_here_and_the_lane_goes_on(lane: Lane):
    with pytest.raises(PeerError, match="nothing to cut"):
        lane.call("cut", (KEY, []), 5.0)
    assert lane.call("cut", (KEY, [Cut((1, 0, 2, 2))]), 5.0) is not None


def test_a_late_answer_is_given_up_and_never_taken_for_the_next_one(lane: Lane, part: Part):
    part.open.clear()
    with pytest.raises(PeerError, match=r"no answer in 0\.2 s"):
        lane.call("offer", ([sent_frame()],), 0.2)
    part.open.set()
    assert len(lane.call("cut", (KEY, [Cut((1, 0, 2, 2))]), 5.0)) == 1


def test_many_call_at_once(lane: Lane):
    got: list[int] = []

    def call(number: int) -> None:
        for _ in range(20):
            got.append(int(lane.call("cut", (KEY, [Cut((number, 0, 9, 9))]), 5.0)[0][0, 0, 0]) - number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert got == [0] * 160


def test_a_process_without_descriptors_is_heard_again_once_it_has_some(part: Part, monkeypatch):
    refused = [OSError(errno.EMFILE, "Too many open files")] * 2
    accept = socket.socket.accept

    def accept_later(listening: socket.socket) -> Any:
        if refused:
            raise refused.pop()
        return accept(listening)

    monkeypatch.setattr(socket.socket, "accept", accept_later)
    server = LaneServer(part)
    way = Lane(server.address)
    assert len(way.call("cut", (KEY, [Cut((1, 0, 2, 2))]), 5.0)) == 1
    way.close()
    server.close()


def test_nobody_waits_for_ever_for_a_part_that_takes_no_connections():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind("\0ppewatch-test-full")
        listening.listen(0)
        way = Lane(LaneAddress(this_machine(), "ppewatch-test-full"))
        began_s = time.monotonic()
        for _ in range(4):
            with pytest.raises((PeerError, LaneError)):
                way.call("cut", (KEY, []), 0.2)
        assert time.monotonic() - began_s < 10
        assert not way.carries("cut"), "once nothing gets through, Ray is asked"


def test_only_what_every_look_needs_goes_this_way(lane: Lane):
    assert lane.carries("offer")
    assert not lane.carries("snapshot")
    with pytest.raises(LaneError, match="no call of that name"):
        codec.decode_call(codec.encode_call("snapshot", ()))


def test_another_machine_is_not_called_this_way(server: LaneServer):
    assert not Lane(LaneAddress("another machine", server.address.name)).carries("offer")


class Actor:
    """Of Ray's handles what a peer uses."""

    _actor_id = b"1"


def test_a_part_whose_socket_is_gone_is_called_the_long_way(server: LaneServer, monkeypatch):
    asked: list[str] = []
    lanes = Lanes()
    monkeypatch.setattr("streamer.cluster.ray_crew._lanes", lanes)
    peer = RayPeer(Actor(), server.address)
    monkeypatch.setattr(RayPeer, "begin", lambda _self, method, *_args: asked.append(method))
    monkeypatch.setattr("streamer.cluster.ray_crew.answer_of", lambda _ref, _timeout_s: "the long way")
    assert len(peer.call("cut", KEY, [Cut((1, 0, 2, 2))], timeout_s=60.0)) == 1
    assert asked == []
    assert peer.call("snapshot", timeout_s=60.0) == "the long way"
    server.close()
    gone = RayPeer(Actor(), LaneAddress(server.address.machine, "ppewatch-nobody"))
    assert gone.call("cut", KEY, [], timeout_s=60.0) == "the long way"
    assert asked == ["snapshot", "cut"]
    lanes.close()


def test_a_peer_is_the_same_part_whatever_the_way_to_it(server: LaneServer):
    assert RayPeer(Actor(), server.address) == RayPeer(Actor())
    assert hash(RayPeer(Actor(), server.address)) == hash(RayPeer(Actor()))


def test_ways_of_parts_that_are_long_gone_are_forgotten():
    lanes = Lanes()
    first = lanes.to(LaneAddress("here", "0"))
    assert lanes.to(LaneAddress("here", "0")) is first
    for number in range(1, 300):
        lanes.to(LaneAddress("here", str(number)))
    assert lanes.to(LaneAddress("here", "0")) is not first


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        pickle.dumps(print),
        codec.encode_call("judge", ([1],)),
        codec.encode_call("cut", ({"camera_id": "gate"}, [])),
        codec.encode_call("offer", ([{"key": ["a", 1, 2.0], "pixels": ["|O", [1], b"12345678"]}],)),
    ],
    ids=["nothing", "no MessagePack", "a pickle", "another type", "half a key", "objects"],
)
def test_what_is_no_call_is_refused(data: bytes):
    with pytest.raises(LaneError):
        codec.decode_call(data)


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_a_damaged_call_is_read_as_one_or_refused(place: int, damage: bytes):
    data = bytearray(codec.encode_call("judge", ([sent_look()], {})))
    place %= len(data)
    data[place : place + len(damage)] = damage
    try:
        method, _ = codec.decode_call(data)
    except LaneError:
        return
    assert method in codec.METHODS


def test_what_cannot_cross_says_so(lane: Lane):
    with pytest.raises(LaneError, match="object"):
        lane.call("cut", (KEY, [object()]), 5.0)
