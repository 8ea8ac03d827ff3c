"""What the web server's library repeats is said once in a while, with its number."""

import logging

from streamer.web.server_log import RepeatFilter


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("uvicorn.error", logging.WARNING, __file__, 1, message, None, None)


def test_a_flood_becomes_a_line_a_minute_with_a_count() -> None:
    now = [0.0]
    repeats = RepeatFilter(clock=lambda: now[0])
    passed = []
    for second in range(130):
        now[0] = float(second)
        for _ in range(3):
            line = record("Invalid HTTP request received.")
            if repeats.filter(line):
                passed.append(line.getMessage())
    assert passed == [
        "Invalid HTTP request received.",
        "Invalid HTTP request received. (179 more since the last such line)",
        "Invalid HTTP request received. (179 more since the last such line)",
    ]
    assert repeats.filter(record("another"))


def test_made_up_messages_take_bounded_memory() -> None:
    repeats = RepeatFilter(clock=lambda: 0.0)
    for number in range(5000):
        assert repeats.filter(record(f"message {number}"))
    assert len(repeats._seen) <= 100
