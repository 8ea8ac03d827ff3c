import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.quantities import DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (2, 2),
        (0.5, 0.5),
        ("2", 2),
        ("2s", 2),
        ("500ms", 0.5),
        ("5m", 300),
        ("5min", 300),
        ("1h", 3600),
        ("30d", 2592000),
        ("1.5 h", 5400),
        (" 3s ", 3),
    ],
)
def test_durations(written, seconds):
    assert parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (1000, 1000),
        ("200kB", 200000),
        ("200KB", 200000),
        ("2GB", 2 * 10**9),
        ("1GiB", 2**30),
        ("64 MiB", 2**26),
        ("10", 10),
        ("1.5MB", 1500000),
        ("7B", 7),
    ],
)
def test_sizes(written, count):
    assert parse_size(written) == count


@pytest.mark.parametrize(
    "written", ["", "s", "5 weeks", "1h30m", "-2s", "2S", "1e3", "٣s", "2 s s", None, [], True]
)
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match="should be a duration such as 2s, 500ms"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["", "kB", "2 boxes", "2gb", "-1MB", None, {}, False])
def test_what_is_no_size_is_refused(written):
    with pytest.raises(ValueError, match="should be a size such as 200kB"):
        parse_size(written)


@given(st.text(max_size=12) | st.from_regex(DURATION_PATTERN, fullmatch=True))
@settings(deadline=None)
def test_the_published_pattern_accepts_what_the_parser_accepts(text):
    try:
        parse_duration(text)
    except ValueError:
        assert not re.fullmatch(DURATION_PATTERN, text, re.ASCII)
    else:
        assert re.fullmatch(DURATION_PATTERN, text.strip(), re.ASCII)


@given(st.integers(0, 10**9), st.sampled_from(["", "B", "kB", "MB", "GiB"]))
@settings(deadline=None)
def test_sizes_are_exact_for_whole_numbers(number, unit):
    text = f"{number}{unit}"
    assert re.fullmatch(SIZE_PATTERN, text)
    assert parse_size(text) == number * {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GiB": 2**30}[unit]
