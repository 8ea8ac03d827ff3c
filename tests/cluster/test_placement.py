"""Who runs where and whose each camera is."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.cluster.placement import (
    Assignment,
    CameraWish,
    Kind,
    Need,
    Node,
    Seat,
    assign,
    parts_to_start,
    wanted_counts,
)

NEEDS = {Kind.INGEST: Need(0.5), Kind.INFERENCE: Need(1.0), Kind.RULES: Need(0.2)}
LEFT_OPEN = dict.fromkeys(Kind, None)


def cameras(count: int, **common: object) -> list[CameraWish]:
    return [CameraWish(f"camera{number}", **common) for number in range(count)]


def seats_of(starts: list[tuple[Kind, str]]) -> list[Seat]:
    return [Seat(f"{kind}-{number}", kind, node) for number, (kind, node) in enumerate(starts)]


def started(nodes: list[Node], wishes: list[CameraWish], needs: dict[Kind, Need] = NEEDS) -> list[Seat]:
    return seats_of(parts_to_start(nodes, [], wanted_counts(nodes, wishes, LEFT_OPEN, needs), needs, wishes))


def test_every_machine_reads_and_looks_and_one_judges():
    nodes = [Node("a", 4), Node("b", 4), Node("c", 4)]
    seats = started(nodes, cameras(20))
    for kind in (Kind.INGEST, Kind.INFERENCE):
        assert sorted(seat.node_id for seat in seats if seat.kind is kind) == ["a", "b", "c"]
    assert sum(seat.kind is Kind.RULES for seat in seats) == 1


def test_where_there_are_gpus_they_alone_look():
    nodes = [Node("a", 16), Node("g", 8, gpus=2)]
    needs = {**NEEDS, Kind.INFERENCE: Need(1.0, gpus=1.0)}
    seats = started(nodes, cameras(4), needs)
    assert [seat.node_id for seat in seats if seat.kind is Kind.INFERENCE] == ["g", "g"]


def test_gpus_that_the_models_may_not_use_count_for_nothing():
    nodes = [Node("a", 16), Node("g", 8, gpus=2)]
    seats = started(nodes, cameras(4))
    assert sorted(seat.node_id for seat in seats if seat.kind is Kind.INFERENCE) == ["a", "g"]


def test_a_site_of_many_cameras_has_many_that_judge():
    nodes = [Node("a", 64)]
    assert wanted_counts(nodes, cameras(400), LEFT_OPEN, NEEDS)[Kind.RULES] == 7


def test_one_of_each_comes_before_a_second_of_any():
    seats = seats_of(parts_to_start([Node("a", 1.8)], [], dict.fromkeys(Kind, 5), NEEDS, cameras(2)))
    assert {seat.kind for seat in seats} == set(Kind)


def test_a_camera_is_read_on_the_machine_that_reaches_it_or_nowhere():
    nodes = [Node("a", 8), Node("b", 8, name="gatehouse")]
    wishes = [*cameras(3), CameraWish("gate", node="gatehouse"), CameraWish("yard", node="crane")]
    seats = started(nodes, wishes)
    where = {seat.part_id: seat.node_id for seat in seats}
    assigned = assign(wishes, nodes, seats, {})
    assert where[assigned["gate"].ingest or ""] == "b"
    assert assigned["yard"].ingest is None
    assert where[assigned["gate"].inference or ""] == "b", "its frames cross in that machine's memory"


def test_cameras_of_a_part_that_is_gone_go_to_the_others_and_no_other_camera_moves():
    nodes = [Node("a", 8), Node("b", 8), Node("c", 8)]
    wishes = cameras(18)
    seats = started(nodes, wishes)
    before = assign(wishes, nodes, seats, {})
    gone = next(seat for seat in seats if seat.kind is Kind.INGEST)
    after = assign(wishes, nodes, [seat for seat in seats if seat is not gone], before)
    for camera_id, whose in before.items():
        if whose.ingest == gone.part_id:
            assert after[camera_id].ingest not in (None, gone.part_id)
        else:
            assert after[camera_id].ingest == whose.ingest
        assert after[camera_id].rules == whose.rules


def test_a_machine_that_joins_gets_its_share_and_the_rules_stay():
    nodes = [Node("a", 8), Node("b", 8)]
    wishes = cameras(20)
    seats = started(nodes, wishes)
    before = assign(wishes, nodes, seats, {})
    more = [*nodes, Node("c", 8)]
    joined = [*seats, Seat("ingest-new", Kind.INGEST, "c"), Seat("inference-new", Kind.INFERENCE, "c")]
    after = assign(wishes, more, joined, before)
    assert 4 <= sum(whose.ingest == "ingest-new" for whose in after.values()) <= 8
    assert 4 <= sum(whose.inference == "inference-new" for whose in after.values()) <= 8
    assert all(after[name].rules == whose.rules for name, whose in before.items())


def test_a_second_part_that_looks_gets_half_of_the_cameras_of_its_machine():
    one = [Seat("ingest-1", Kind.INGEST, "a"), Seat("look-1", Kind.INFERENCE, "a")]
    node, wishes = [Node("a", 8)], cameras(8)
    before = assign(wishes, node, one, {})
    after = assign(wishes, node, [*one, Seat("look-2", Kind.INFERENCE, "a")], before)
    assert sum(whose.inference == "look-2" for whose in after.values()) == 4


def test_a_part_that_is_not_ready_gets_no_camera():
    seats = [Seat("i1", Kind.INFERENCE, "a", is_ready=False), Seat("r1", Kind.RULES, "a")]
    assert assign(cameras(1), [Node("a", 4)], seats, {})["camera0"] == Assignment(rules="r1")


@given(
    costs=st.lists(st.floats(0.1, 30.0), min_size=1, max_size=40),
    parts=st.integers(1, 6),
    lost=st.integers(0, 5),
    machine=st.integers(1, 3),
)
def test_everybody_has_a_place_and_what_is_settled_stays_settled(
    costs: list[float], parts: int, lost: int, machine: int
):
    nodes = [Node(str(number), 64) for number in range(parts)]
    wishes = [CameraWish(f"c{number}", cost) for number, cost in enumerate(costs)]
    seats = [
        Seat(f"{kind}{number}", kind, str(number - number % machine))
        for number in range(parts)
        for kind in Kind
    ]
    before = assign(wishes, nodes, seats, {})
    assert assign(wishes, nodes, seats, before) == before
    left = [seat for seat in seats if parts <= machine or seat.node_id != str(lost % parts)]
    after = assign(wishes, nodes, left, before)
    ids = {seat.part_id for seat in left}
    for whose in after.values():
        assert {whose.ingest, whose.inference, whose.rules} <= ids
    loads = {
        part: sum(wish.cost for wish in wishes if after[wish.camera_id].inference == part)
        for part in ids
        if part.startswith("inference")
    }
    dearest = max(costs)
    assert max(loads.values()) <= 1.3 * sum(costs) / len(loads) + dearest
