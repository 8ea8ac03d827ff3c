"""Real Ray nodes on 127.0.0.1, each as on a machine of its own: processes, an object store, resources."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]

_READY_WITHIN_S = 150.0


def missing_reason() -> str | None:
    """Why no nodes can be started here, or None."""
    return None if importlib.util.find_spec("ray") else "needs Ray (the extra `cluster`)"


class RayNodes:
    """A head and the nodes that joined it; a context manager that ends them all.

    The environment has Ray on the loopback alone, and its processes as willing as any other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Ray's sockets lie below it, and the path of a socket is 107 bytes at most
        self._temp = Path(tempfile.mkdtemp(prefix="ray"))
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.address = ""
        self.environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
            "RAY_raylet_start_wait_time_s": "120",
            "RAY_AUTH_MODE": "disabled",
        }

    def __enter__(self) -> "RayNodes":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._nodes):
            self.kill(name)
        shutil.rmtree(self._temp, ignore_errors=True)

    def start(self, name: str, *, cores: int = 4, store_mb: int = 200) -> None:
        """Start a node; the first is the head. Waits until it has joined."""
        log = self._folder / f"ray-{name}.log"
        code = (
            "import json, sys, time, ray\n"
            "from ray._private import node, parameter, services\n"
            "given = json.loads(sys.argv[1])\n"
            "head = given.pop('head')\n"
            "params = parameter.RayParams(**given)\n"
            "params.update_if_absent(min_worker_port=0, max_worker_port=0, include_dashboard=False)\n"
            "made = node.Node(params, head=head, shutdown_at_exit=True, spawn_reaper=True)\n"
            "print('joined', made.gcs_address, made.unique_id if hasattr(made, 'unique_id') else '', flush=True)\n"
            "time.sleep(1e9)\n"
        )
        given = {
            "head": not self.address,
            "num_cpus": cores,
            "num_gpus": 0,
            "object_store_memory": store_mb * 1_000_000,
            "labels": {"ppewatch-node": name},
            "node_ip_address": "127.0.0.1",
            "dashboard_agent_listen_port": 0,
            "temp_dir": str(self._temp),
        }
        if self.address:
            given |= {"gcs_address": self.address, "include_log_monitor": False, "node_manager_port": 0}
            given.pop("temp_dir")
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code, json.dumps(given)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=self.environ,
                cwd=ROOT,
                start_new_session=True,
            )
        self._nodes[name] = process
        end = time.monotonic() + _READY_WITHIN_S
        while "joined " not in (said := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"node {name} did not start:\n{said[-3000:]}")
            time.sleep(0.1)
        self.address = self.address or said.split("joined ", 1)[1].split()[0]

    def freeze(self, name: str) -> None:
        """Let every process of a node stand still, its connections open: a machine without power says no goodbye."""
        for pid in self.pids(name):
            _signal(pid, signal.SIGSTOP)

    def kill(self, name: str) -> None:
        """End every process of a node, whatever it does."""
        pids = self.pids(name)
        for pid in pids:
            _signal(pid, signal.SIGKILL)
        self._nodes.pop(name).wait(20)

    def pids(self, name: str) -> list[int]:
        """The node's process, and all that descend from it."""
        return family_of(self._nodes[name].pid)


def family_of(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    children = _children()
    for member in found:
        found += children.get(member, [])
    return found


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(int(stat.parent.name))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
