"""What all commands share: help, usage, exit codes, errors in words, no secrets, quiet endings."""

import argparse
import fcntl
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from command_line import CANARY, COMMAND, ROOT, environment, one_line_of, ppewatch, started

from streamer import cli
from streamer.commands import CommandError, ExitCode, UsageError, explain
from streamer.commands.options import number, whole_number
from streamer.commands.process_title import without_passwords
from streamer.redaction import uninstall_redaction

SITE = """\
site: {name: yard}
cameras: {gate: {url: "rtsp://10.0.0.1/stream"}}
"""

#: Prints the modules that must not be loaded for --help.
HELP_OF_ALL = """
import contextlib, io, sys
from streamer.cli import COMMANDS, main
for words in (("--help",), *((name, "--help") for name in COMMANDS), ("weights", "verify", "--help")):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        try:
            main(words)
        except SystemExit as end:
            assert end.code == 0, words
    assert shown.getvalue().startswith("usage: ppewatch"), words
heavy = {"tensorflow", "keras", "cv2", "av", "numpy", "pydantic", "paho", "scipy"} & set(sys.modules)
print(sorted(heavy))
"""


def test_help_of_every_command_works_and_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    # whoever asks for help should not wait for libraries
    assert done.stdout.strip() == "[]"


#: Prints how many threads there are after work that OpenBLAS and OpenCV would share out.
PRODUCT = """
import os
from streamer.cli import main
main(("check", "nothing-there.yaml"))
import cv2, numpy
numpy.ones((800, 800)) @ numpy.ones((800, 800))
cv2.GaussianBlur(numpy.ones((2000, 2000), numpy.uint8), (0, 0), 3)
print(cv2.getNumThreads(), len(os.listdir("/proc/self/task")))
"""


def test_no_threads_of_openblas_and_opencv_spin_beside_the_networks():
    asked = {name: value for name, value in environment().items() if "THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT], capture_output=True, text=True, env=asked, check=False
    )
    assert done.stdout.strip() == "1 1", done.stderr


def test_the_version_is_that_of_the_distribution():
    done = ppewatch("--version")
    assert done.code == 0
    assert done.out.startswith("ppewatch ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "COMMAND"),
        (("chekc", "site.yaml"), "invalid choice: 'chekc'"),
        (("check",), "SITE.yaml"),
        (("check", "a.yaml", "b.yaml"), "1 arguments too many, beginning with 'b.yaml'"),
        (("check", "a.yaml", "--jsn"), "there is no option --jsn (see ppewatch check --help)"),
        (("data", "stats", "a.json", "--jsn"), "there is no option --jsn (see ppewatch data stats --help)"),
        # abbreviations would make --pass a second spelling of --password
        (("probe", "x", "--pass", CANARY), "there is no option --pass "),
        (("detect", "x", "--min-score", "2"), "'2' should be a number at least 0, at most 1"),
        (("detect", "x", "--min-score", "nan"), "'nan' should be a number"),
        (("detect", "x", "--every", "0"), "'0' should be a whole number from 1"),
        (("detect", "x", "--input-size", "650"), "a multiple of 32"),
        (("detect", "x", "--tiles", "2by2"), "'2by2' should be columns and rows"),
        (("replay", "x", "--tiles", "5x5"), "at most 16 tiles"),
        (("bench", "tiles"), "--data"),
        (("detect", "x", "--weights", "retinaface"), "NETWORK=FILE"),
        (("detect", "x", "--splash"), "--out"),
        (("replay", "x", "--start", "yesterday"), "no ISO 8601 time"),
        (("replay", "x", "--start", "2026-01-01T00:00"), "no time zone"),
        (("replay", "x", "--fps", "0"), "at least 0.1"),
        (("replay", "x", "--require", "shoes"), "'shoes'"),
        (("replay", "x", "--camera", "gate"), "--config"),
        (("replay", "x", "--start", "9999-12-31T23:59-10:00"), "not in the years 1970 to 9998"),
        (("replay", "x", "--dwell", "soon"), "ppewatch replay: --dwell: should be a duration"),
        (("detect", "x", "--json", "."), "--json: . is a folder"),
        (("data", "erase", "--before", "0001-01-01"), "not in the years 1970 to 9998"),
        (("listen", "--port", "70000"), "from 1 to 65535"),
        (("explain", "../../etc"), "no alert id"),
        (("probe", "ftp://host/x"), "ftp"),
        (("probe", "rtsp://"), "host"),
        (("probe", "x", "--seconds", "-1"), "above 0"),
        (("probe", "x", "--picture", "x.txt"), ".jpg"),
        (("probe", "x", "--password", "${NOT_SET_ANYWHERE}"), "NOT_SET_ANYWHERE is not set"),
        (("train", "shoes"), "'shoes'"),
        (("weights", "import", "retinaface", "a.pth", "--out", "b.h5"), ".safetensors"),
    ],
)
def test_wrong_usage_is_told_in_one_line_and_is_exit_code_2(tmp_path, arguments, said):
    done = ppewatch(*arguments, cwd=tmp_path)
    assert done.code == 2, done
    assert said in one_line_of(done)
    assert CANARY not in done.said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("detect", "missing.jpg"), "missing.jpg: no such file or folder"),
        (("replay", "missing.mp4"), "missing.mp4: no such file or folder"),
        (("explain", "01JD0000000000000000000001", "--state-dir", "."), "holds no outbox"),
        (("listen", "--port", "1"), "127.0.0.1:1: nothing listens there"),
        (("weights", "list", "missing"), "missing: is no folder"),
        (("probe", f"rtsp://viewer:{CANARY}@127.0.0.1:1/s"), "127.0.0.1:1"),
    ],
)
def test_what_fails_is_told_in_one_line_and_is_exit_code_1(tmp_path, arguments, said):
    done = ppewatch(*arguments, cwd=tmp_path)
    assert done.code == 1, done
    assert said in one_line_of(done)
    assert CANARY not in done.said


