"""The ``ppewatch`` command: arguments, logging and errors as people and scripts expect them."""

import argparse
import contextlib
import importlib
import importlib.metadata
import logging
import os
import select
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from streamer.commands import ExitCode
from streamer.commands.parser import CommandParser
from streamer.commands.process_secrets import forbid_core_dumps
from streamer.commands.process_title import hide_passwords_in_process_title
from streamer.process_end import run_to_the_end

COMMANDS: Final = (
    "init",
    "run",
    "demo",
    "check",
    "probe",
    "detect",
    "replay",
    "listen",
    "explain",
    "report",
    "password",
    "suppressions",
    "data",
    "train",
    "evaluate",
    "weights",
    "bench",
    "plan",
    "simulate",
    "fleet",
    "soak",
)

#: Libraries that tell every packet when everything is logged.
_CHATTY_LIBRARIES: Final = ("asyncio", "transitions", "amqtt", "h5py", "matplotlib", "PIL")

#: Read by native libraries when they are loaded, which is after this: TensorFlow and OpenCV speak of errors only,
#: and OpenCV refuses a picture that claims more pixels than any camera gives before it takes memory for it. numpy's
#: products and OpenCV's pictures are all small here, and their threads wait for the next one by spinning.
_NATIVE_SETTINGS: Final = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OPENCV_LOG_LEVEL": "ERROR",
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(200_000_000),
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}

_ROOT: Final = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration.

    ``--help``, ``--version`` and arguments that do not parse raise ``SystemExit`` as usual.
    """
    if argv is None:
        hide_passwords_in_process_title()
        forbid_core_dumps()
    args = _parser().parse(argv)
    try:
        _start_logging(args)
        command = importlib.import_module(f"streamer.commands.{args.command}")
        code = int(command.run(args))
        # here and not at the interpreter's end, where nobody could tell that the reader has gone
        sys.stdout.flush()
    except KeyboardInterrupt:
        return ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - the last place where an error becomes words
        if isinstance(error, BrokenPipeError) and _stdout_is_gone():
            return ExitCode.DONE
        return _report(error, args)
    return code


def run() -> NoReturn:
    """Run one command as this process, and end it: what ``ppewatch`` on a command line is."""
    run_to_the_end(main)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="ppewatch",
        description="Says, with evidence, who is without the protective equipment that a zone requires.",
    )
    parser.add_argument("--version", action="version", version=f"ppewatch {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"streamer.commands.{name}")
        module.add_arguments(commands.add_parser(name, help=module.HELP, description=module.HELP))
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("ppewatch")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _start_logging(args: argparse.Namespace) -> None:
    """Log to standard error; under systemd without our own time, which the journal adds."""
    under_systemd = "JOURNAL_STREAM" in os.environ
    layout = (
        "%(levelname)s %(name)s: %(message)s"
        if under_systemd
        else "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    usual = logging.INFO if args.command in {"run", "demo"} else logging.WARNING
    logging.basicConfig(level=logging.DEBUG if args.debug else usual, format=layout)
    for name in _CHATTY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name, value in _NATIVE_SETTINGS.items():
        os.environ.setdefault(name, value)
    # loaded here, for --help needs none of it
    from streamer.redaction import install_redaction

    # before any configuration is read nothing is known to be secret, but URLs are cleaned already
    install_redaction()


def _stdout_is_gone() -> bool:
    """Whether the reader of our output has left (``| head``); if so, what is left to print goes nowhere."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return False
    poller = select.poll()
    poller.register(descriptor, 0)
    gone = any(event & (select.POLLERR | select.POLLHUP) for _, event in poller.poll(0))
    if gone:
        # what is still buffered would be complained about at the interpreter's end
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return gone


def _report(error: Exception, args: argparse.Namespace) -> ExitCode:
    """Say on standard error what went wrong, without any secret, and return the exit code."""
    from config.errors import ConfigError
    from streamer.redaction import redact

    code = _exit_code(error)
    if args.debug:
        text = traceback.format_exc().rstrip()
    elif isinstance(error, ConfigError):
        # FILE:LINE:COLUMN first in each line, as editors and terminals know it from compilers
        text = str(error)
    elif code is None:
        text = (
            f"ppewatch {args.command}: internal error: {type(error).__name__}: {_first_line(error)}"
            f" ({_place(error)})\nrun it again with --debug for the traceback, and please report it"
        )
    else:
        text = f"ppewatch {args.command}: {_words(error)}"
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    print(redact(text), file=sys.stderr)
    return ExitCode.FAILED if code is None else code


def _exit_code(error: Exception) -> ExitCode | None:
    """The exit code of an error that is meant for the user, or None for a defect of ours."""
    from config.errors import ConfigError
    from models.errors import ModelError
    from streamer.commands import UsageError
    from streamer.errors import StreamerError

    if isinstance(error, ConfigError | UsageError):
        return ExitCode.WRONG_USAGE
    if isinstance(error, ModelError | StreamerError | OSError):
        return ExitCode.FAILED
    return None


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _place(error: Exception) -> str:
    """File and line of the innermost frame that is ours; the innermost of all when there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_ROOT) and _is_ours(frame)]
    frame = (ours or list(frames))[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(_ROOT) if ours else path.name}:{frame.lineno}"


def _is_ours(frame: traceback.FrameSummary) -> bool:
    # a virtual environment may lie below the checkout, and the checkout below a virtual environment
    return "site-packages" not in Path(frame.filename).relative_to(_ROOT).parts


if __name__ == "__main__":
    run()
