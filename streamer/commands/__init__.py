"""The commands, one file each: ``HELP``, ``add_arguments(parser)`` and ``run(args) -> exit code``.

A command's file imports what it needs inside ``run``, so that ``ppewatch --help`` answers at once and a command
that reads no picture never loads a model.
"""

from enum import IntEnum

from streamer.errors import StreamerError


class ExitCode(IntEnum):
    """What the shell learns. ``docs/reason-codes.md`` says what to do."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    #: the daemon ended by itself: a part of it hung or broke for good. A fresh process may do better
    GAVE_UP = 3


class CommandError(StreamerError):
    """A command could not do what was asked."""


class UsageError(StreamerError):
    """Arguments that parse but do not go together, or name what is not there."""
