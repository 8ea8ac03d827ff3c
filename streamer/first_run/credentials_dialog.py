"""Users and passwords, as they are asked for."""

from streamer.first_run.console import Console
from streamer.first_run.plan import Password, checked_secret
from streamer.redaction import install_redaction


def ask_password(console: Console, whose: str) -> Password | None:
    """A password, not shown while it is typed and hidden from then on; None where there is none."""
    value = console.secret(f"{whose} (it is not shown; Enter: none)", checked_secret)
    if not value:
        return None
    install_redaction({value})
    return Password(value)


def ask_user(console: Console, whose: str, *, default: str = "") -> str:
    """A user's name, empty for none."""
    none = "- for none" if default else "Enter: none"
    user = console.ask(f"{whose} ({none})", checked_user, default=default)
    return "" if user == "-" else user


def checked_user(text: str) -> str:
    """A user's name. Raises ``ValueError``."""
    return checked_secret(text, "a user name")
