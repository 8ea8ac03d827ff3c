"""No secret reaches what people read. The canary is one that nobody told us of unless a test says so."""

import base64
import json
import logging
import subprocess
import sys
import textwrap
import threading
import time
import urllib.parse
import warnings
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.redaction import (
    RedactingFormatter,
    SecretRedactor,
    install_redaction,
    redact,
    uninstall_redaction,
)

CANARY = "CANARY7pw"


@pytest.mark.parametrize(
    "text",
    [
        # what stays in clear with the two expressions of a well-known recorder
        f"rtsp://site.viewer:{CANARY}@10.0.0.1/s",
        f"rtsp://user@corp:{CANARY}@10.0.0.1/s",
        f"rtsp://:{CANARY}@10.0.0.1/s",
        f"http://10.0.0.1/video.cgi?username=a&pwd={CANARY}",
        f"http://10.0.0.1/video.cgi?username=a&pwd=b&password={CANARY}&token=d",
        f"http://10.0.0.1/video.cgi?username=a&pwd=b&password=c&token={CANARY}",
        f"http://10.0.0.1/v?loginuse=admin&loginpas={CANARY}",
        # odd user information
        f"rtsp://viewer:{CANARY}@h",
        f"rtsps://viewer:p@{CANARY}@h/s",
        f"rtsp://viewer:p/{CANARY}@h/s",
        f"rtsp://viewer:p?{CANARY}@h/s",
        f"rtsp://viewer:p#{CANARY}@h/s",
        f"rtsp://viewer:12/{CANARY}@h/s",
        f"rtsp://viewer:a {CANARY}@h/s failed",
        f"rtsp://viewer:a'{CANARY}@h/s",
        f"rtsp://viewer:{CANARY}",
        f"http://{CANARY}@h/s",
        f"mqtts://u:{CANARY}@broker:8883",
        f"RTSP://viewer:{CANARY}@[fe80::1]:554/s",
        f"'rtsp://v:{CANARY}@a','rtsp://v:{CANARY}@b'",
        f"rtsp://v:{CANARY}@a,rtsp://v:{CANARY}@b",
        f'{{"url": "rtsp:\\/\\/v:{CANARY}@h\\/s"}}',
        f"proxy?url=rtsp%3A%2F%2Fv%3A{CANARY}%40h%2Fs",
        f"a\nrtsp://v:{CANARY}@h/s\nb",
        f"b'rtsp://v:{CANARY}@h/s'",
        # not in a URL
        f"Authorization: Basic {base64.b64encode(f'viewer:{CANARY}'.encode()).decode()}",
        f'authorization: Digest username="viewer", response="{CANARY}"',
        f"'Authorization': 'Bearer {CANARY}'",
        f"sent Basic {base64.b64encode(f'v:{CANARY}'.encode()).decode()} to the camera",
        f"Bearer eyJhbGciOiJIUzI1NiJ9.{CANARY}",
        f"MQTT_PASSWORD={CANARY} ppewatch run",
        f"connect(host='h', password='{CANARY}')",
        f'{{"user": "a", "password": "{CANARY}"}}',
        f"{{'api_key': b'{CANARY}'}}",
        f'password: "a \\" {CANARY}"',
        f"    password: {CANARY}\n",
        f"--mqtt-password={CANARY}",
    ],
)
def test_secrets_that_nobody_told_us_of(text):
    clean = SecretRedactor().redact(text)
    assert CANARY not in clean
    assert base64.b64encode(CANARY.encode()).decode()[:6] not in clean
    assert "***" in clean
    assert SecretRedactor().redact(clean) == clean


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://10.0.0.1:554/stream: connection refused",
        "see http://127.0.0.1:8787/, or https://example.com/@name.",
        "GET http://h:80: refused; mail me@example.com",
        "rtsp://[fe80::1]:554/s?channel=1&size=hd",
        "cameras.gate.password: the environment variable GATE_PASSWORD is not set",
        "password='***', CameraSettings(password=SecretStr('**********'))",
        "Basic settings are fine, the bearer of this message too",
        "camera gate: 5 fps, key frame every 2 s, token ring",
        "mqtt://broker:1883, file:///var/lib/ppewatch/outbox.db",
        "",
    ],
)
def test_what_is_no_secret_stays(text):
    assert SecretRedactor().redact(text) == text


def test_hosts_and_paths_stay_readable():
    assert redact("cannot open rtsp://v:pw@10.0.0.1:554/s?a=b: timed out") == (
        "cannot open rtsp://***@10.0.0.1:554/s?a=b: timed out"
    )
    assert redact("http://h/v?user=me&pwd=x&size=hd") == "http://h/v?user=***&pwd=***&size=hd"


SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=24)
FORMS = {
    "as is": str,
    "quote": urllib.parse.quote,
    "quote all": lambda s: urllib.parse.quote(s, safe=""),
    "quote lower": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()) if not s.isascii() else s,
    "quote_plus": urllib.parse.quote_plus,
    "json": json.dumps,
    "json unicode": lambda s: json.dumps(s, ensure_ascii=False),
    "repr": repr,
    "repr of bytes": lambda s: repr(s.encode()),
    "dict": lambda s: repr({"x": s}),
}


