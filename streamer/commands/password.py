"""``ppewatch password``: the hash of a password, for ``http: {password_hash: ...}``."""

import argparse
import getpass
import sys

from streamer.commands import ExitCode, UsageError

HELP = "hash the status page's password for SITE.yaml; it is asked for, or read from standard input"

#: Guessing is bounded, not impossible.
_SHORTEST = 10
_LONGEST = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments: none, for an argument would stay in the shell's history."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Ask, hash and print."""
    del args
    from streamer.redaction import install_redaction
    from streamer.web.credentials import hash_of

    password = _asked() if sys.stdin.isatty() else sys.stdin.readline(_LONGEST + 2).rstrip("\r\n")
    install_redaction({password})
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise UsageError(f"a password has {_SHORTEST} to {_LONGEST} characters")
    print(f"password_hash: '{hash_of(password)}'")
    return ExitCode.DONE


def _asked() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UsageError("the two are not the same")
    return password
