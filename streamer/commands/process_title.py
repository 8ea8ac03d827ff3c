"""Keeps passwords out of the process list.

Whoever may log in to a machine can read every process' arguments (``ps``, ``/proc/PID/cmdline``). Linux shows the
very bytes at the bottom of the process' stack, so overwriting them there hides them from then on.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_OPTION: Final = re.compile(rb"--(?:[a-z]+-)*password")
#: ``${NAME}``, ``file:`` and ``credential:`` tell where a password is, not what it is.
_REFERENCE: Final = re.compile(rb"\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+|credential:.+", re.DOTALL)
_USER_INFO: Final = re.compile(rb"(?<=://)[^\0]*(?=@)")
_QUERY_VALUE: Final = re.compile(rb"(?<==)[^&;#\0]+")

#: Fields of ``/proc/self/stat`` behind the command's name, see proc(5): ``arg_start`` and ``arg_end``.
_ARG_START: Final = 48 - 3


def hide_passwords_in_process_title() -> bool:
    """Overwrite passwords in this process' arguments as others see them; False where that cannot be done.

    ``sys.argv`` keeps what was given.
    """
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        start, end = (int(number) for number in fields.split()[_ARG_START : _ARG_START + 2])
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start)
            shown = memory.read(end - start)
            hidden = b"\0".join(without_passwords(shown.split(b"\0")))
            if hidden != shown and len(hidden) == len(shown):
                memory.seek(start)
                memory.write(hidden)
    except (OSError, ValueError):
        # no Linux, or one that forbids it
        return False
    return True


def without_passwords(arguments: Sequence[bytes]) -> list[bytes]:
    """``arguments`` with passwords, user information of URLs and values of their queries as asterisks.

    Each argument keeps its length. References (``${NAME}``, ``file:``, ``credential:``) stay.
    """
    hidden = []
    previous = b""
    for argument in arguments:
        name, equals, value = argument.partition(b"=")
        if _OPTION.fullmatch(previous):
            hidden.append(_masked(argument))
        elif equals and _OPTION.fullmatch(name):
            hidden.append(name + equals + _masked(value))
        else:
            hidden.append(_without_url_secrets(argument))
        previous = argument
    return hidden


def _without_url_secrets(argument: bytes) -> bytes:
    if b"://" not in argument:
        return argument
    argument = _USER_INFO.sub(lambda match: b"*" * len(match[0]), argument)
    address, mark, query = argument.partition(b"?")
    return address + mark + _QUERY_VALUE.sub(lambda match: b"*" * len(match[0]), query)


def _masked(value: bytes) -> bytes:
    return value if _REFERENCE.fullmatch(value) else b"*" * len(value)
