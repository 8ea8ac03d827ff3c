"""Commands over MQTT: reload, cameras on and off, acknowledgements and feedback on alerts.

========================================  =========================  =======================================
topic below the prefix                    payload                    answered on
========================================  =========================  =======================================
``command/reload``                        anything                   ``command/reload/state``
``command/cameras/<camera>/set``          ``ON``, ``OFF``            ``command/cameras/<camera>/state``
``command/alerts/<alert_id>/ack``         anything                   ``command/alerts/<alert_id>/ack/state``
``command/alerts/<alert_id>/feedback``    ``true_alarm``,            ``command/alerts/<alert_id>/feedback/state``
                                          ``false_alarm``
========================================  =========================  =======================================

Answers are JSON, ``{"ok": true, ...}`` or ``{"ok": false, "error": ...}``; a camera's is the plain ``ON`` or ``OFF``
that it now is, retained. Retained commands are not obeyed: a broker would repeat them at every connection.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import Outbox
from streamer.alerts.payload import ALERT_ID_PATTERN, encode_json, utc_iso
from streamer.alerts.publisher import Publisher
from streamer.redaction import redact
from streamer.station import CameraStation

_log = logging.getLogger(__name__)

#: Longer payloads are no command of ours.
_MAX_PAYLOAD: Final = 256
#: Alerts whose acknowledgement or feedback is remembered; the oldest are forgotten.
_REMEMBERED: Final = 10_000
_FEEDBACK: Final = ("true_alarm", "false_alarm")


class CommandDesk:
    """Obeys commands on the publisher's thread. ``request_reload`` must return at once; ``tell_reload`` is for whoever
    carries it out.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        stations: Mapping[str, CameraStation],
        outbox: Outbox,
        request_reload: Callable[[], None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._publisher = publisher
        self._stations = stations
        self._outbox = outbox
        self._request_reload = request_reload
        self._wall_clock = wall_clock

    def subscribe(self) -> None:
        """Take commands from now on. Call before the publisher starts."""
        self._publisher.subscribe("command/reload", self._reload)
        self._publisher.subscribe("command/cameras/+/set", self._set_camera)
        self._publisher.subscribe("command/alerts/+/ack", self._note_alert)
        self._publisher.subscribe("command/alerts/+/feedback", self._note_alert)

    def tell_reload(self, error: str | None) -> None:
        """Answer a reload, whoever asked for it: None when the new settings are in force."""
        if error is None:
            self._answer("command/reload/state", {"ok": True})
        else:
            self._refuse("command/reload/state", error)

    def _reload(self, _topic: str, _payload: bytes, retained: bool) -> None:
        if not retained:
            _log.info("reload, asked for over MQTT")
            self._request_reload()

    def _set_camera(self, topic: str, payload: bytes, retained: bool) -> None:
        if retained:
            return
        camera_id = topic.split("/")[-2]
        answer_topic = f"command/cameras/{camera_id}/state"
        station = self._stations.get(camera_id)
        wanted = payload[:_MAX_PAYLOAD].strip().upper()
        if station is None:
            # no answer topic for names that do not exist: anybody could fill the broker with them
            _log.warning("a command names a camera that is not configured")
        elif wanted not in (b"ON", b"OFF"):
            self._refuse(answer_topic, "expected ON or OFF")
        else:
            _log.info("camera %s switched %s over MQTT", camera_id, wanted.decode())
            station.set_enabled(wanted == b"ON")
            self._publisher.publish_state(answer_topic, wanted)

    def _note_alert(self, topic: str, payload: bytes, retained: bool) -> None:
        *_, alert_id, kind = topic.split("/")
        if retained or not ALERT_ID_PATTERN.fullmatch(alert_id):
            return
        answer_topic = f"command/alerts/{alert_id}/{kind}/state"
        note = payload[: _MAX_PAYLOAD + 1].decode(errors="replace").strip()
        if kind == "feedback" and note not in _FEEDBACK:
            self._refuse(answer_topic, f"expected {' or '.join(_FEEDBACK)}")
            return
        try:
            if not self._outbox.messages_of(alert_id):
                self._refuse(answer_topic, "there is no such alert")
                return
            self._remember(kind, alert_id, note if kind == "feedback" else "acknowledged")
        except OutboxError as error:
            self._refuse(answer_topic, f"cannot be kept: {error}")
            return
        self._answer(answer_topic, {"ok": True, "alert_id": alert_id})

    def _remember(self, kind: str, alert_id: str, note: str) -> None:
        notes: dict[str, Any] = self._outbox.get_state(f"alerts.{kind}") or {}
        notes.pop(alert_id, None)
        notes[alert_id] = {"at": self._wall_clock(), "note": note}
        for oldest in list(notes)[: max(0, len(notes) - _REMEMBERED)]:
            del notes[oldest]
        self._outbox.put_state(f"alerts.{kind}", notes)

    def _refuse(self, topic: str, error: str) -> None:
        _log.warning("a command was refused: %s", error)
        self._answer(topic, {"ok": False, "error": redact(error)})

    def _answer(self, topic: str, answer: Mapping[str, Any]) -> None:
        self._publisher.publish_event(
            topic, encode_json({**answer, "at": utc_iso(self._wall_clock())}), qos=1
        )
