"""What takes the place of a stage of the daemon that hangs or died, and what cannot be replaced.

==============  ==============================================  =====================================
stage           its thread has ended                            it hangs
==============  ==============================================  =====================================
``camera X``    another connection to the camera                the same; the thread is left behind
``mqtt``        another connection to the broker                the same; the thread is left behind
``status``      another thread                                  the same; the thread is left behind
``web``         another server on the same address              the same; the thread is left behind
``inference``   another thread, the models are built anew       the process ends: it is native code
``rules``       another thread, the episodes go on               the process ends: it holds the rules
``main``        (the process has ended)                         the process ends
==============  ==============================================  =====================================
"""

from collections.abc import Callable

from streamer.alerts.publisher import Publisher
from streamer.inference.worker import InferenceWorker
from streamer.inference.worker_status import WorkerState
from streamer.judging.judge import Judge
from streamer.service.heartbeats import Heartbeats
from streamer.service.stage_health import GivenUp, StageReason
from streamer.station import STAGE_PREFIX
from streamer.status.announcer import StatusAnnouncer


class Upkeep:
    """``mend`` is for the supervisor (``streamer.service.stage_health.Mend``).

    ``restart_camera(camera_id)`` and ``restart_web()`` are for the two kinds of stages that are made anew.
    """

    def __init__(
        self,
        *,
        heartbeats: Heartbeats,
        publisher: Publisher,
        worker: InferenceWorker,
        judge: Judge,
        announcer: StatusAnnouncer,
        restart_camera: Callable[[str], None],
        restart_web: Callable[[], None],
    ) -> None:
        self._heartbeats = heartbeats
        self._worker = worker
        self._restart_camera = restart_camera
        self._restarts: dict[str, Callable[[], object]] = {
            "mqtt": lambda: publisher.restart(heartbeats.add("mqtt")),
            "status": lambda: announcer.restart(heartbeats.add("status")),
            "web": restart_web,
        }
        self._revivals: dict[str, Callable[[], object]] = {
            "inference": worker.revive,
            "rules": judge.revive,
        }

    def mend(self, stage: str, reason: StageReason) -> GivenUp | None:
        """Put another in the place of ``stage``; see the table above."""
        if stage.startswith(STAGE_PREFIX):
            self._restart_camera(stage.removeprefix(STAGE_PREFIX))
            return None
        restart = self._restarts.get(stage)
        if restart is None and reason is StageReason.DIED:
            restart = self._revivals.get(stage)
        if restart is not None:
            restart()
            return None
        if stage == "inference" and self._worker.status().state is WorkerState.FAILED:
            return GivenUp(stage, StageReason.MODELS_FAILED, "no device runs the models, see the log")
        return GivenUp(stage, reason, "it hangs, and cannot be ended but with the process, see the log")
