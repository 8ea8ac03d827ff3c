"""What this machine tells about itself: proposals for the first answers."""

import os
import re
import socket
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from config.suggestions import did_you_mean

_LOCALTIME: Final = Path("/etc/localtime")
_TIMEZONE: Final = Path("/etc/timezone")


def local_timezone(localtime: Path = _LOCALTIME, timezone: Path = _TIMEZONE) -> str:
    """The IANA name of this machine's time zone, ``UTC`` where it cannot be told."""
    named = [os.environ.get("TZ", "").removeprefix(":")]
    # a symbolic link into the zone database, which is what systemd, Debian and Fedora make of it
    named.append(str(localtime.resolve()).rpartition("zoneinfo/")[2])
    try:
        named.append(timezone.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        named.append("")
    return next((name for name in named if is_timezone(name) and name not in {"Etc/UTC", "Etc/UCT"}), "UTC")


def is_timezone(name: str) -> bool:
    """Whether ``name`` is an IANA time zone."""
    if not name or name.startswith("/"):
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def local_name() -> str:
    """This machine's name as a site's."""
    return (
        re.sub(r"[^a-z0-9]+", "-", socket.gethostname().partition(".")[0].lower()).strip("-")[:40] or "site"
    )


def readable_file(text: str) -> str:
    """The absolute path of a file that can be read. Raises ``ValueError``."""
    path = Path(text).expanduser().absolute()
    if not path.is_file() or not os.access(path, os.R_OK):
        raise ValueError(f"{path}: is no file that can be read")
    return str(path)


def checked_timezone(text: str) -> str:
    """An IANA time zone. Raises ``ValueError``."""
    if not is_timezone(text):
        hint = did_you_mean(text, available_timezones())
        raise ValueError(f"no IANA time zone such as Europe/Brussels or UTC{hint}")
    return text
