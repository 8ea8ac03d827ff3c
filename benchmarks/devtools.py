"""Chromium over its debugging pipe, with nothing switched on that is not asked for.

Drivers that record the network (Playwright does) have the renderer keep the bodies of what it was answered, which
would be taken for growth of the page.
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Chromium:
    """One headless browser with a profile of its own; a context manager. ``call`` is for one thread."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="ppewatch-browser-", ignore_cleanup_errors=True)
        commands_out, self._commands = os.pipe()
        self._answers, answers_in = os.pipe()

        # it reads commands from its descriptor 3 and answers on 4, which a shell can see to
        redirected = f'exec "$0" "$@" 3<&{commands_out} 4>&{answers_in}'
        self._process = subprocess.Popen(
            [
                "/bin/bash", "-c", redirected, program,
                "--headless", "--no-sandbox", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--window-size=1280,900", "--remote-debugging-pipe",
                f"--user-data-dir={self._profile.name}", "about:blank",
            ],
            pass_fds=(commands_out, answers_in),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands_out)
        os.close(answers_in)
        self._buffer = b""
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        os.close(self._commands)
        os.close(self._answers)
        self._profile.cleanup()

    @property
    def pid(self) -> int:
        """The browser's own process."""
        return self._process.pid

    def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol and its result. Raises ``RuntimeError`` with the browser's words."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            more = os.read(self._answers, 65536)
            if not more:
                raise RuntimeError("the browser has ended")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Tab:
    """A page in a window of its own, of the browser's usual kind: its cache of pictures lies on disk."""

    def __init__(self, browser: Chromium, url: str, *, script: str) -> None:
        self._browser = browser
        self.url = url
        target = browser.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        self.call("Page.navigate", url=url)
        self.call("Performance.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """As ``Chromium.call``, of this page."""
        return self._browser.call(method, session=self._session, **parameters)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of the page's."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


def processes_below(pid: int) -> dict[int, str]:
    """The processes below ``pid``, and of which type each is (``renderer``, ``gpu-process``, ...)."""
    found: dict[int, str] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            arguments = status.with_name("cmdline").read_text(errors="replace")
        except OSError:
            continue
        # processes of the zygote have their arguments in one
        kind = re.search(r"--type=([a-z-]+)", arguments)
        found[int(status.parent.name)] = f"{parent} {kind[1] if kind else 'browser'}"
    family, grown = {pid}, True
    while grown:
        more = {child for child, told in found.items() if int(told.split()[0]) in family} - family
        family |= more
        grown = bool(more)
    return {one: found[one].split()[1] for one in family if one in found}
