"""Files that are no usable YAML: each gets one clear error with its place."""

import time
from pathlib import Path

import pytest

from config.document import MAX_FILE_BYTES, parse_document, read_document
from config.errors import ConfigError
from config.loading import load_site
from config.nodes import Mark, SourceFloat, SourceInt


def problem(raw: bytes | str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_document(raw if isinstance(raw, bytes) else raw.encode(), "site.yaml")
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"# only a comment\n", b"---\n", b"~", b"\xef\xbb\xbf"])
def test_empty_files_are_called_empty(raw):
    assert problem(raw) == "site.yaml: is empty"


@pytest.mark.parametrize("raw", [b"- a\n- b\n", b"hello", b"42", b"true"])
def test_what_is_no_mapping_is_refused(raw):
    assert problem(raw).startswith("site.yaml:1:1: holds no mapping")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a: 1\nb: caf\xe9\n", "site.yaml:2:7: is not UTF-8"),
        ("a: é".encode("utf-16"), "site.yaml:1:1: is not UTF-8"),
        (b"a: 1\nb: \x07\n", "site.yaml:2:4: holds a control character"),
        (b"a:\n\tb: 1\n", "site.yaml:2:1: is not valid YAML: a tab; YAML indents with spaces"),
        (b"a: 1\na: 2\n", "site.yaml:2:1: a: the key is given twice, first in line 1"),
        (b"x: {a: 1, a: 2}", "site.yaml:1:11: x.a: the key is given twice, first in line 1"),
        (b"a: [1, 2", "site.yaml:1:9: is not valid YAML"),
        (b"a: 'b", "site.yaml:1:6: is not valid YAML: a quote or bracket that is never closed"),
        (b"a: b: c", "site.yaml:1:5: is not valid YAML: a ':' where none can be"),
        (b"a: 1\n---\nb: 2\n", "site.yaml:2:1: is not valid YAML: a second document"),
        (b"a: *b", "site.yaml:1:4: is not valid YAML: an alias (*name) without its anchor"),
        (b"a: @b", "site.yaml:1:4: is not valid YAML: '@' cannot start a value; put the value in quotes"),
        (b"a: !!python/object/apply:os.system [id]", "site.yaml:1:4: a: tags (!name) are not supported"),
        (b"a: !secret gate", "site.yaml:1:4: a: tags (!name) are not supported"),
        (b"? [a]\n: 1\n", "site.yaml:1:3: a key must be a single word or text"),
        (b"a: &x\n  b: *x\n", "site.yaml:1:4: an anchor that contains its own alias"),
        (b'a: "\\UFFFFFFFF"', "site.yaml: is not valid YAML: an escape"),
        (b"<<: 5", "site.yaml:1:1: '<<' takes a mapping"),
    ],
)
def test_malformed_yaml_is_located(raw, expected):
    assert problem(raw).startswith(expected)


def test_a_tab_in_the_indentation_is_named():
    assert "YAML indents with spaces" in problem("cameras:\n  gate:\n\t\turl: x\n")


def test_files_that_cannot_be_read(tmp_path: Path):
    for path, reason in (
        (tmp_path / "missing.yaml", "no such file or directory"),
        (tmp_path, "is a directory"),
        (Path("a\0b"), "not a usable path"),
    ):
        with pytest.raises(ConfigError, match=f"cannot be read: {reason}"):
            read_document(path)


def test_a_huge_file_is_refused_unparsed():
    assert "is larger than" in problem(b"a: 1\n" * (MAX_FILE_BYTES // 5 + 1))


def test_deep_nesting_is_refused():
    assert "nested" in problem("[" * 40 + "]" * 40)
    assert "nested" in problem("a: " + "[" * 20_000)


def test_an_alias_bomb_is_refused_soon():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    started = time.process_time()
    assert "add up to more than" in problem("\n".join(lines))
    assert time.process_time() - started < 5


def test_a_merge_bomb_is_refused_soon():
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 12)]
    started = time.process_time()
    assert "add up to more than" in problem("\n".join(lines))
    assert time.process_time() - started < 5


def test_scalars_follow_yaml_1_2():
    document = parse_document(
        b"a: on\nb: 06:00\nc: 0123\nd: 1.50\ne: 2026-11-21\nf: yes\ng: 0x1F\nh: .inf\ni: ~\nj: 1e400\n"
        b"k: true\nl: '12'\nm: 1_000\nn: -3\n" + b"o: " + b"9" * 5000 + b"\n",
        "site.yaml",
    )
    expected = {"a": "on", "b": "06:00", "c": 123, "d": 1.5, "e": "2026-11-21", "f": "yes", "g": "0x1F"}
    expected |= {
        "h": ".inf",
        "i": None,
        "j": "1e400",
        "k": True,
        "l": "12",
        "m": "1_000",
        "n": -3,
        "o": "9" * 5000,
    }
    assert document.data == expected
    assert isinstance(document.data["c"], SourceInt)
    assert document.data["c"].text == "0123"
    assert isinstance(document.data["d"], SourceFloat)
    assert document.data["d"].text == "1.50"


def test_keys_are_text_as_written():
    assert parse_document(b"1: a\ntrue: b\n012: c\n", "s").data == {"1": "a", "true": "b", "012": "c"}


def test_merge_keys_fill_in_and_keep_their_places():
    document = parse_document(
        b"base: &base\n  x: 1\n  y: {z: 2}\n"
        b"other: &other {x: 9, w: 4}\nuse:\n  <<: [*base, *other]\n  w: 5\n",
        "s",
    )
    assert document.data["use"] == {"x": 1, "y": {"z": 2}, "w": 5}
    assert document.values["use", "y", "z"] == Mark(3, 10)
    assert document.keys["use", "w"] == Mark(7, 3)
    assert document.values["use", "w"] == Mark(7, 6)


def test_windows_files_are_read():
    assert parse_document(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "s").data == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "text",
    [
        "password: *CANARY",
        "password: &CANARY &CANARY x",
        "password: !CANARY x",
        "password: !CANARY!foo x",
        "password: [CANARY",
        "password: {CANARY",
        "password: 'CANARY",
        "password: @CANARY",
        "password: %CANARY",
        "password: a: CANARY",
        'password: "CANARY\\q"',
        "password: |CANARY",
        "%YAML CANARY\n---\na: b",
        "%TAG CANARY\n---\na: b",
        "password: ]CANARY",
        "password: <<CANARY: *CANARY",
    ],
)
def test_syntax_errors_do_not_quote_the_text(text):
    assert "CANARY" not in problem(text)


@pytest.mark.parametrize("text", ['site: {name: "\\ud83d"}\n', '"\\udc00": 1\n', 'a: ["x\\ud800y"]\n'])
def test_halves_of_characters_are_refused(text):
    # such a text can be neither logged, nor published, nor hashed
    with pytest.raises(ConfigError, match="half of a character"):
        parse_document(text.encode(), "site.yaml")


def test_a_key_does_not_steer_the_terminal_that_shows_its_problem(tmp_path):
    path = tmp_path / "site.yaml"
    path.write_text('"fps\\e[2J\u202e": 5\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_site(path, {})
    assert "fps\\x1b[2J\\u202e: unknown key" in str(caught.value)
    assert all(line.isprintable() for line in str(caught.value).split("\n"))


@pytest.mark.parametrize("piece", ["[", "{", "[{", "- ", "? ", "a: [", "[a, ", "&a [", "? [", "'x': {"])
def test_nesting_takes_no_time(piece):
    began = time.process_time()
    problem("a: " + piece * 20_000)
    problem("\n".join(" " * depth + piece for depth in range(400)))
    assert time.process_time() - began < 10
