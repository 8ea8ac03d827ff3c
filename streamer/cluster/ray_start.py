"""The connection to a Ray cluster, and a cluster of this machine's own. Nothing else, but ``ray_crew``, imports Ray."""

import importlib
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from streamer.cluster.errors import ClusterError

_log = logging.getLogger(__name__)

#: A cluster of this machine alone, made for this run: ``--cluster local``.
LOCAL: Final = "local"

#: Ray tells its makers how it is used unless this says otherwise; the others keep it quiet, and what it starts small.
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

#: For a cluster that is started here. Whatever Ray's name for it says: without "clusters" it listens on the loopback
#: alone. Its processes would else be the last to get time from a busy machine, which is to watch cameras, and give up
#: starting on one that is busy with other things.
_LOCAL_ENVIRONMENT: Final[Mapping[str, str]] = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "120",
}


def load_ray(*, local: bool = False) -> Any:
    """The module ``ray``; ``local``: for a cluster of this machine. Raises ``ClusterError`` where there is none."""
    for name, value in {**_ENVIRONMENT, **(_LOCAL_ENVIRONMENT if local else {})}.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ClusterError("Ray is not installed: pip install 'ppewatch[cluster]'") from error


def connect(address: str, *, cores: float | None = None) -> Any:
    """Join the cluster at ``address`` (``HOST:PORT``, or ``local`` for one of this machine, on its loopback alone, with
    ``cores``), as the program that drives a site; the module ``ray``. Raises ``ClusterError``.
    """
    ray = load_ray(local=address == LOCAL)
    options: dict[str, Any] = {
        "namespace": "ppewatch",
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if address == LOCAL:
        options |= {
            "address": "local",
            "include_dashboard": False,
            "num_cpus": cores,
        }
    else:
        options |= {"address": address}
    try:
        with _own_signals():
            ray.init(**options)
    except Exception as error:
        raise ClusterError(f"no Ray cluster at {address}: {_first_line(error)}") from error
    _log.info("the cluster at %s: %d machines", address, sum(node["Alive"] for node in ray.nodes()))
    return ray


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; who stops the daemon is to reach the daemon."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
