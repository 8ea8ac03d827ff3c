"""Runs a site for hours under faults, and says whether anything was lost or grows.

In the first quarter the daemon is killed and restarted too. Then one process has to live to the end. In the second
half, when it has met every kind of fault, what it holds is followed: memory, open files, threads.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from config import load_site
from streamer.bench.daemon_child import BenchError, DaemonChild
from streamer.soak.broker import SoakBroker
from streamer.soak.faults import SOAK_FAULTS
from streamer.soak.ledger import OutboxLedger, compare
from streamer.soak.site import soak_site
from streamer.soak.vitals import Vitals, growing, judge, vitals_of
from streamer.soak.witness import Witness

_READ_EVERY_S: Final = 10.0
_ENDS_OF_PROCESSES: Final = 0.25
#: A process takes memory that it keeps for as long as it meets faults for the first time.
_FOLLOWED_FROM: Final = 0.5
#: How long what waits may take to arrive once nothing is wrong any more; the daemon may take a minute to try again.
_DELIVERY_S: Final = 180.0


class _Life:
    """The daemon of ``site``, one process after the other."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._stack = ExitStack()
        self.kills = 0
        self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def check(self) -> None:
        """Raise ``BenchError`` when it has ended by itself; takes what it told the service manager."""
        self._child.memory()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._child.send(number)

    def kill(self) -> None:
        """End the process without a word, and start the next."""
        self._child.send(signal.SIGKILL)
        self.kills += 1
        self.restart()

    def restart(self) -> None:
        """Stop the process in order, and start the next."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """Stop the process in order."""
        self._stack.close()

    def _start(self) -> None:
        self._child = self._stack.enter_context(DaemonChild(self._site))
        self._child.start()


class Soak:
    """One soak in ``folder`` (made, kept by the caller). ``tell`` gets a line for people now and then.

    ``every_s`` is the mean time between two faults. Raises ``NoBrokerError``, ``ConfigError``, ``BenchError`` when the
    daemon does not start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float,
        seed: int,
        site: Path | None = None,
        every_s: float = 60.0,
        tell: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._folder = folder
        self._seconds = seconds
        self._chance = random.Random(seed)  # noqa: S311 - chooses faults, not secrets
        self._given = site
        self._every_s = every_s
        self._tell = tell
        self._injected: Counter[str] = Counter()
        self._readings: list[Vitals] = []
        self._problems: list[str] = []
        self._figures: dict[str, Any] = {"seconds": seconds, "seed": seed}

    def run(self) -> dict[str, Any]:
        """Run it; the figures. ``problems`` is empty when nothing was lost and nothing grows."""
        with SoakBroker(self._folder) as broker:
            path = soak_site(self._folder, broker_port=broker.port, given=self._given)
            settings = load_site(path)
            ledger = OutboxLedger(settings.state_dir)
            with Witness(broker.port, settings.mqtt.topic_prefix) as witness:
                life = _Life(path)
                try:
                    self._go(broker, life, ledger)
                    self._settle(broker, life, ledger, witness)
                except BenchError as error:
                    self._problems.append(str(error))
                finally:
                    life.stop()
                self._compare(ledger, witness, life)
        vitals = judge(self._readings) if self._readings else {}
        self._problems += [f"{name} grows: {vitals[name]}" for name in growing(vitals)]
        return {
            **self._figures,
            "faults": dict(self._injected),
            "process": vitals,
            "problems": self._problems,
        }

    def _go(self, broker: SoakBroker, life: _Life, ledger: OutboxLedger) -> None:
        began_s = time.monotonic()
        alone_s = began_s + _ENDS_OF_PROCESSES * self._seconds
        followed_s = began_s + _FOLLOWED_FROM * self._seconds
        end_s = began_s + self._seconds
        next_fault_s = began_s + self._pause_s()
        while (now_s := time.monotonic()) < end_s:
            life.check()
            ledger.read()
            if now_s >= followed_s:
                self._readings.append(vitals_of(life.pid, now_s - began_s))
            if now_s >= next_fault_s:
                self._inject(broker, life, may_end=now_s < alone_s)
                next_fault_s = time.monotonic() + self._pause_s()
            wake_s = min(end_s, next_fault_s, now_s + min(_READ_EVERY_S, self._seconds / 60))
            time.sleep(max(0.1, wake_s - time.monotonic()))
            self._say(now_s - began_s, ledger)

    def _inject(self, broker: SoakBroker, life: _Life, *, may_end: bool) -> None:
        fault = self._chance.choice([one for one in SOAK_FAULTS if may_end or not one.ends_process])
        self._tell(f"{fault.name}")
        fault.inject(broker, life, self._chance)
        self._injected[fault.name] += 1

    def _settle(self, broker: SoakBroker, life: _Life, ledger: OutboxLedger, witness: Witness) -> None:
        """Nothing is wrong any more: everything arrives, and the daemon ends in order."""
        broker.start()
        life.send(signal.SIGHUP)
        ledger.read()
        witness.wait_for(lambda: witness.has(set(ledger.entries)), _DELIVERY_S)
        life.stop()
        ledger.read()
        if ledger.pending:
            # its last words did not all go out in time; the next process sends them
            life.restart()
            witness.wait_for(lambda: not (ledger.read(), ledger.pending)[1], _DELIVERY_S)
            life.stop()
        ledger.read(whole=True)
        witness.wait_for(lambda: witness.has(set(ledger.entries)), 10.0)

    def _compare(self, ledger: OutboxLedger, witness: Witness, life: _Life) -> None:
        log = (self._folder / "daemon.log").read_text(encoding="utf-8", errors="replace")
        ledger.read(whole=True)
        counts = compare(ledger, witness.alerts, log=log, kills=life.kills)
        self._figures["alerts"] = {key: value for key, value in asdict(counts).items() if key != "examples"}
        if not counts.expected:
            self._problems.append("no alert came: nothing was proven")
        if not counts.clean:
            self._problems.append(f"not everything arrived once and in order: {'; '.join(counts.examples)}")

    def _pause_s(self) -> float:
        return self._every_s * self._chance.uniform(0.5, 1.5)

    def _say(self, at_s: float, ledger: OutboxLedger) -> None:
        said = f"{at_s:7.0f} s  {ledger.last_seq} messages, {ledger.pending} wait"
        if self._readings:
            last = self._readings[-1]
            said += f"  {last.anonymous_mb:.1f} MB its own, {last.files} files, {last.threads} threads"
        self._tell(said)
