"""What can be trusted of a message that waits, where the disk has given back something else than was stored.

SQLite finds pages that are malformed; a page whose content was torn by a power cut is well formed and holds zeros or
strange bytes in the middle of a message. A message says itself what it should be: its number, alert and picture stand
in its body.
"""

import json
import math
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from streamer.alerts.outbox_files import is_picture_name
from streamer.alerts.payload import AlertType

#: One row of ``messages``: the columns of ``outbox_db.MESSAGE_COLUMNS``.
Row = tuple[Any, ...]
_TYPES: Final = frozenset(str(kind) for kind in AlertType)


def is_whole(row: Row) -> bool:
    """Whether a message is as it was stored, as far as it can tell."""
    _, _, _, _, _, trace, snapshot, snapshot_bytes, created_at, _ = row
    return (
        _body_of(row) is not None
        and (trace is None or _json_of(trace) is not None)
        and (snapshot is None or is_picture_name(snapshot))
        and isinstance(snapshot_bytes, int)
        and _is_time(created_at)
    )


def rescued(row: Row, state_dir: Path) -> Row | None:
    """A message without what was torn of it; None where it is the body itself, and the message is lost.

    Its picture is looked for under the names that it may have, and is the one whose digest the body tells.
    """
    body = _body_of(row)
    if body is None:
        return None
    seq, alert_id, kind, camera, raw, trace, snapshot, snapshot_bytes, created_at, acked_at = row
    named = body.get("snapshot")
    if not isinstance(named, dict):
        snapshot, snapshot_bytes = None, 0
    elif not is_picture_name(snapshot) or not isinstance(snapshot_bytes, int):
        snapshot, snapshot_bytes = _picture_of(state_dir, alert_id, seq, str(named.get("sha256")))
    return (
        seq,
        alert_id,
        kind,
        camera,
        raw,
        trace if trace is None or _json_of(trace) is not None else None,
        snapshot,
        snapshot_bytes,
        created_at if _is_time(created_at) and created_at > 0 else time.time(),
        acked_at,
    )


def _body_of(row: Row) -> dict[str, Any] | None:
    """The body, where it is that of this message."""
    seq, alert_id, kind, camera, raw = row[:5]
    body = _json_of(raw)
    told = (seq, alert_id, kind, camera)
    if not isinstance(body, dict) or kind not in _TYPES:
        return None
    return body if tuple(body.get(key) for key in ("seq", "alert_id", "type", "camera")) == told else None


def _json_of(raw: Any) -> Any:
    try:
        return json.loads(raw) if isinstance(raw, bytes) else None
    except (ValueError, RecursionError):
        return None


def _is_time(at: Any) -> bool:
    return isinstance(at, float) and math.isfinite(at) and at >= 0


def _picture_of(state_dir: Path, alert_id: str, seq: int, digest: str) -> tuple[str, int]:
    """Name and size of a message's picture; a name under which there is none where it cannot be found."""
    for name in (f"{alert_id}.{seq}.jpg", f"{alert_id}.jpg"):
        for path in state_dir.glob(f"snapshots/????-??-??/{name}"):
            # what cannot be read is no picture to send, and no reason not to start
            with suppress(OSError):
                jpeg = path.read_bytes()
                if sha256(jpeg).hexdigest() == digest:
                    return str(path.relative_to(state_dir)), len(jpeg)
    return f"snapshots/0001-01-01/{alert_id}.jpg", 0
