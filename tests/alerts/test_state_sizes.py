"""Which state is taken for what breaks a connection, and for how long."""

from streamer.alerts.state_sizes import StateSizes

HEALTH, STATUS = "site/health", "site/cameras/gate/status"
LARGE, SMALL = b"x" * 50_000, b"x" * 500


def break_over(sizes: StateSizes, *states: tuple[str, bytes], most: int | None = None) -> None:
    sizes.begin(max_payload_bytes=most)
    for number, (topic, payload) in enumerate(states):
        sizes.sent(number, topic, payload)
    sizes.broken()


def test_the_largest_state_is_left_out_after_three_breaks_until_it_is_smaller():
    sizes = StateSizes()
    for _ in range(3):
        assert sizes.takes(HEALTH, LARGE)
        break_over(sizes, (STATUS, SMALL), (HEALTH, LARGE))
    assert not sizes.takes(HEALTH, LARGE)
    assert not sizes.takes(HEALTH, LARGE + b"x")
    assert sizes.takes(HEALTH, LARGE[1:])
    assert sizes.takes(STATUS, SMALL)


def test_one_that_is_taken_in_between_and_small_ones_are_above_suspicion():
    sizes = StateSizes()
    for _ in range(2):
        break_over(sizes, (HEALTH, LARGE))
    sizes.begin(max_payload_bytes=None)
    sizes.sent(1, HEALTH, LARGE)
    assert sizes.suspicious
    sizes.acknowledged(1)
    assert not sizes.suspicious
    for _ in range(2):
        break_over(sizes, (HEALTH, LARGE))
    for _ in range(9):
        break_over(sizes, (STATUS, SMALL))
    assert sizes.takes(HEALTH, LARGE)
    assert sizes.takes(STATUS, SMALL)


def test_a_suspicion_does_not_hold_for_ever():
    clock = [0.0]
    sizes = StateSizes(clock=lambda: clock[0])
    for _ in range(3):
        break_over(sizes, (HEALTH, LARGE))
    clock[0] = 3599.0
    sizes.begin(max_payload_bytes=None)
    assert not sizes.takes(HEALTH, LARGE)
    clock[0] = 3601.0
    sizes.begin(max_payload_bytes=None)
    assert sizes.takes(HEALTH, LARGE)


def test_what_a_broker_says_of_itself_is_believed(caplog):
    sizes = StateSizes()
    sizes.begin(max_payload_bytes=len(LARGE) - 1)
    assert not sizes.takes(HEALTH, LARGE)
    assert not sizes.takes(HEALTH, LARGE)
    assert len(caplog.records) == 1
    sizes.begin(max_payload_bytes=len(LARGE))
    assert sizes.takes(HEALTH, LARGE)
