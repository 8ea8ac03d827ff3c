"""The ``ppewatch`` command: arguments, logging and errors as people and scripts expect them."""

import argparse
import importlib
import importlib.metadata
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from streamer.commands import ExitCode, UsageError

COMMANDS: Final = (
    "run",
    "demo",
    "check",
    "probe",
    "detect",
    "replay",
    "listen",
    "explain",
    "train",
    "evaluate",
    "weights",
    "bench",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 wrong usage or configuration."""
    args = _parser().parse_args(argv)
    _start_logging(args)
    command = importlib.import_module(f"streamer.commands.{args.command}")
    try:
        return int(command.run(args))
    except KeyboardInterrupt:
        return ExitCode.FAILED
    except BrokenPipeError:
        # the reader of our output has gone (`| head`); nothing is wrong, and nothing more can be printed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception as error:
        if args.debug:
            raise
        code = _exit_code(error)
        if code is None:
            raise
        print(f"ppewatch {args.command}: {error}", file=sys.stderr)
        return code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="log in detail and show tracebacks")
    parser = argparse.ArgumentParser(
        prog="ppewatch",
        description="Says, with evidence, who is without the protective equipment that a zone requires.",
    )
    parser.add_argument("--version", action="version", version=f"ppewatch {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"streamer.commands.{name}")
        module.add_arguments(
            commands.add_parser(name, parents=[common], help=module.HELP, description=module.HELP)
        )
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
    chatty = args.command in {"run", "demo"} or args.debug
    logging.basicConfig(
        level=logging.DEBUG if args.debug else logging.INFO if chatty else logging.WARNING, format=layout
    )
    # libraries that tell every packet at these levels
    for name in ("asyncio", "transitions", "amqtt", "h5py", "matplotlib", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _install_redaction()


def _install_redaction() -> None:
    # Before any configuration is read nothing is known to be secret, but URLs are already cleaned.
    from streamer.redaction import install_redaction

    install_redaction(frozenset())


def _exit_code(error: Exception) -> ExitCode | None:
    """The exit code of an error that is meant for the user, or None for a defect of ours."""
    from config.errors import ConfigError
    from models.errors import ModelError
    from streamer.errors import StreamerError

    if isinstance(error, ConfigError):
        return ExitCode.WRONG_USAGE
    if isinstance(error, UsageError):
        return ExitCode.WRONG_USAGE
    if isinstance(error, ModelError | StreamerError | OSError):
        return ExitCode.FAILED
    return None


if __name__ == "__main__":
    sys.exit(main())
