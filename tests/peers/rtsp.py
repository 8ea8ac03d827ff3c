"""Starts and ends the RTSP camera of the tests."""

import os
import signal
import subprocess
from functools import cache
from pathlib import Path

SYSTEM_PYTHON = Path("/usr/bin/python3")
SCRIPT = Path(__file__).with_name("rtsp_server.py")


@cache
def missing_reason() -> str | None:
    """Why no RTSP server can be started here, or None."""
    if not SYSTEM_PYTHON.exists():
        return f"needs {SYSTEM_PYTHON} with GStreamer's RTSP server"
    code = 'import gi; gi.require_version("GstRtspServer", "1.0"); from gi.repository import GstRtspServer'
    done = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False)
    return None if done.returncode == 0 else "needs GStreamer's RTSP server (gir1.2-gst-rtsp-server-1.0)"


@cache
def missing_tls_reason() -> str | None:
    """Why no rtsps can be served here, or None."""
    code = "from gi.repository import Gio; raise SystemExit(not Gio.TlsBackend.get_default().supports_tls())"
    done = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False)
    return None if done.returncode == 0 else "needs a TLS backend of GLib (glib-networking)"


class RtspServer:
    """One camera process; ``restart`` keeps the port, so that a stream comes back where it was.

    Keyword arguments are the options of ``rtsp_server.py`` with underscores: ``codec="h265"``.
    """

    def __init__(self, **options: object) -> None:
        self.port = 0
        self.options = options
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        scheme = "rtsps" if self.options.get("certificate") else "rtsp"
        return f"{scheme}://127.0.0.1:{self.port}/stream"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    def start(self, **changes: object) -> None:
        self.options |= changes
        command = [str(SYSTEM_PYTHON), str(SCRIPT), "--port", str(self.port)]
        for name, value in self.options.items():
            flag = "--" + name.replace("_", "-")
            if value is True:
                command.append(flag)
            elif value is not False and value is not None:
                command += [flag, str(value)]
        # GStreamer speaks much on stderr; nothing of it is an answer that a test waits for.
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_environment()
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line.startswith("ready "):
            self.stop()
            raise RuntimeError(f"the RTSP server did not start: {line!r}")
        self.port = int(line.split()[1])

    def stop(self) -> None:
        """End it at once, as when a camera loses its power."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait(10)
        if process.stdout:
            process.stdout.close()

    def restart(self, **changes: object) -> None:
        """Stop, then serve again on the same port, with changed options."""
        self.stop()
        self.start(**changes)

    def hang(self) -> None:
        """The process stops running; its sockets stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def _environment() -> dict[str, str]:
    """The test's environment without its virtual environment, which is for another Python."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in hidden}
