"""The one user of the page, with a password or the hash of one, and whether a request carries them."""

import base64
import binascii
import hmac
import secrets
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

#: Longer headers are no credentials of ours, and hashing is not free.
_LONGEST_HEADER: Final = 2048

_hasher: Final = PasswordHasher()
#: A verification takes 64 MiB for some 100 ms: one at a time, whoever asks.
_one_at_a_time: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Credentials:
    """One user of the page. ``repr`` shows neither the password nor its hash.

    One of ``password`` and ``password_hash`` (Argon2, in PHC's notation) is given. Raises ``ValueError`` otherwise, on
    an empty user, one with a colon, or a hash that is none.
    """

    user: str
    password: str = field(default="", repr=False)
    password_hash: str = field(default="", repr=False)
    _key: bytes = field(
        default_factory=lambda: secrets.token_bytes(32), init=False, repr=False, compare=False
    )
    _known: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.user or ":" in self.user or bool(self.password) == bool(self.password_hash):
            raise ValueError(
                "user and password must not be empty, the user must not contain a colon, and there is one password or "
                "one hash"
            )
        if self.password_hash:
            try:
                _hasher.check_needs_rehash(self.password_hash)
            except InvalidHashError:
                raise ValueError("the password hash must be one of Argon2: $argon2id$...") from None
        else:
            self._known.append(self._digest(f"{self.user}:{self.password}".encode()))

    def match(self, authorization: str) -> bool:
        """Whether an ``Authorization`` header (RFC 7617) carries them. What is compared in the end are keyed digests of
        one length, in a time that tells nothing of them.

        With a hash the first time takes some 100 ms; call it where that holds up nobody.
        """
        given = _basic(authorization)
        if given is None:
            return False
        digest = self._digest(given)
        if self._known:
            return hmac.compare_digest(digest, self._known[0])
        user, _, password = given.partition(b":")
        same_user = hmac.compare_digest(self._digest(user), self._digest(self.user.encode()))
        with _one_at_a_time:
            # whatever the user: the time must not tell whether the name is right
            right = _verified(self.password_hash, password) and same_user
        if right:
            # from now on a comparison is enough; a wrong password no longer costs a hash either
            self._known.append(digest)
        return right

    @property
    def is_quick(self) -> bool:
        """Whether ``match`` is only a comparison."""
        return bool(self._known)

    def _digest(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, sha256)


def hash_of(password: str) -> str:
    """The Argon2id hash of a password, for ``http: {password_hash: ...}``."""
    return _hasher.hash(password)


def _verified(password_hash: str, password: bytes) -> bool:
    try:
        return bool(_hasher.verify(password_hash, password))
    except VerificationError:
        return False


def _basic(authorization: str) -> bytes | None:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST_HEADER:
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
