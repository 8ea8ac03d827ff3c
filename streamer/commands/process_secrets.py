"""Keeps passwords that came with the environment, and memory, out of other programs' sight.

``${NAME}`` of a SITE.yaml reads the environment. Linux shows the environment that a process began with to every process
of its user (``/proc/PID/environ``), and each child inherits it. Once the settings are read nobody needs it there.
"""

import os
import resource
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Final

#: Fields of ``/proc/self/stat`` behind the command's name, see proc(5): ``env_start`` and ``env_end``.
_ENV_START: Final = 50 - 3


def take_secrets_from_environment(
    secrets: Iterable[str], environ: MutableMapping[str, str] = os.environ
) -> frozenset[str]:
    """Remove every variable that holds one of ``secrets``, in any of its spellings; returns their names.

    Children do not inherit them any more, and where this is Linux nobody can read them from outside.
    """
    # loaded here, for --help needs nothing of it
    from streamer.redactor import SecretRedactor

    exact = frozenset(secrets)
    redactor = SecretRedactor(exact)
    names = frozenset(name for name, value in environ.items() if value in exact or redactor.mentions(value))
    for name in names:
        del environ[name]
    if names:
        with suppress(OSError, ValueError):
            _overwrite({os.fsencode(name) for name in names})
    return names


def forbid_core_dumps() -> None:
    """Nothing of this process' memory, or its children's, is written to disk when one crashes.

    The limit is not asked where a core goes to a program (``core_pattern`` with ``|``); the filter is, and leaves out
    all memory.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")


def _overwrite(names: set[bytes]) -> None:
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    start, end = (int(number) for number in fields[_ENV_START : _ENV_START + 2])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        shown = memory.read(end - start)
        hidden = b"\0".join(_masked(entry, names) for entry in shown.split(b"\0"))
        if hidden != shown and len(hidden) == len(shown):
            memory.seek(start)
            memory.write(hidden)


def _masked(entry: bytes, names: set[bytes]) -> bytes:
    name, equals, value = entry.partition(b"=")
    return name + equals + b"*" * len(value) if equals and name in names else entry