@given(SECRETS, st.sampled_from(sorted(FORMS)), st.text(max_size=10), st.text(max_size=10))
@example("p'\"w\\", "repr", "", "")
@example("b***", "as is", "b", "")
@example("pä/ß", "quote lower", "", "")
@settings(deadline=None)
def test_known_secrets_are_hidden_in_every_form(secret, form, before, after):
    redactor = SecretRedactor([secret])
    written = FORMS[form](secret)
    clean = redactor.redact(f"{before}{written}{after}")
    assert secret not in clean
    core = written.strip("'\"")
    if form not in {"dict", "repr of bytes"} and len(core) >= 4:
        assert core not in clean


@given(
    SECRETS,
    st.text(max_size=9),
    st.text(max_size=9),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
@settings(deadline=None)
def test_known_secrets_are_hidden_in_base64_wherever_they_begin(secret, before, after, encode):
    raw = secret.encode()
    encoded = encode(before.encode("utf-8", "replace") + raw + after.encode("utf-8", "replace")).decode()
    clean = SecretRedactor([secret]).redact(f"got {encoded}.")
    if len(raw) * 8 // 6 >= 9:
        assert encoded not in clean
        assert "***" in clean


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), st.text(max_size=40))
@settings(deadline=None)
def test_short_secrets_do_not_shred_text(secret, text):
    assert SecretRedactor([secret]).redact(text) == SecretRedactor().redact(text)


@pytest.mark.parametrize("text", ["rtsp://u:{}@h/s", "http://h/?pwd={}", "password={}", '"password": "{}"'])
def test_short_secrets_are_hidden_where_a_secret_stands(text):
    assert "ab" not in SecretRedactor(["ab"]).redact(text.format("ab")).replace("password", "")


USER_INFO = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>"), min_size=1, max_size=20
)


@given(
    USER_INFO,
    USER_INFO,
    st.sampled_from(["", "camera "]),
    st.sampled_from(["/s", ":554/s", "/s failed: timeout", ""]),
)
@settings(deadline=None)
def test_user_information_is_hidden_whatever_is_in_it(user, password, before, after):
    marked = f"{password}CANARY7pw"
    clean = SecretRedactor().redact(f"{before}rtsp://{user}:{marked}@10.0.0.1{after}")
    assert "CANARY7pw" not in clean


@given(st.text())
@settings(deadline=None)
def test_any_text_is_taken(text):
    redactor = SecretRedactor(["secret-1", "pässwörd"])
    assert isinstance(redactor.redact(text), str)


@given(st.text(max_size=60))
@settings(deadline=None)
def test_known_secrets_never_come_back(text):
    redactor = SecretRedactor(["aaaa", "a***", "abab"])
    clean = redactor.redact(text.replace("b", "a"))
    assert "aaaa" not in clean
    assert "a***" not in clean


@pytest.mark.parametrize(
    "text",
    [
        "://" * 30000,
        "a://" + "b" * 100000,
        "password" * 20000,
        "x" * 200000,
        "basic " * 30000,
        "%3A%2F%2F" * 10000,
        "rtsp://u:p@" * 10000,
        "authorization: " * 10000,
        "?pwd" * 40000,
        '"' * 100000,
        "password='" * 20000,
        "a." * 50000,
        "token\\" * 30000,
        "bearer " * 30000,
    ],
    ids=lambda text: text[:12],
)
def test_hostile_texts_take_no_long(text):
    started = time.process_time()
    SecretRedactor(["secret"]).redact(text)
    assert time.process_time() - started < 3


def test_secrets_add_up_and_do_not_show():
    redactor = SecretRedactor(["first-secret"])
    redactor.add(["second-secret", ""])
    assert redactor.redact("first-secret second-secret") == "*** ***"
    assert repr(redactor) == "SecretRedactor(2 secrets)"


def test_of_two_secrets_that_begin_alike_the_longer_is_hidden_whole():
    redactor = SecretRedactor(["abcd", 'abcd"efgh'])
    assert redactor.redact('abcd"efgh abcd') == "*** ***"
    assert redactor.redact("abcd%22efgh") == "***"
    assert redactor.redact(json.dumps({"x": 'abcd"efgh'})) == '{"x": "***"}'


def test_a_secret_of_several_lines_is_hidden_line_by_line():
    redactor = SecretRedactor(["-----BEGIN KEY-----\nMIIEvQIBADANBg\nshort\n"])
    assert "MIIEvQIBADANBg" not in redactor.redact("key: MIIEvQIBADANBg, end")


@pytest.fixture
def installed() -> Iterator[SecretRedactor]:
    """Redaction of this process, with a known secret, taken back after the test."""
    yield install_redaction([CANARY])
    uninstall_redaction()


