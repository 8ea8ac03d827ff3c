"""Tries a broker once, for ``ppewatch check --connect``."""

from streamer.alerts.broker import Broker
from streamer.alerts.errors import BrokerError
from streamer.alerts.session import BrokerSession


def check_broker(broker: Broker, *, client_id: str) -> str | None:
    """Connect and disconnect; None when the broker took us, else why not, without any secret.

    ``client_id`` must not be the daemon's: the broker would throw that one out.
    """
    try:
        session = BrokerSession(broker, client_id=client_id)
    except BrokerError as error:
        # a CA file or a client certificate that cannot be used
        return str(error)
    try:
        session.open()
        session.close()
    except BrokerError as error:
        return str(error)
    finally:
        session.abort()
    return None
