"""What can go wrong between an alert and the broker.

StreamerError
└── AlertError
    ├── OutboxError               the outbox could not do what was asked
    │   ├── OutboxFullError       there is no room on the disk, or the database has reached its limit
    │   └── OutboxDamagedError    the database file cannot be read as one
    ├── SnapshotError             no picture could be made within the byte budget
    └── BrokerError               one connection to the broker ended; the message is the reason for the user
        ├── BrokerUnreachableError    nothing answers there, or the name does not resolve
        ├── BrokerRefusedError        it answered no: credentials, permission, protocol version, certificate
        ├── BrokerTakenOverError      another client came with the same client id
        └── BrokerLostError           the connection broke or fell silent after it had been made
"""

from typing import ClassVar

from streamer.errors import StreamerError


class AlertError(StreamerError):
    """Root of the errors of ``streamer.alerts``."""


class OutboxError(AlertError):
    """The outbox could not do what was asked."""


class OutboxFullError(OutboxError):
    """There is no room on the disk, or the database has reached its limit. Nothing was stored."""


class OutboxDamagedError(OutboxError):
    """The database file cannot be read as one."""


class SnapshotError(AlertError):
    """No picture could be made within the byte budget."""


class BrokerError(AlertError):
    """One connection to the broker ended; the message is the reason for the user. ``code`` is stable and for
    machines.
    """

    code: ClassVar[str] = "failed"


class BrokerUnreachableError(BrokerError):
    """Nothing answers there, or the name does not resolve."""

    code = "unreachable"


class BrokerRefusedError(BrokerError):
    """The broker answered no; trying again soon will not help."""

    code = "refused"


class BrokerTakenOverError(BrokerError):
    """Another client came with the same client id."""

    code = "taken_over"


class BrokerLostError(BrokerError):
    """The connection broke or fell silent after it had been made."""

    code = "connection_lost"
