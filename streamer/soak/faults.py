"""What is done to a site while it is soaked. None of it needs rights that its user lacks."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from streamer.soak.broker import SoakBroker


class Life(Protocol):
    """The daemon, one process after the other."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""

    def kill(self) -> None:
        """End the process without a word, and start the next."""

    def restart(self) -> None:
        """Stop the process in order, and start the next."""


@dataclass(frozen=True, slots=True)
class SoakFault:
    """``inject`` does it and puts it right again. ``ends_process``: what the process holds starts over then."""

    name: str
    inject: Callable[[SoakBroker, Life, random.Random], None]
    ends_process: bool = False


def _broker_killed(broker: SoakBroker, _life: Life, chance: random.Random) -> None:
    broker.kill()
    time.sleep(chance.uniform(1.0, 5.0))
    broker.start()


def _broker_restarted(broker: SoakBroker, _life: Life, _chance: random.Random) -> None:
    broker.stop()
    broker.start()


def _broker_away(broker: SoakBroker, _life: Life, chance: random.Random) -> None:
    broker.stop()
    time.sleep(chance.uniform(5.0, 30.0))
    broker.start()


def _broker_frozen(broker: SoakBroker, _life: Life, chance: random.Random) -> None:
    broker.freeze()
    time.sleep(chance.uniform(2.0, 20.0))
    broker.thaw()


def _reload_storm(_broker: SoakBroker, life: Life, chance: random.Random) -> None:
    for _ in range(20):
        life.send(signal.SIGHUP)
        time.sleep(chance.uniform(0.0, 0.1))


def _daemon_killed(_broker: SoakBroker, life: Life, _chance: random.Random) -> None:
    life.kill()


def _daemon_restarted(_broker: SoakBroker, life: Life, _chance: random.Random) -> None:
    life.restart()


SOAK_FAULTS: Final = (
    SoakFault("broker killed", _broker_killed),
    SoakFault("broker restarted", _broker_restarted),
    SoakFault("broker away", _broker_away),
    SoakFault("broker frozen", _broker_frozen),
    SoakFault("reload storm", _reload_storm),
    SoakFault("daemon killed", _daemon_killed, ends_process=True),
    SoakFault("daemon restarted", _daemon_restarted, ends_process=True),
)
