"""What takes the place of a stage of the daemon that hangs or died, and what cannot be replaced.

==============  ==============================================  =====================================
stage           its thread has ended                            it hangs
==============  ==============================================  =====================================
``camera X``    another connection to the camera                the same; the thread is left behind
``mqtt``        another connection to the broker                the same; the thread is left behind
``status``      another thread                                  the same; the thread is left behind
``web``         another server on the same address              the same; the thread is left behind
``webhook X``   another thread; it posts anew what was on its way  the same; the thread is left behind
``inference``   another thread, the models are built anew       the process ends: it is native code
``rules``       another thread, the episodes go on               the process ends: it holds the rules
``cluster``     another thread, the parts go on                 the process ends: it holds the parts
``main``        (the process has ended)                         the process ends
==============  ==============================================  =====================================
"""

from collections.abc import Callable
from typing import Final

from streamer.alerts.publisher import Publisher
from streamer.inference.worker_status import WorkerState
from streamer.service.heartbeats import Heartbeats
from streamer.service.stage_health import GivenUp, StageReason
from streamer.site_watch import SiteWatch
from streamer.station import STAGE_PREFIX
from streamer.status.announcer import StatusAnnouncer
from streamer.webhooks import desk as webhooks

#: Where a thread that has ended is followed by another one that goes on with what is there.
_REVIVED: Final = frozenset({"inference", "rules", "cluster"})


class Upkeep:
    """``mend`` is for the supervisor (``streamer.service.stage_health.Mend``).

    ``restart_web()`` makes the status page anew, ``restart_webhook(name)`` a webhook's thread.
    """

    def __init__(
        self,
        *,
        heartbeats: Heartbeats,
        publisher: Publisher,
        watch: SiteWatch,
        announcer: StatusAnnouncer,
        restart_web: Callable[[], None],
        restart_webhook: Callable[[str], None],
    ) -> None:
        self._heartbeats = heartbeats
        self._watch = watch
        self._restart_webhook = restart_webhook
        self._restarts: dict[str, Callable[[], object]] = {
            "mqtt": lambda: publisher.restart(heartbeats.add("mqtt")),
            "status": lambda: announcer.restart(heartbeats.add("status")),
            "web": restart_web,
        }

    def mend(self, stage: str, reason: StageReason) -> GivenUp | None:
        """Put another in the place of ``stage``; see the table above."""
        if stage.startswith(STAGE_PREFIX):
            self._watch.restart_camera(stage.removeprefix(STAGE_PREFIX))
            return None
        if stage.startswith(webhooks.STAGE_PREFIX):
            self._restart_webhook(stage.removeprefix(webhooks.STAGE_PREFIX))
            return None
        restart = self._restarts.get(stage)
        if restart is not None:
            restart()
            return None
        if reason is StageReason.DIED and stage in _REVIVED:
            self._watch.revive(stage)
            return None
        if stage == "inference" and self._watch.models().state is WorkerState.FAILED:
            return GivenUp(stage, StageReason.MODELS_FAILED, "no device runs the models, see the log")
        return GivenUp(stage, reason, "it hangs, and cannot be ended but with the process, see the log")