def test_a_secret_among_too_many_arguments_is_not_shown():
    done = ppewatch("check", "a.yaml", f"rtsp://viewer:{CANARY}@10.0.0.1/s")
    assert done.code == 2
    assert CANARY not in done.said
    done = ppewatch("listen", "--passwrd", CANARY, "--host", "x")
    assert CANARY not in done.said


def test_debug_shows_the_traceback_without_secrets_and_keeps_the_exit_code(tmp_path):
    address = f"rtsp://viewer:{CANARY}@127.0.0.1:1/s"
    for arguments in (("probe", address, "--debug"), ("--debug", "probe", address)):
        done = ppewatch(*arguments)
        assert done.code == 1
        assert "Traceback" in done.err
        assert CANARY not in done.said
    for arguments in (("data", "stats", "no.json", "--debug"), ("data", "--debug", "stats", "no.json")):
        assert "Traceback" in ppewatch(*arguments, cwd=tmp_path).err, arguments
    (tmp_path / "site.yaml").write_text("site: {name: yard}\nnonsense: 1\n")
    assert ppewatch("--debug", "check", tmp_path / "site.yaml").code == 2


# --- errors inside commands, in this process ---------------------------------------------------------


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Makes ``ppewatch explain`` raise an error of the test's choice."""
    for name in cli._NATIVE_SETTINGS:
        monkeypatch.setenv(name, os.environ.get(name, ""))

    def fail(error: BaseException) -> None:
        def run(_args: argparse.Namespace) -> int:
            raise error

        monkeypatch.setattr(explain, "run", run)

    yield fail
    uninstall_redaction()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("not so"), 2, "ppewatch explain: not so"),
        (CommandError("no such thing"), 1, "ppewatch explain: no such thing"),
        (OSError(28, "No space left on device", "/var/x"), 1, "/var/x: No space left on device"),
        (ConnectionResetError(104, "Connection reset by peer"), 1, "Connection reset by peer"),
        # a pipe that broke elsewhere than at our standard output
        (BrokenPipeError(32, "Broken pipe"), 1, "Broken pipe"),
        (CommandError(f"cannot open rtsp://u:{CANARY}@h/"), 1, "rtsp://***@h/"),
        (KeyError("gate"), 1, "internal error: KeyError: 'gate' (tests/commands/test_cli.py:"),
        (RuntimeError(f"password={CANARY}"), 1, "internal error: RuntimeError: password=***"),
    ],
)
def test_an_error_of_any_kind_becomes_words(failing, capsys, error, code, said):
    failing(error)
    assert cli.main(["explain", "01JD"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert "Traceback" not in shown.err
    assert CANARY not in shown.err
    assert len(shown.err.splitlines()) <= 2
    assert ("--debug" in shown.err) is ("internal error" in shown.err)


def test_ctrl_c_ends_quietly(failing, capsys):
    failing(KeyboardInterrupt())
    assert cli.main(["explain", "01JD"]) == ExitCode.FAILED
    assert capsys.readouterr() == ("", "")


# --- processes ---------------------------------------------------------------------------------------


def test_a_reader_that_leaves_is_no_error(tmp_path):
    """As in ``ppewatch ... | head -1``."""
    (tmp_path / "site.yaml").write_text(SITE)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, "check", str(tmp_path / "site.yaml")],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux' /proc")
def test_no_password_stays_in_the_process_list(tmp_path):
    """What ``ps`` shows of a running command; a camera that never answers keeps it running."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        arguments = (
            "probe",
            f"rtsp://viewer:{CANARY}@127.0.0.1:{port}/s?token={CANARY}",
            "--password",
            CANARY,
        )
        with started(*arguments) as process:
            try:
                silent.settimeout(60)
                connection, _ = silent.accept()
                with connection:
                    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                _, said = process.communicate(timeout=60)
            finally:
                process.kill()
    assert CANARY.encode() not in shown
    assert f"@127.0.0.1:{port}/s?token=***".encode() in shown
    assert CANARY not in said
    assert "history" in said  # and it is said that there are better ways


def test_ctrl_c_in_a_process_is_quiet():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        started(
            *("probe", f"http://127.0.0.1:{silent.getsockname()[1]}/s"),
            start_new_session=True,
            # a test run in the background of a shell was started with SIGINT ignored, and hands that down
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process,
    ):
        try:
            silent.settimeout(60)
            connection, _ = silent.accept()
            with connection:
                time.sleep(0.2)
                process.send_signal(signal.SIGINT)
                # the camera still says nothing, and nobody waits for it: probe's own time limit would be told
                out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (1, "", "")


# --- parts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--password", "hunter2"], ["--password", "*******"]),
        (["--password=hunter2"], ["--password=*******"]),
        (["--password", "${CAMERA}"], ["--password", "${CAMERA}"]),
        (["--password", "file:/run/x"], ["--password", "file:/run/x"]),
        (["rtsp://u:p@h/s"], ["rtsp://***@h/s"]),
        (["rtsp://u:p@ss@h/s@x"], ["rtsp://**********@x"]),
        (["rtsp://h/s?a=1&token=xyz"], ["rtsp://h/s?a=*&token=***"]),
        (["--user", "password", "site.yaml"], ["--user", "password", "site.yaml"]),
        (["--broker-password", "abc"], ["--broker-password", "***"]),
        (
            ["--broker-password=abc", "--broker-password=${X}"],
            ["--broker-password=***", "--broker-password=${X}"],
        ),
    ],
)
def test_arguments_are_shown_without_passwords_at_the_same_length(given, shown):
    arguments = [text.encode() for text in given]
    hidden = without_passwords(arguments)
    assert hidden == [text.encode() for text in shown]
    assert [len(text) for text in hidden] == [len(text) for text in arguments]


def test_numbers_of_options_have_bounds():
    assert number(above=0)("0.5") == 0.5
    assert whole_number(least=32, most=64, multiple_of=32)("64") == 64
    for convert, text in ((number(above=0), "0"), (number(), "inf"), (whole_number(least=1, most=2), "1.5")):
        with pytest.raises(argparse.ArgumentTypeError, match=text):
            convert(text)


def test_every_command_has_a_file_and_every_file_a_command():
    helpers = {
        "__init__",
        "background",
        "capacity_options",
        "check_heads",
        "delegation",
        "drawn_gear",
        "ending",
        "options",
        "parser",
        "passwords",
        "process_secrets",
        "process_title",
        "quantising",
        "site_camera",
        "site_data",
        "site_state",
    }
    files = {path.stem for path in (ROOT / "streamer" / "commands").glob("*.py")}
    assert files - helpers == set(cli.COMMANDS)


BAR = """
import sys
from streamer.commands.options import progress_bar
with progress_bar(unit="s", total=2, mininterval=0) as bar:
    bar.update(1)
    bar.update(1)
print("after", file=sys.stderr)
"""


def test_long_work_shows_progress_in_a_terminal_and_nowhere_else():
    command = [sys.executable, "-c", BAR]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    assert done.stderr == "after\n"
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run(command, stderr=side, env=environment(), check=True)
    os.close(side)
    shown = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert "50%" in shown
    assert shown.endswith("after\r\n")
