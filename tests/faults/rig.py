"""A site under a fault: the real daemon process, a real broker, and a subscriber that misses nothing."""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import yaml
from faults.ledger import Row
from peers.daemon import DaemonProcess
from peers.mosquitto import Mosquitto
from peers.tcp_proxy import TcpProxy

from streamer.soak.busy_clip import busy_clip
from streamer.soak.ledger import Comparison, OutboxLedger, compare, raised_in, unstored_in
from streamer.soak.witness import Witness

PREFIX = "ppewatch/faults"
USER, WITNESS = "site", "witness"
READY_S = 180.0
#: A loaded machine is slow; nothing that takes longer than this will come.
PATIENCE_S = 120.0
#: Written at every change, so that the subscriber's session outlives a broker that is killed; nothing is held back from
#: a subscriber that is there, so that what is acknowledged to the daemon is on its way to it.
PERSISTENT = (
    "autosave_interval 1",
    "autosave_on_changes true",
    "max_queued_messages 0",
    "max_inflight_messages 0",
)
_POLL_S = 0.1


class StuckError(Exception):
    """Something that was waited for did not come."""


class FaultRig:
    """A context manager. Inside, a fault starts the daemon, injects, heals; ``finish`` makes the row.

    Several faults may share one daemon: ``row`` between them counts what came since the last one.

    - ``site``: the SITE.yaml as a mapping, to be changed before ``start_daemon`` (or ``reload_daemon``): by default
      ``cameras`` cameras that loop a recording, and rules of several dwell times, a few messages a second in all.
    - ``environ`` is added to the daemon's environment, ``module`` is what is run as ``ppewatch``.
    - ``broker``, ``witness``, ``ledger``, ``state_dir``, ``folder``; ``proxy`` after ``use_proxy``.
    - ``exit``: what is entered or called back there is undone after the daemon's end.
    - ``delivered_seq``: the last message that was in the outbox when all had been delivered.
    - ``others``: comparisons beside that of the site itself, which the row counts too.
    - ``alerts``: how many messages there should be in the end, which ``finish`` waits for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        alerts: int = 0,
        cameras: int = 2,
        broker_config: tuple[str, ...] = PERSISTENT,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.alerts = alerts
        self.state_dir = folder / "state"
        password = secrets.token_hex(8)
        users = {USER: password, WITNESS: password}
        self.broker = Mosquitto(folder, persistence=True, users=users, config=broker_config)
        self.witness = Witness(self.broker.port, PREFIX, user=WITNESS, password=password)
        self.ledger = OutboxLedger(self.state_dir)
        self.proxy: TcpProxy | None = None
        self.daemon: DaemonProcess | None = None
        self.environ = {"FAULTS_PASSWORD": password}
        self.module = "streamer.cli"
        self.exit = ExitStack()
        self.clock_is_steady = True
        self.injected = 0
        self.kills = 0
        self.others: list[Comparison] = []
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.site = self._site(cameras)
        self._log = self._says = folder / "daemon.log"
        self._began_s = time.monotonic()
        self._counted_seq = 0
        self._counted_log = 0
        self.delivered_seq = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "FaultRig":
        self.broker.start()
        self.witness.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.daemon is not None:
            self.daemon.end()
        self.exit.close()
        self.witness.stop()
        self.broker.stop()

    # -- the daemon ---------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """What the daemon has said so far, in all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return self._running().process.pid

    def start_daemon(self, *, wait: bool = True) -> None:
        """Write the site and start the daemon, unless it runs already; ``wait`` until it is ready."""
        if self.daemon is not None:
            return
        path = self.write_site()
        ready = self.log.count(" ready: ")
        self.daemon = DaemonProcess(path, self._says, environ=self.environ, module=self.module)
        if wait:
            self.wait_until(lambda: self.log.count(" ready: ") > ready, "the daemon is ready", READY_S)

    def log_through_pipe(self) -> None:
        """What the daemon says is no file of its own from its next start on: limits on files leave it alone."""
        self._says = self.folder / "daemon.pipe"
        os.mkfifo(self._says)
        # open at both ends, so that it never ends
        pipe = os.open(self._says, os.O_RDWR)
        with self._log.open("ab") as log:
            copy = subprocess.Popen(["cat"], stdin=pipe, stdout=log)
        os.close(pipe)
        self.exit.callback(copy.wait)
        self.exit.callback(copy.terminate)

    def write_site(self) -> Path:
        """Write ``site`` to where the daemon reads it."""
        path = self.folder / "site.yaml"
        path.write_text(yaml.safe_dump(self.site))
        return path

    def kill_daemon(self) -> None:
        """SIGKILL."""
        self._running().end()
        self.daemon = None
        self.kills += 1

    def stop_daemon(self) -> None:
        """SIGTERM; an exit code other than 0 is a problem of the row."""
        daemon = self._running()
        code = daemon.stop(60.0)
        self.daemon = None
        if code:
            self.problems.append(f"the daemon ended with {code}")

    def wait_ended(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until the daemon ends by itself; its exit code."""
        daemon = self._running()
        try:
            code = daemon.process.wait(timeout_s)
        except TimeoutExpired:
            raise StuckError(f"the daemon still runs after {timeout_s:.0f} s") from None
        self.daemon = None
        return code

    def reload_daemon(self) -> None:
        """Write the site anew and SIGHUP."""
        self.write_site()
        self._running().process.send_signal(signal.SIGHUP)

    # -- the broker ---------------------------------------------------------------------------------

    def use_proxy(self) -> TcpProxy:
        """Have the daemon reach the broker through a proxy; one that runs is started anew."""
        if self.proxy is None:
            running = self.daemon is not None
            if running:
                self.stop_daemon()
            self.proxy = self.exit.enter_context(TcpProxy(self.broker.port))
            self.site["mqtt"]["port"] = self.proxy.port
            if running:
                self.start_daemon()
        return self.proxy

    def forbid_daemon(self, forbidden: bool) -> None:
        """Have the broker, started anew, refuse the daemon's credentials, or take them again."""
        self.broker.stop()
        passwords = self.folder / "passwords"
        known = self.folder / "passwords.all"
        if not known.exists():
            known.write_text(passwords.read_text())
        kept = [
            line
            for line in known.read_text().splitlines()
            if not forbidden or not line.startswith(f"{USER}:")
        ]
        passwords.write_text("\n".join(kept) + "\n")
        self.broker.start()

    # -- what flows ---------------------------------------------------------------------------------

    def share(self, times: int) -> int:
        """How many messages each of ``times`` injections should see, for ``alerts`` in all."""
        return max(2, -(-self.alerts // times))

    def stored(self) -> int:
        """How many messages the outbox has taken."""
        with self._lock:
            return self.ledger.read()

    def raised(self) -> int:
        """How many messages the rules have made, stored or not."""
        return raised_in(self.log).total()

    def wait_stored(self, more: int, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the outbox has taken ``more`` messages than now."""
        wanted = self.stored() + more
        self.wait_until(lambda: self.stored() >= wanted, f"{more} more messages in the outbox", timeout_s)

    def wait_delivered(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the subscriber has everything that is in the outbox now."""
        last_seq = self.stored()
        wanted = set(self.ledger.entries)
        if not self.witness.wait_for(lambda: self.witness.has(wanted), timeout_s):
            raise StuckError(f"not everything was delivered within {timeout_s:.0f} s")
        self.delivered_seq = last_seq

    def wait_until(self, condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait for anything, while the daemon lives. Raises ``StuckError``."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            if self.daemon is not None and self.daemon.process.poll() is not None:
                raise StuckError(
                    f"the daemon ended with {self.daemon.process.returncode}: {self.log[-2000:]}"
                )
            if time.monotonic() > end_s:
                raise StuckError(f"not within {timeout_s:.0f} s: {what}")
            time.sleep(_POLL_S)

    def row(self, fault: str) -> Row:
        """The row of what the outbox has taken since the last one, while the daemon goes on.

        Waits for ``alerts`` messages and for their delivery; what is waited for in vain becomes a problem of the row,
        and what did not arrive is lost.
        """
        try:
            self._wait_for_alerts()
        except StuckError as stuck:
            self.problems.append(str(stuck))
        return self._row(fault)

    def finish(self, fault: str) -> Row:
        """The last row: the daemon is stopped before it is made, and started for that if it does not run."""
        try:
            self.start_daemon()
            self._wait_for_alerts()
            self.stop_daemon()
            self._drain()
        except StuckError as stuck:
            self.problems.append(str(stuck))
        return self._row(fault)

    def _wait_for_alerts(self) -> None:
        wanted = self._counted_seq + self.alerts
        self.wait_until(lambda: self.stored() >= wanted, f"{self.alerts} messages in all")
        self.wait_delivered()

    def _row(self, fault: str) -> Row:
        log = self.log
        self.stored()
        # what the log tells of is stored a moment later
        end_s = time.monotonic() + 5.0
        while self.daemon is not None and unstored_in(self.ledger, log) and time.monotonic() < end_s:
            time.sleep(_POLL_S)
            self.stored()
        with self._lock:
            self.ledger.read(whole=True)
        # while the daemon goes on, the newest are still on their way
        up_to_seq = self.ledger.last_seq if self.daemon is None or self.problems else self.delivered_seq
        counts = compare(
            self.ledger,
            list(self.witness.alerts),
            log=log[self._counted_log :],
            kills=self.kills,
            clock_is_steady=self.clock_is_steady,
            above_seq=self._counted_seq,
            up_to_seq=up_to_seq,
        )
        for other in self.others:
            counts += other
        if self.witness.malformed:
            self.problems.append(f"{self.witness.malformed} malformed messages")
        row = Row(
            fault,
            self.injected,
            counts,
            round(time.monotonic() - self._began_s, 1),
            tuple(self.notes),
            tuple(self.problems),
        )
        self._counted_seq, self._counted_log = up_to_seq, len(log)
        self.injected = self.kills = 0
        self.notes, self.problems, self.others = [], [], []
        self._began_s = time.monotonic()
        return row

    def _drain(self) -> None:
        """The end of the daemon makes messages too; a slow machine sends the last of them in the next life."""
        self.stored()
        if self.ledger.pending:
            self.start_daemon()
            self.wait_delivered()
            self.stop_daemon()
        self.wait_delivered(10.0)

    def _running(self) -> DaemonProcess:
        if self.daemon is None:
            raise StuckError("the daemon does not run")
        return self.daemon

    def _site(self, cameras: int) -> dict[str, Any]:
        clip = busy_clip(self.folder)
        return {
            "site": {"name": "faults"},
            "mqtt": {
                "port": self.broker.port,
                "topic_prefix": PREFIX,
                "user": USER,
                "password": "${FAULTS_PASSWORD}",
                "keepalive": 5,
                "stats_interval": 5,
            },
            "http": {"enabled": False},
            "state_dir": str(self.state_dir),
            "cameras": {
                f"camera{number}": {
                    "url": str(clip),
                    "loop": True,
                    "fps": 4,
                    "input_size": 256,
                    "models": ["retinaface"],
                }
                for number in range(cameras)
            },
            "rules": [
                {
                    "name": f"face masks after {dwell_s} s",
                    "where": ["*"],
                    "require": ["face_mask"],
                    "dwell": dwell_s,
                    "clear": 0.4,
                    "cooldown": 0,
                    "update_interval": 1,
                }
                for dwell_s in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
            ],
        }