class Listing(logging.Handler):
    """Collects what its formatter makes of records, like any library's handler."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def listing() -> Iterator[Listing]:
    """A handler on a logger that does not propagate, so that only the record itself is redacted."""
    logger = logging.getLogger("test_redaction.private")
    handler = Listing()
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)


def test_log_messages_and_arguments(installed, listing):
    logger = logging.getLogger("test_redaction.private")
    logger.info("opening %s for %r", f"rtsp://v:{CANARY}@h", {"pw": CANARY})
    logger.info(f"known {CANARY}")
    logger.info("%(url)s", {"url": f"rtsp://v:{CANARY}@h"})
    logger.info("%d wrong", CANARY)
    logger.info("too many", CANARY)  # noqa: PLE1205 - the mistake is what is tested
    logger.info("%s", "100 %")
    assert len(listing.lines) == 6
    assert CANARY not in "".join(listing.lines)
    assert "rtsp://***@h" in listing.lines[0]
    assert "wrong" in listing.lines[3]
    assert listing.lines[5] == "100 %"


def test_log_exceptions_and_stacks(installed, listing):
    logger = logging.getLogger("test_redaction.private")
    try:
        try:
            raise ValueError(f"inner {CANARY}")  # noqa: TRY301 - short is clear here
        except ValueError as inner:
            inner.add_note(f"note {CANARY}")
            raise ConnectionError(f"cannot open rtsp://v:{CANARY}@h/s") from inner
    except ConnectionError:
        logger.exception("failed", stack_info=True)
        logger.warning("again", exc_info=True)
    logger.error("none", exc_info=True)
    text = "\n".join(listing.lines)
    assert CANARY not in text
    assert text.count("ConnectionError: cannot open rtsp://***@h/s") == 2
    assert "ValueError: inner ***" in text
    assert "note ***" in text


class Custom(logging.Formatter):
    """A formatter that writes more than the message, as JSON formatters do."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {"message": record.getMessage(), "extra": vars(record).get("url"), "e": str(record.exc_info)}
        )


def test_formatters_of_the_root_logger_that_write_more_than_the_message():
    handler = Listing()
    handler.setFormatter(Custom())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        install_redaction([CANARY])
        install_redaction([])
        assert isinstance(handler.formatter, RedactingFormatter)
        assert isinstance(handler.formatter.inner, Custom)
        try:
            raise ValueError(CANARY)  # noqa: TRY301 - as above
        except ValueError:
            root.exception("x", extra={"url": f"rtsp://v:{CANARY}@h"})
        uninstall_redaction()
        assert isinstance(handler.formatter, Custom)
    finally:
        uninstall_redaction()
        root.removeHandler(handler)
    assert CANARY not in handler.lines[0]
    assert json.loads(handler.lines[0])["extra"] == "rtsp://***@h"


def test_uninstalling_puts_everything_back():
    before = (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.formatwarning)
    factory = logging.getLogRecordFactory()
    install_redaction([])
    assert sys.excepthook is not before[0]
    uninstall_redaction()
    uninstall_redaction()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.formatwarning) == before
    assert logging.getLogRecordFactory() is factory


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("raise ValueError(SECRET)", "ValueError: ***"),
        ("raise ValueError('cannot open rtsp://v:other-CANARY7@h')", "ValueError: cannot open rtsp://***@h"),
        (
            "t = threading.Thread(target=int, args=(SECRET,), name='ingest gate')\nt.start(); t.join()",
            "Exception in thread ingest gate:",
        ),
        (
            "t = threading.Thread(target=sys.exit, args=(SECRET,))\nt.start(); t.join()\n"
            "print('end', file=sys.stderr)",
            "end",
        ),
        ("warnings.warn(f'rtsp://v:{SECRET}@h is slow')", "UserWarning: rtsp://***@h is slow"),
        ("logging.basicConfig()\nlogging.captureWarnings(True)\nwarnings.warn(SECRET)", "UserWarning: ***"),
        (
            "class Source:\n    def __repr__(self): return f'<Source {SECRET}>'\n"
            "    def __del__(self): raise ValueError(SECRET)\nSource()",
            "ValueError: ***",
        ),
        ("logging.getLogger('x').error('bad %s', SECRET)", "bad ***"),
        ("logging.basicConfig()\ninstall_redaction()\nlogging.error('bad %s', SECRET)", "ERROR:root:bad ***"),
        ("asyncio.run(lose())", "Task exception was never retrieved"),
        (
            "raise ExceptionGroup(SECRET, [ValueError(SECRET), OSError(5, SECRET, '/x')])",
            "ExceptionGroup: ***",
        ),
        ("sys.stderr = None\nraise ValueError(SECRET)", ""),
    ],
)
def test_what_a_process_prints_of_its_errors(program, expected):
    """In a process of its own, since the hooks matter at its end. The secret comes by standard input."""
    head = """
        import asyncio, gc, logging, sys, threading, warnings
        from streamer.redaction import install_redaction
        SECRET = sys.stdin.read()
        install_redaction([SECRET])
        async def lose():
            async def fail():
                raise ValueError(SECRET)
            task = asyncio.ensure_future(fail())
            await asyncio.sleep(0.01)
            del task
            gc.collect()
    """
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(head) + program],
        input=CANARY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert expected in done.stderr
    assert "CANARY7" not in done.stderr + done.stdout


def test_status_reasons_pass_through_redact(installed):
    assert redact(f"401 Unauthorized for {CANARY}") == "401 Unauthorized for ***"
