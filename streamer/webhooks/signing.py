"""The headers of Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks, version 1.0.0.

The signature is HMAC-SHA256 over ``<id>.<timestamp>.<body>``, in base64 after ``v1,``; one for each key, with blanks
between, so that a key can be replaced while both are in use.
"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256


def signature(key: bytes, event_id: str, timestamp_s: int, body: bytes) -> str:
    """``v1,<base64>``."""
    content = b".".join((event_id.encode(), str(timestamp_s).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, content, sha256).digest()).decode()


def webhook_headers(keys: Sequence[bytes], event_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """``webhook-id``, ``webhook-timestamp`` (whole seconds of the attempt) and, with any key, ``webhook-signature``."""
    headers = {"webhook-id": event_id, "webhook-timestamp": str(timestamp_s)}
    if keys:
        headers["webhook-signature"] = " ".join(signature(key, event_id, timestamp_s, body) for key in keys)
    return headers
