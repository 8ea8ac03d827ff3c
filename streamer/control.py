"""Commands over MQTT: reload, cameras on and off, acknowledgements and feedback on alerts, areas taken away.

========================================  =========================  =======================================
topic below the prefix                    payload                    answered on
========================================  =========================  =======================================
``command/reload``                        anything                   ``command/reload/state``
``command/cameras/<camera>/set``          ``ON``, ``OFF``            ``command/cameras/<camera>/state``
``command/alerts/<alert_id>/ack``         who, or JSON               ``command/alerts/<alert_id>/ack/state``
``command/alerts/<alert_id>/feedback``    ``true_alarm``,            ``command/alerts/<alert_id>/feedback/state``
                                          ``false_alarm``, or JSON
``command/suppressions/<area_id>/remove``  anything                  ``command/suppressions/<area_id>/remove/state``
========================================  =========================  =======================================

``streamer.feedback.words`` says what the JSON may hold.

Answers are JSON, ``{"ok": true, ...}`` or ``{"ok": false, "error": ...}``; a camera's is the plain ``ON`` or ``OFF``
that it now is, retained. Retained commands are not obeyed: a broker would repeat them at every connection.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from streamer.alerts.payload import ALERT_ID_PATTERN, encode_json, utc_iso
from streamer.alerts.publisher import Publisher
from streamer.feedback.desk import FeedbackDesk, RefusedError
from streamer.redaction import redact
from streamer.site_watch import Station

_log = logging.getLogger(__name__)

#: Longer payloads are no command of ours.
_MAX_PAYLOAD: Final = 256


class CommandDesk:
    """Obeys commands on the publisher's thread. ``request_reload`` must return at once; ``tell_reload`` is for whoever
    carries it out.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        stations: Mapping[str, Station],
        feedback: FeedbackDesk,
        request_reload: Callable[[], None],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._publisher = publisher
        self._stations = stations
        self._feedback = feedback
        self._request_reload = request_reload
        self._wall_clock = wall_clock

    def subscribe(self) -> None:
        """Take commands from now on. Call before the publisher starts."""
        self._publisher.subscribe("command/reload", self._reload)
        self._publisher.subscribe("command/cameras/+/set", self._set_camera)
        for topic, action in (
            ("command/alerts/+/ack", self._feedback.acknowledge),
            ("command/alerts/+/feedback", self._feedback.judge),
            ("command/suppressions/+/remove", lambda area_id, _payload: self._feedback.remove_area(area_id)),
        ):
            self._publisher.subscribe(topic, partial(self._obey, action))

    def tell_cameras(self, enabled: Mapping[str, bool]) -> None:
        """Say, by camera, what the settings make of it: a switch holds until they change, and not beyond a restart."""
        for camera_id, is_on in enabled.items():
            self._publisher.publish_state(_camera_topic(camera_id), b"ON" if is_on else b"OFF")

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
        answer_topic = _camera_topic(camera_id)
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

    def _obey(
        self, action: Callable[[str, bytes], dict[str, Any]], topic: str, payload: bytes, retained: bool
    ) -> None:
        """Do something with what the topic names, and answer."""
        if retained or not ALERT_ID_PATTERN.fullmatch(topic.split("/")[-2]):
            return
        *_, kind, name, verb = topic.split("/")
        answer_topic = f"command/{kind}/{name}/{verb}/state"
        try:
            answer = action(name, payload)
        except RefusedError as error:
            self._refuse(answer_topic, str(error))
        else:
            self._answer(answer_topic, {"ok": True, **answer})

    # -- for other ways of asking ----------------------------------------------------------------------

    def acknowledge(self, alert_id: str, payload: bytes) -> Mapping[str, Any]:
        """As the command ``ack``: carries it out, tells subscribers, and returns the answer. Raises ``RefusedError``.

        So are ``judge`` (``feedback``) and ``remove_area`` (``remove``).
        """
        return self._carried_out(f"alerts/{alert_id}/ack", self._feedback.acknowledge(alert_id, payload))

    def judge(self, alert_id: str, payload: bytes) -> Mapping[str, Any]:
        """See ``acknowledge``."""
        return self._carried_out(f"alerts/{alert_id}/feedback", self._feedback.judge(alert_id, payload))

    def remove_area(self, area_id: str) -> Mapping[str, Any]:
        """See ``acknowledge``."""
        return self._carried_out(f"suppressions/{area_id}/remove", self._feedback.remove_area(area_id))

    def _carried_out(self, what: str, answer: dict[str, Any]) -> Mapping[str, Any]:
        self._answer(f"command/{what}/state", {"ok": True, **answer})
        return answer

    def _refuse(self, topic: str, error: str) -> None:
        _log.warning("a command was refused: %s", error)
        self._answer(topic, {"ok": False, "error": redact(error)})

    def _answer(self, topic: str, answer: Mapping[str, Any]) -> None:
        self._publisher.publish_event(
            topic, encode_json({**answer, "at": utc_iso(self._wall_clock())}), qos=1
        )


def _camera_topic(camera_id: str) -> str:
    """Where it is told whether a camera is switched on."""
    return f"command/cameras/{camera_id}/state"
