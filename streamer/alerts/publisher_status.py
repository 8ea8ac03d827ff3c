"""How the connection to the broker stands, for the status page and the messages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """The broker's part of the health page.

    - ``code`` says for machines why there is no connection: that of the ``BrokerError`` which ended the last one,
      ``starting`` or ``stopped``; ``ok`` with one.
    - ``reason`` says the same in words (empty with a connection), ``since`` (UTC epoch s) since when it is as it is.
    - ``pending`` alerts wait in the outbox; ``in_flight`` of them are sent and not acknowledged.
    - ``delivered`` counts since the start, ``dropped`` (alerts given up for lack of room) over the site's
      life, ``events_dropped`` stats and the like that met no connection.
    - ``max_payload_bytes`` is what the broker says it takes at most, or None; a snapshot's budget should
      respect it.
    """

    connected: bool
    code: str
    reason: str
    since: float
    pending: int
    in_flight: int
    delivered: int
    last_ack_at: float | None
    dropped: int
    events_dropped: int
    reconnects: int
    client_id: str
    max_payload_bytes: int | None


@dataclass(slots=True)
class Link:
    """What is known of the present connection, or why there is none."""

    connected: bool = False
    code: str = "starting"
    reason: str = "not started"
    since: float = 0.0
    connects: int = 0
    events_dropped: int = 0
    max_payload_bytes: int | None = None
