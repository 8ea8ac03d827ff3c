"""A real mosquitto on a free port of 127.0.0.1, for tests."""

import getpass
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

_BINARY = shutil.which("mosquitto") or (
    "/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else None
)
_PASSWD = shutil.which("mosquitto_passwd")


@dataclass(frozen=True)
class Certificates:
    """A certificate authority, a server certificate for 127.0.0.1 and localhost, and a client certificate."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


class Mosquitto:
    """One broker that can be killed and started again on the same port. What it kept in memory is gone then.

    - ``host``: the loopback address to listen on; certificates name 127.0.0.1 alone.
    - ``users``: name to password; without any, everybody may connect.
    - ``tls``: its certificates; ``require_client_cert`` asks the client for one.
    - ``persistence``: keep sessions and retained messages over a regular stop.
    - ``config``: further lines of mosquitto.conf.
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        users: dict[str, str] | None = None,
        tls: Certificates | None = None,
        require_client_cert: bool = False,
        persistence: bool = False,
        config: tuple[str, ...] = (),
    ) -> None:
        if _BINARY is None:
            pytest.skip("mosquitto is not installed")
        self._folder = folder
        self.host = host
        self.port = free_port(host)
        self._process: subprocess.Popen[bytes] | None = None
        lines = [f"listener {self.port} {self.host}", "log_type all", *config]
        if users:
            lines += ["allow_anonymous false", f"password_file {self._password_file(users)}"]
        else:
            lines += ["allow_anonymous true"]
        if tls is not None:
            lines += [f"cafile {tls.ca}", f"certfile {tls.server_cert}", f"keyfile {tls.server_key}"]
            lines += [f"require_certificate {'true' if require_client_cert else 'false'}"]
        lines += [f"persistence {'true' if persistence else 'false'}"]
        if persistence:
            lines += [f"persistence_location {folder}/"]
        # a broker that is started by root drops to another user, who cannot read a test's folder
        lines += [f"user {getpass.getuser()}"]
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self.log = folder / f"mosquitto-{self.port}.log"

    def __enter__(self) -> "Mosquitto":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([_BINARY, "-c", str(self._config)], stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"mosquitto ended at once:\n{self.log.read_text()}")
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("mosquitto does not take connections")

    def stop(self) -> None:
        """End it in the regular way (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a chance to say goodbye (SIGKILL)."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing (SIGSTOP)."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after ``freeze``."""
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
        self._process = None

    def _password_file(self, users: dict[str, str]) -> Path:
        if _PASSWD is None:
            pytest.skip("mosquitto_passwd is not installed")
        path = self._folder / "passwords"
        path.touch()
        for name, password in users.items():
            subprocess.run([_PASSWD, "-b", str(path), name, password], check=True, capture_output=True)
        return path


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of a loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> Certificates:
    """Make a CA and certificates with openssl; they are valid for a day."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        "req", "-x509", *new_key, "-days", "1", "-subj", "/CN=test ca", "-keyout", "ca.key", "-out", "ca.pem"
    )
    (folder / "san.cnf").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("server", "client"):
        request = (*new_key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("req", *request)
        signing = (
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "1",
            "-extfile",
            "san.cnf",
        )
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    return Certificates(
        ca=folder / "ca.pem",
        server_cert=folder / "server.pem",
        server_key=folder / "server.key",
        client_cert=folder / "client.pem",
        client_key=folder / "client.key",
    )
