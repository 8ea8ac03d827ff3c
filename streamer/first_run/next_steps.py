"""What to do with a SITE.yaml once it is there."""

import shlex
import shutil
import sys
from pathlib import Path

from streamer.first_run.writing import Prospect


def next_steps(written: Prospect) -> str:
    """The next commands, for a terminal."""
    path = shlex.quote(str(written.path))
    command = _command()
    secrets = [str(name) for name in written.paths[1:]]
    lines = [
        f"{written.path} is written." + (f" Its passwords: {', '.join(secrets)}" if secrets else ""),
        "",
        "Next:",
    ]
    if written.text.variables:
        env_file = shlex.quote(_sourced(written.path.parent / f"{written.path.stem}.env"))
        lines.append(f"  set -a; . {env_file}; set +a")
    lines += [
        f"  {command} check {path} --connect    # does everything answer, are heads large enough?",
        f"  {command} run {path}                # the daemon, in the foreground; its dashboard: http://127.0.0.1:8787",
        f"  {command} listen --config {path}    # in another terminal: alerts as a subscriber sees them",
    ]
    if written.text.zones_later:
        lines.append(
            "To draw the zones: user, password_hash and edit_zones of `http` in that file, then Zones and rules"
        )
    lines += [
        "As a service of systemd: deploy/README.md, with this file as /etc/ppewatch/site.yaml",
    ]
    if written.text.files:
        lines.append(
            "  with `password: credential:NAME`, and LoadCredential=NAME:/etc/ppewatch/credentials/NAME, for each"
        )
    if written.text.variables:
        lines.append(
            f"  and EnvironmentFile=/etc/ppewatch/{written.path.stem}.env, readable by root alone, in its unit"
        )
    return "\n".join(lines)


def _command() -> str:
    """How this program was called, where a shell would not find it by its name."""
    called = Path(sys.argv[0])
    if called.name == "ppewatch" and shutil.which("ppewatch") is None:
        return shlex.quote(str(called))
    return "ppewatch"


def _sourced(path: Path) -> str:
    # a shell looks for a bare name in its PATH
    return str(path) if "/" in str(path) else f"./{path}"
