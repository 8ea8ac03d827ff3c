"""A real systemd of its own, as PID 1 of namespaces: runs one unit with all its restrictions.

It leaves the rest of the machine alone: it sees one cgroup of its own, no unit of the machine, no generator and no
bus, and keeps its state in memory.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

_CGROUP_ROOTS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_UNSHARE = ("unshare", "--cgroup", "--pid", "--fork", "--mount", "--uts", "--ipc", "--kill-child")
_HIDDEN = (
    "/run",
    "/usr/lib/systemd/system",
    "/usr/lib/systemd/system-generators",
    "/usr/lib/systemd/system-environment-generators",
    "/etc/systemd/system",
    "/var/lib",
    "/var/cache",
    "/var/log",
)

_SETUP = """set -e
mount --make-rprivate /
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
mount -t proc proc /proc
for folder in {hidden}; do
    if [ -d $folder ]; then mount -t tmpfs -o mode=755 tmpfs $folder; fi
done
mkdir -p /run/lock /run/systemd/system
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
cp -r {folder}/units/. /etc/systemd/system/
chmod -R a+rX /etc/systemd/system
export container=other
exec {systemd} --system --unit=box.target --log-target=null --show-status=false
"""


def missing_reason() -> str | None:
    """Why no systemd can be started here, or None."""
    if os.geteuid() != 0:
        return "needs root: a systemd as PID 1 of its own namespaces"
    for program in (_systemd(), "unshare", "nsenter", "systemctl"):
        if shutil.which(program) is None:
            return f"needs {program}"
    if _cgroup_root() is None:
        return "needs a cgroup2 hierarchy that can be written to"
    own_proc = "mount --make-rprivate / && mount -t proc proc /proc"
    if subprocess.run(
        ["unshare", "--pid", "--fork", "--mount", "sh", "-c", own_proc], check=False
    ).returncode:
        return "needs to mount a /proc of its own"
    return None


class SystemdBox:
    """Starts ``unit`` (name to text of unit files) as ``user``, a system user that it makes up."""

    def __init__(self, units: dict[str, str], *, start: str, user: str) -> None:
        reason = missing_reason()
        root = _cgroup_root()
        if reason is not None or root is None:
            pytest.skip(reason or "needs cgroup2")
        self._folder = Path(tempfile.mkdtemp(prefix="systemd-box."))
        self._folder.chmod(0o755)
        self._cgroup = root / self._folder.name
        self._cgroup.mkdir()
        for name, line in (
            ("passwd", f"{user}:x:990:990::/nonexistent:/usr/sbin/nologin\n"),
            ("group", f"{user}:x:990:\n"),
        ):
            file = self._folder / name
            file.write_text(Path("/etc", name).read_text() + line)
            file.chmod(0o644)
        bare = "[Unit]\nDefaultDependencies=no\n"
        units = {
            f"{name}.target": bare for name in ("sysinit", "basic", "shutdown", "network-online")
        } | units
        units["box.target"] = f"{bare}Wants={start}\n"
        for name, text in units.items():
            file = self._folder / "units" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        script = self._folder / "setup.sh"
        script.write_text(_SETUP.format(hidden=" ".join(_HIDDEN), folder=self._folder, systemd=_systemd()))
        self.log = self._folder / "log"
        join = (
            f"echo $$ > {shlex.quote(str(self._cgroup))}/cgroup.procs; exec {' '.join(_UNSHARE)} sh {script}"
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", join], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """``systemctl show``; empty while the manager does not answer yet."""
        done = self._inside("systemctl", "show", unit, *(f"--property={name}" for name in properties))
        return dict(line.partition("=")[::2] for line in done.stdout.splitlines())

    def stop_unit(self, unit: str) -> None:
        """``systemctl stop``; returns before it has ended."""
        done = self._inside("systemctl", "stop", "--no-block", unit)
        assert done.returncode == 0, done.stderr

    def pid_outside(self, pid_inside: str) -> int:
        """The number that a process of the box has here."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                lines = status.read_text().splitlines()
                numbers = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
                if numbers[1:] == [pid_inside] and self._is_ours(int(numbers[0])):
                    return int(numbers[0])
        raise AssertionError(f"no process {pid_inside} in the box")

    def _is_ours(self, pid: int) -> bool:
        return self._cgroup.name in Path(f"/proc/{pid}/cgroup").read_text()

    def stop(self) -> None:
        """End everything in it."""
        self._process.kill()
        self._process.wait(10)
        end = time.monotonic() + 10
        while self._cgroup.exists() and time.monotonic() < end:
            for folder in sorted(self._cgroup.glob("**/"), key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            time.sleep(0.05)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        try:
            children = (
                Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            )
        except OSError:
            children = []
        if not children:
            return subprocess.CompletedProcess(command, 1, "", "")
        enter = ("nsenter", "--target", children[0], "--mount", "--pid", "--cgroup", "--uts", "--ipc")
        return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=30, check=False)


def _systemd() -> str:
    return next(
        (path for path in ("/lib/systemd/systemd", "/usr/lib/systemd/systemd") if Path(path).exists()),
        "systemd",
    )


def _cgroup_root() -> Path | None:
    for root in _CGROUP_ROOTS:
        if (root / "cgroup.controllers").exists() and os.access(root, os.W_OK):
            return root
    return None
