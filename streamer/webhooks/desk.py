"""All webhooks of a site: a courier each, exchanged when the settings change."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

from ulid import ULID

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import encode_json, utc_iso
from streamer.ingest.status import StreamState
from streamer.service.heartbeats import Heartbeats, Pulse
from streamer.webhooks.message import event_message
from streamer.webhooks.state import WebhookCondition
from streamer.webhooks.target import CAMERA_FITNESS, CAMERA_STATUS, WebhookTarget

if TYPE_CHECKING:
    from streamer.webhooks.courier import Courier

_log = logging.getLogger(__name__)

SCHEMA: Final = 1
#: Before the webhook's name, as the stage is called.
STAGE_PREFIX: Final = "webhook "


class WebhookDesk:
    """Any thread may call; ``set_targets`` and ``stop`` one at a time. ``on_change``: ``states`` is another."""

    def __init__(
        self,
        outbox: Outbox,
        heartbeats: Heartbeats,
        *,
        user_agent: str = "ppewatch",
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox = outbox
        self._heartbeats = heartbeats
        self._user_agent = user_agent
        self._on_change = on_change
        self._lock = Lock()
        self._couriers: dict[str, tuple[Courier, Pulse]] = {}
        self._camera_states: dict[str, str] = {}

    def set_targets(self, targets: Sequence[WebhookTarget]) -> None:
        """Tell these from now on, in place of those before. What waits for one that is named no more is given up, and
        said; one that stays as it is, is tried again at once, also after 410.
        """
        wanted = {target.name: target for target in targets}
        for name, (courier, pulse) in list(self._couriers.items()):
            if courier.target != wanted.get(name):
                self._heartbeats.remove(pulse)
                courier.stop()
                with self._lock:
                    del self._couriers[name]
        dropped = self._owe_only(wanted)
        for name, target in wanted.items():
            if name in self._couriers:
                self._couriers[name][0].retry_now()
                continue
            _log.info("webhook %s: %s", name, target.shown)
            self._start(target, dropped.get(name, 0))
        self._on_change()

    def restart(self, name: str) -> None:
        """Another thread for a courier that hangs or has ended."""
        with self._lock:
            courier, _ = self._couriers[name]
            pulse = self._heartbeats.add(f"{STAGE_PREFIX}{name}")
            self._couriers[name] = (courier, pulse)
        courier.restart(pulse)

    def stop(self, drain_s: float) -> None:
        """Post what waits, for ``drain_s`` at most, all at once; the rest is posted after the next start."""
        with self._lock:
            couriers = list(self._couriers.values())
        end_s = time.monotonic() + drain_s
        for courier, pulse in couriers:
            self._heartbeats.remove(pulse)
            courier.request_stop(drain_s)
        for courier, _ in couriers:
            courier.cut(end_s)
        for courier, _ in couriers:
            courier.end(end_s)

    def notify(self) -> None:
        """Something was put into the outbox."""
        for courier in self._present():
            courier.notify()

    def camera_status(self, camera_id: str, message: bytes, *, at: float) -> None:
        """A camera's retained ``status`` as it is now: told where its state is another than the last time."""
        state = json.loads(message)["state"]
        before = self._camera_states.get(camera_id)
        self._camera_states[camera_id] = state
        # that it connects for the first time is no news
        if state != before and (before, state) != (None, StreamState.CONNECTING):
            self._owe_camera_event(CAMERA_STATUS, camera_id, message, at)

    def camera_fitness(self, camera_id: str, message: bytes, *, at: float) -> None:
        """Something began or ended to be wrong with what a camera shows."""
        self._owe_camera_event(CAMERA_FITNESS, camera_id, message, at)

    def conditions(self) -> list[WebhookCondition]:
        """How every webhook stands, in the order of the settings."""
        return [courier.condition for courier in self._present()]

    def states(self) -> list[tuple[str, bytes]]:
        """Topics below the site's prefix and retained messages, which change when something happened alone."""
        return [(f"webhooks/{told.name}/status", _state_json(told)) for told in self.conditions()]

    def _present(self) -> "list[Courier]":
        with self._lock:
            return [courier for courier, _ in self._couriers.values()]

    def _start(self, target: WebhookTarget, dropped: int) -> None:
        # here, for the client for HTTP comes with it: a site without webhooks does without
        from streamer.webhooks.courier import Courier  # noqa: PLC0415

        pulse = self._heartbeats.add(f"{STAGE_PREFIX}{target.name}")
        courier = Courier(
            target,
            self._outbox,
            pulse=pulse,
            user_agent=self._user_agent,
            dropped=dropped,
            on_change=self._on_change,
        )
        with self._lock:
            self._couriers[target.name] = (courier, pulse)
        courier.start()

    def _owe_only(self, wanted: dict[str, WebhookTarget]) -> dict[str, int]:
        """Drops so far, by target."""
        try:
            ledger = self._outbox.webhooks
            for name in ledger.targets().keys() - wanted.keys():
                waiting = ledger.remove_target(name)
                _log.warning(
                    "webhook %s is configured no more: %d events that waited are given up", name, waiting
                )
            for name in wanted:
                ledger.add_target(name)
            return ledger.targets()
        except OutboxError as error:
            _log.error("the ledger of webhooks cannot be used: %s", error)
            return {}

    def _owe_camera_event(self, type_: str, camera_id: str, message: bytes, at: float) -> None:
        names = [courier.target.name for courier in self._present() if courier.target.wants_camera(camera_id)]
        if not names:
            return
        try:
            self._outbox.webhooks.add(
                names,
                event_id=f"camera_{ULID()}",
                type_=type_,
                subject=camera_id,
                body=event_message(type_, at, json.loads(message)),
                at=at,
            )
        except OutboxError as error:
            _log.error("webhooks are not told that camera %s changed: %s", camera_id, error)
        self.notify()


def _state_json(told: WebhookCondition) -> bytes:
    return encode_json(
        {
            "schema": SCHEMA,
            "webhook": told.name,
            "state": str(told.state),
            "reason": told.reason,
            "detail": told.detail,
            "since": utc_iso(told.since),
            "dropped": told.dropped,
        }
    )
