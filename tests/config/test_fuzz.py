"""Whatever stands in a file: settings or ``ConfigError``, and never a secret in the message."""

from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config import ConfigError, ConfigProblem, SiteSettings, config_revision
from config.document import parse_document
from config.loading import settings_of

CANARY = "s3cr3t-CANARY"
ENVIRON = {"HOME": "/home/me", "PW": CANARY}

SITE = f"""\
site: {{name: yard, timezone: Europe/Brussels}}
fps: 5
mqtt: {{host: 127.0.0.1, user: a, password: ${{PW}}}}
cameras:
  gate:
    url: rtsp://viewer:{CANARY}@10.0.10.10:554/stream
    priority: normal
    zones:
      apron: {{coordinates: "0.03,0.30, 0.97,0.30, 0.97,0.99, 0.03,0.99", anchor: feet}}
    privacy: {{blur: bystanders, polygons: []}}
  dock:
    url: http://10.0.10.11/video?user=a&pwd={CANARY}
    user: viewer
    password: {CANARY}
rules:
  - name: hard hats
    where: [gate/apron]
    require: [hard_hat]
    dwell: 2s
    schedule: {{days: mon-fri, from: "06:00", to: "18:00"}}
"""
LINES = SITE.splitlines(keepends=True)
HARMLESS = [index for index, line in enumerate(LINES) if CANARY not in line]

#: Pieces that mean something to YAML or to the settings, so that random texts reach deep.
PIECES = st.sampled_from(
    [
        "site:",
        "name:",
        "cameras:",
        "rules:",
        "url:",
        "zones:",
        "&a",
        "*a",
        "<<:",
        "- ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "'",
        '"',
        "|",
        ">",
        "!!",
        "!",
        "%",
        "@",
        "`",
        "#",
        "---",
        "...",
        "~",
        "on",
        "06:00",
        "0x",
        "1e999",
        "${PW}",
        "${",
        "}",
        "file:",
        "credential:",
        "é",
        "\x00",
        "\x85",
        "\ud7ff",
        "😀",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | PIECES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | PIECES, inner, max_size=3)
    ),
    max_leaves=6,
)
#: Keys of the settings, to change one anywhere.
PATHS = [
    ("site",), ("site", "name"), ("site", "timezone"), ("fps",), ("mqtt",), ("mqtt", "port"),
    ("mqtt", "tls"), ("mqtt", "protocol"), ("mqtt", "topic_prefix"), ("cameras",), ("cameras", "gate"),
    ("cameras", "gate", "url"), ("cameras", "gate", "zones"), ("cameras", "gate", "zones", "apron"),
    ("cameras", "gate", "models"), ("cameras", "gate", "zones", "apron", "coordinates"),
    ("cameras", "gate", "privacy", "polygons"), ("cameras", "gate", "input_size"),
    ("cameras", "dock", "user"), ("rules",), ("rules", 0), ("rules", 0, "where"),
    ("rules", 0, "require"), ("rules", 0, "schedule"), ("rules", 0, "schedule", "days"),
    ("rules", 0, "dwell"), ("rules", 0, "schedule", "from"), ("rules", 0, "allow"), ("http",),
    ("http", "listen"), ("state_dir",), ("snapshots", "bytes"), ("retention",), ("inference", "device"),
    ("privacy",), ("motion",), ("decode",),
]  # fmt: skip


def check(load: Callable[[], SiteSettings]) -> None:
    """Anything but settings or ``ConfigError`` fails, and so does a text that tells the secret."""
    problems: tuple[ConfigProblem, ...] = ()
    site = None
    try:
        site = load()
    except ConfigError as error:
        problems = error.problems
    if site is None:
        assert problems
        assert CANARY not in "".join(map(str, problems))
        assert all("\n" not in problem.message for problem in problems)
    else:
        assert CANARY not in repr(site)
        assert CANARY not in site.model_dump_json()
        assert config_revision(site).startswith("sha256:")


def check_text(text: str | bytes) -> None:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    check(lambda: settings_of(parse_document(raw, "site.yaml"), Path("/etc/ppewatch"), ENVIRON))


def test_the_unchanged_site_loads():
    site = settings_of(parse_document(SITE.encode(), "site.yaml"), Path("/"), ENVIRON)
    assert site.secrets() == {CANARY}


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_bytes(raw):
    check_text(raw)


@given(st.text(max_size=200) | st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_texts(text):
    check_text(text)


@given(st.sampled_from(HARMLESS), st.integers(0, 80), st.text(max_size=6) | PIECES, st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_a_site_with_a_changed_line(index, column, piece, removed):
    line = LINES[index]
    changed = line[:column] + piece + line[column + removed :]
    check_text("".join((*LINES[:index], changed, *LINES[index + 1 :])))


@given(st.sampled_from(PATHS), VALUES)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_site_with_a_changed_value(path, value):
    document = parse_document(SITE.encode(), "site.yaml")
    here = document.data
    for part in path[:-1]:
        here = here.setdefault(part, {}) if isinstance(here, dict) else here[part]
    here[path[-1]] = value
    check(lambda: settings_of(document, Path("/etc/ppewatch"), ENVIRON))


@given(st.sampled_from([line for line in LINES if CANARY in line]), st.integers(0, 3))
@settings(deadline=None)
def test_a_secret_at_the_wrong_depth(line, depth):
    index = LINES.index(line)
    check_text("".join((*LINES[:index], "  " * depth + line.lstrip(), *LINES[index + 1 :])))
