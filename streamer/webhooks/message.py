"""What is posted: ``type``, ``timestamp`` and ``data``, as Standard Webhooks recommends; ``data`` is what MQTT has."""

import base64
import json
import logging
from typing import Any, Final

from streamer.alerts.delivery import DELAYED_AFTER_S
from streamer.alerts.errors import SnapshotError
from streamer.alerts.outbox import StoredMessage
from streamer.alerts.payload import encode_json, finish_message, utc_iso
from streamer.alerts.shrink import shrink_jpeg, snapshot_digest
from streamer.webhooks.target import PictureForm, WebhookTarget

_log = logging.getLogger(__name__)

_TOO_LARGE: Final = "the webhook takes nothing so large"


def alert_message(
    message: StoredMessage, target: WebhookTarget, *, type_: str, at: float, without_picture: bool = False
) -> bytes:
    """An ``alerts`` message for ``target`` at ``at`` (UTC epoch s).

    ``data`` is the message as MQTT has it, with ``link`` and ``snapshot.link`` where the dashboard is known, or with
    ``snapshot.jpeg_base64``. ``without_picture``: the target refused it with the picture.
    """
    jpeg, why_none = None, None
    if target.picture is PictureForm.EMBED and message.snapshot is not None:
        jpeg, why_none = (None, _TOO_LARGE) if without_picture else _picture(message, target.picture_bytes)
    told: dict[str, Any] = json.loads(
        finish_message(
            message.body,
            published_at=at,
            delayed=at - message.created_at > DELAYED_AFTER_S,
            snapshot=None if jpeg is None else snapshot_digest(jpeg),
            without_snapshot=why_none,
        )
    )
    if jpeg is not None:
        told["snapshot"]["jpeg_base64"] = base64.b64encode(jpeg).decode()
    if target.dashboard is not None:
        told["link"] = f"{target.dashboard.rstrip('/')}/alerts/{message.alert_id}"
        if target.picture is PictureForm.LINK and told["snapshot"] is not None:
            told["snapshot"]["link"] = (
                f"{target.dashboard.rstrip('/')}/api/alerts/{message.alert_id}/snapshot"
            )
    return event_message(type_, message.created_at, told)


def event_message(type_: str, at: float, data: dict[str, Any]) -> bytes:
    """The envelope; ``at`` is when it happened, UTC epoch s."""
    return encode_json({"type": type_, "timestamp": utc_iso(at), "data": data})


def _picture(message: StoredMessage, most_bytes: int) -> tuple[bytes | None, str | None]:
    """The JPEG, or None and why there is none."""
    try:
        jpeg = b"" if message.snapshot is None else message.snapshot.read_bytes()
    except OSError as error:
        _log.error("alert %s is posted without its picture: %s", message.alert_id, error.strerror)
        return None, "the file cannot be read"
    if len(jpeg) <= most_bytes:
        return jpeg, None
    try:
        return shrink_jpeg(jpeg, most_bytes), None
    except SnapshotError as error:
        _log.error("alert %s is posted without its picture: %s", message.alert_id, error)
        return None, str(error)
