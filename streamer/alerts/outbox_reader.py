"""Reads an outbox beside the daemon that owns it: never writes, takes no lock that the daemon would feel."""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from streamer.alerts.errors import OutboxError
from streamer.alerts.outbox import StoredMessage
from streamer.alerts.outbox_db import MESSAGE_COLUMNS
from streamer.alerts.outbox_rescue import is_whole


def read_alert(state_dir: Path, alert_id: str) -> list[StoredMessage]:
    """Every stored message of one alert, in order of ``seq``; none when the alert is not (or no longer) there. What the
    disk has torn is left out.

    Raises ``OutboxError`` when there is no outbox in ``state_dir`` or it cannot be read.
    """
    path = state_dir / "outbox.sqlite3"
    if not path.exists():
        raise OutboxError(f"{state_dir} holds no outbox")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        try:
            rows = connection.execute(
                f"SELECT {MESSAGE_COLUMNS} FROM messages WHERE alert_id = ? ORDER BY seq",  # noqa: S608 - constant
                (alert_id,),
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise OutboxError(f"{path}: cannot be read: {error}") from error
    return [StoredMessage.of(row, state_dir) for row in rows if is_whole(row)]
