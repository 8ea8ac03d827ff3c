"""Encrypted connections to cameras: what libav is told, and why a certificate was not trusted.

libav checks a certificate's chain, dates and host name at once and says of all three only that the check failed. So
after a refusal the handshake is made once more by OpenSSL, which says which it was.
"""

import os
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Where distributions keep the CA certificates that they trust, all in one file: Debian and Alpine, Fedora, SUSE.
_SYSTEM_STORES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

#: What libav says when it does not trust a certificate.
_UNTRUSTED: Final = re.compile(r"failed verification|does not match hostname|verify peer certificate", re.I)

#: What it says when the other side ended the connection, as it does without a client certificate that it wants.
_BROKEN_OFF: Final = re.compile(r"reset by peer|alert|certificate required|handshake", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTls:
    """Whom to trust, and who we are: ``ca_file`` instead of the system's store, our own ``cert_file`` and ``key_file``
    (PEM). ``verify`` False takes any certificate.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True

    def problem(self) -> str | None:
        """Why no connection can be made with these files, or None.

        libav drops the check's files silently or says little, so they are looked at before it gets them.
        """
        if self.verify and self.trusted_file() is None:
            return "this system has no store of CA certificates; name one (tls: {ca: ...})"
        for path in (self.trusted_file(), self.cert_file, self.key_file):
            try:
                if path is not None and b"-----BEGIN" not in path.read_bytes():
                    return f"{path}: holds no PEM"
            except OSError as error:
                return f"{path}: {(error.strerror or 'cannot be read').lower()}"
        return None

    def trusted_file(self) -> Path | None:
        """The file with the CA certificates that are trusted; None when nothing is checked, or there is none."""
        if not self.verify:
            return None
        return self.ca_file or system_store()

    def options(self) -> dict[str, str]:
        """As libav's protocol ``tls`` takes it."""
        options = {"tls_verify": "1" if self.verify else "0"}
        for name, path in (
            ("ca_file", self.trusted_file()),
            ("cert_file", self.cert_file),
            ("key_file", self.key_file),
        ):
            if path is not None:
                options[name] = str(path)
        return options


def system_store() -> Path | None:
    """The system's CA certificates in one file, ``SSL_CERT_FILE`` before others, or None.

    libav's TLS library, as PyAV ships it, looks in a place of the system that it was built on.
    """
    given = os.environ.get("SSL_CERT_FILE")
    known = ssl.get_default_verify_paths().cafile
    for name in (given, known, *_SYSTEM_STORES):
        if name and Path(name).is_file():
            return Path(name)
    return None


def speaks_of_trust(said: str) -> bool:
    """Whether a message of libav means that a certificate was not trusted."""
    return _UNTRUSTED.search(said) is not None


def speaks_of_reset(said: str) -> bool:
    """Whether a message of libav means that the other side broke off."""
    return _BROKEN_OFF.search(said) is not None


def why_not_trusted(host: str, port: int, tls: SourceTls, *, timeout_s: float) -> str | None:
    """What OpenSSL finds wrong with the certificate at ``host:port``, in words; None when it finds nothing."""
    try:
        context = ssl.create_default_context(cafile=tls.trusted_file())
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        with (
            socket.create_connection((host, port), timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".") or None
    except (OSError, ValueError):
        return None
