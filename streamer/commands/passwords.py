"""Passwords on the command line, as references that other users of the machine cannot read."""

import os
from pathlib import Path

from config.secret_text import Surroundings, resolve_secret
from streamer.commands import UsageError
from streamer.redaction import install_redaction


def given_password(text: str | None) -> str | None:
    """The password that ``text`` is or refers to (``${NAME}``, ``file:/path``); redacted from now on.

    Raises ``UsageError`` when the reference leads nowhere.
    """
    if text is None:
        return None
    try:
        password = resolve_secret(text, Surroundings(environ=os.environ, base_dir=Path.cwd()))
    except ValueError as error:
        raise UsageError(f"--password: {error}") from None
    install_redaction({password})
    return password
