"""Bounds how fast passwords can be tried, without letting a guesser lock anybody else out.

Tries are counted by client: an IPv4 address, an IPv6 network of /64, or, once somebody has logged in there, the
browser, which carries a cookie that grants nothing and only says so (OWASP, "Slow Down Online Guessing Attacks with
Device Cookies"). Who guesses from the address of others empties the address' allowance and not that of their browsers.
"""

import hmac
import ipaddress
import secrets
import time
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

#: Tries that a client has at once, and the time in which it gets one back: 600 an hour.
BURST: Final = 10
REFILL_S: Final = 6.0
#: Clients that are remembered; the one that was quiet for longest is forgotten first.
MOST_CLIENTS: Final = 4096

DEVICE_COOKIE: Final = "ppewatch_device"
DEVICE_COOKIE_AGE_S: Final = 30 * 86_400
_LONGEST_COOKIE: Final = 128


class GuessLimiter:
    """An allowance of tries for each client. Used by the web server's one event loop alone."""

    def __init__(
        self,
        *,
        burst: int = BURST,
        refill_s: float = REFILL_S,
        most_clients: int = MOST_CLIENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._refill_s = refill_s
        self._most_clients = most_clients
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, client: str) -> float:
        """Take one try: 0.0, or the seconds until there is one again, in which case none was taken."""
        now = self._clock()
        left = self._present(client, now)
        if left < 1.0:
            return (1.0 - left) * self._refill_s
        self._put(client, left - 1.0, now)
        return 0.0

    def give_back(self, client: str) -> None:
        """It was no guess: the credentials were right."""
        now = self._clock()
        left = self._present(client, now) + 1.0
        if left >= self._burst:
            self._left.pop(client, None)
        else:
            self._put(client, left, now)

    def _present(self, client: str, now: float) -> float:
        left, at = self._left.get(client, (float(self._burst), now))
        return min(float(self._burst), left + (now - at) / self._refill_s)

    def _put(self, client: str, left: float, now: float) -> None:
        self._left[client] = (left, now)
        self._left.move_to_end(client)
        while len(self._left) > self._most_clients:
            self._left.popitem(last=False)


def client_of_address(host: str) -> str:
    """Whose allowance an address takes from: one IPv4 address, or the /64 in which a single host may have them all."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


class DeviceCookies:
    """Makes and recognises the cookies; they are worth nothing after a restart."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def make(self) -> str:
        """A new cookie's value."""
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._signature(nonce)}"

    def client(self, value: str | None) -> str | None:
        """Whose allowance the bearer of this cookie takes from, or None when we did not make it."""
        if not value or len(value) > _LONGEST_COOKIE or not value.isascii():
            return None
        nonce, dot, signature = value.partition(".")
        if not dot or not hmac.compare_digest(signature, self._signature(nonce)):
            return None
        return f"device {nonce}"

    def _signature(self, nonce: str) -> str:
        digest = hmac.digest(self._key, nonce.encode(), sha256)
        return urlsafe_b64encode(digest).decode().rstrip("=")
