"""The faults by name, and how much of each is a full and a short run.

A family of faults is a module that declares them with ``@fault``; ``FAMILIES`` names the modules in the table's order.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from faults.rig import FaultRig

FAMILIES = (
    "broker_faults",
    "webhook_faults",
    "power_faults",
    "disk_faults",
    "clock_faults",
    "camera_faults",
    "model_faults",
    "site_faults",
)


@dataclass(frozen=True)
class Size:
    """``times`` injections and at least ``alerts`` messages."""

    times: int
    alerts: int


class Inject(Protocol):
    """Injects a fault; a function."""

    def __call__(self, rig: "FaultRig", *, times: int, seed: int) -> None: ...


@dataclass(frozen=True)
class Fault:
    """``name`` stands in the table. ``needs`` says why it cannot be injected here, or None."""

    name: str
    inject: Inject
    full: Size
    short: Size
    needs: Callable[[], str | None]


_faults: dict[str, Fault] = {}


def fault(
    name: str, *, full: Size, short: Size, needs: Callable[[], str | None] = lambda: None
) -> Callable[[Inject], Inject]:
    """Register ``inject(rig, times=..., seed=...)``: it starts the daemon, injects, and heals in the end."""

    def register(inject: Inject) -> Inject:
        if name in _faults:
            raise ValueError(f"two faults are called {name!r}")
        _faults[name] = Fault(name, inject, full, short, needs)
        return inject

    return register


def faults_of(family: str) -> list[Fault]:
    """The faults that module ``faults.<family>`` declares."""
    module = importlib.import_module(f"faults.{family}")
    return [one for one in _faults.values() if one.inject.__module__ == module.__name__]


def all_faults() -> list[Fault]:
    """Those of every family."""
    return [one for family in FAMILIES for one in faults_of(family)]
