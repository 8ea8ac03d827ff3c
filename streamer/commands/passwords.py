"""Secrets on the command line, as references that other users of the machine cannot read."""

import os
import sys
from pathlib import Path

from config.secret_text import Surroundings, expand_variables, resolve_secret
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
    if password == text:
        _warn("the password stays in the shell's history; ${NAME} or file:/path keep it out")
    return password


def given_url(text: str) -> str:
    """The address with ``${NAME}`` replaced from the environment, as in a SITE.yaml; paths stay as they are.

    Raises ``UsageError`` when a variable is not set.
    """
    if "://" not in text:
        return text
    try:
        return expand_variables(text, os.environ)
    except ValueError as error:
        raise UsageError(f"the address: {error}") from None


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
