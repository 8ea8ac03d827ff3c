"""Certificate authorities of the tests, and the certificates that a peer may come with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """A CA of its own in ``folder``; ``ca`` is its certificate. Every file is PEM."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._name = name
        self._ca = trustme.CA()
        self.ca = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(str(self.ca))

    def issue(
        self, name: str, *identities: str, expired: bool = False, common_name: str | None = None
    ) -> "Identity":
        """A certificate for host names or addresses (127.0.0.1 when none are given)."""
        now = datetime.now(UTC)
        leaf = self._ca.issue_cert(
            *(identities or ("127.0.0.1",)),
            common_name=common_name,
            not_before=now - timedelta(days=3),
            not_after=now + timedelta(days=-1 if expired else 1),
        )
        made = Identity(self._folder / f"{self._name}-{name}")
        leaf.cert_chain_pems[0].write_to_path(str(made.cert))
        leaf.private_key_pem.write_to_path(str(made.key))
        leaf.private_key_and_cert_chain_pem.write_to_path(str(made.both))
        made.key.chmod(0o600)
        return made


class Identity:
    """A certificate, its key, and both in one file."""

    def __init__(self, stem: Path) -> None:
        self.cert = stem.with_suffix(".pem")
        self.key = stem.with_suffix(".key")
        self.both = stem.with_suffix(".both.pem")
