"""Puts the redactor before all that this process logs, or prints about its errors.

``install_redaction`` covers log records of every logger (message, arguments, traceback, stack), the output of
the root logger's formatters, uncaught exceptions of the main thread and of others, exceptions that cannot be
raised (``__del__``), and warnings. What is not logged, such as a status message over MQTT, passes through
``redact``.
"""

import io
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TextIO

from streamer.redactor import HIDDEN, SecretRedactor

__all__ = [
    "HIDDEN",
    "RedactingFilter",
    "RedactingFormatter",
    "SecretRedactor",
    "install_redaction",
    "redact",
    "uninstall_redaction",
]


class RedactingFilter(logging.Filter):
    """Rewrites a record so that nothing in it shows a secret: message, arguments, traceback and stack.

    The arguments are merged into the message, so every handler that sees the record later sees the clean one.
    """

    def __init__(self, redactor: SecretRedactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean ``record`` in place; lets every record pass."""
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a wrong format string or argument must not stop the program
            message = f"{record.msg!r} with arguments {record.args!r} ({type(error).__name__})"
        record.msg = self._redactor.redact(message)
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._redactor.redact(_format_exception(record.exc_info[1], record.exc_info[2]))
        if record.stack_info:
            record.stack_info = self._redactor.redact(record.stack_info)
        return True


class RedactingFormatter(logging.Formatter):
    """Formats with another formatter and redacts the whole result, whatever that formatter adds."""

    def __init__(self, inner: logging.Formatter | None, redactor: SecretRedactor) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The redacted line or lines of ``record``."""
        return self._redactor.redact(self.inner.format(record))


@dataclass(frozen=True, slots=True)
class _Originals:
    """What was there before, to be put back."""

    record_factory: Callable[..., logging.LogRecord]
    excepthook: Callable[[type[BaseException], BaseException, TracebackType | None], Any]
    threading_excepthook: Callable[[threading.ExceptHookArgs], Any]
    unraisablehook: Callable[["sys.UnraisableHookArgs"], Any]
    formatwarning: Callable[..., str]


_redactor: Final = SecretRedactor()
_lock: Final = threading.Lock()
_originals: _Originals | None = None


def redact(text: str) -> str:
    """``text`` without the secrets that ``install_redaction`` knows, nor anything in the shape of one."""
    return _redactor.redact(text)


def install_redaction(secrets: Iterable[str] = ()) -> SecretRedactor:
    """Hide ``secrets`` from now on in everything this process logs, or prints about its errors.

    Call it early without secrets, and again once the settings are read or read anew: secrets add up, hooks
    are set once. Handlers that the root logger got in between are covered by the later call. Returns the
    redactor in use.
    """
    global _originals  # noqa: PLW0603 - hooks belong to the process, so does this
    _redactor.add(secrets)
    with _lock:
        if _originals is None:
            _originals = _set_hooks()
        for handler in logging.getLogger().handlers:
            if not isinstance(handler.formatter, RedactingFormatter):
                handler.setFormatter(RedactingFormatter(handler.formatter, _redactor))
    return _redactor


def uninstall_redaction() -> None:
    """Put everything back as it was before the first ``install_redaction``. Known secrets stay known."""
    global _originals  # noqa: PLW0603 - see install_redaction
    with _lock:
        if _originals is None:
            return
        logging.setLogRecordFactory(_originals.record_factory)
        sys.excepthook = _originals.excepthook
        threading.excepthook = _originals.threading_excepthook
        sys.unraisablehook = _originals.unraisablehook
        warnings.formatwarning = _originals.formatwarning
        _originals = None
        for handler in logging.getLogger().handlers:
            if isinstance(handler.formatter, RedactingFormatter):
                handler.setFormatter(handler.formatter.inner)


def _set_hooks() -> _Originals:
    originals = _Originals(
        record_factory=logging.getLogRecordFactory(),
        excepthook=sys.excepthook,
        threading_excepthook=threading.excepthook,
        unraisablehook=sys.unraisablehook,
        formatwarning=warnings.formatwarning,
    )
    cleaner = RedactingFilter(_redactor)

    # A filter on the root's handlers would miss loggers that do not propagate; the factory makes every
    # record.
    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = originals.record_factory(*args, **kwargs)
        cleaner.filter(record)
        return record

    def format_warning(*args: Any, **kwargs: Any) -> str:
        return redact(originals.formatwarning(*args, **kwargs))

    logging.setLogRecordFactory(make_record)
    sys.excepthook = _print_uncaught
    threading.excepthook = _print_uncaught_of_thread
    sys.unraisablehook = _print_unraisable
    warnings.formatwarning = format_warning
    return originals


def _format_exception(error: BaseException | None, trace: TracebackType | None) -> str:
    lines = traceback.format_exception(type(error), error, trace) if error is not None else []
    return "".join(lines).rstrip("\n")


def _print_uncaught(
    kind: type[BaseException],  # noqa: ARG001 - the signature of sys.excepthook
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    _print(_format_exception(error, trace))


def _print_uncaught_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:
        # as the interpreter's own hook: a thread may end itself so
        return
    name = args.thread.name if args.thread is not None else "unknown"
    error = args.exc_value if args.exc_value is not None else args.exc_type()
    _print(f"Exception in thread {name}:\n{_format_exception(error, args.exc_traceback)}")


def _print_unraisable(args: "sys.UnraisableHookArgs") -> None:
    error = args.exc_value if args.exc_value is not None else args.exc_type()
    where = f"{args.err_msg or 'Exception ignored in'}: {_safe_repr(args.object)}"
    _print(f"{where}\n{_format_exception(error, args.exc_traceback)}")


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - the object is being torn down
        return f"<{type(value).__name__}>"


def _print(text: str) -> None:
    stream: TextIO | None = sys.stderr
    if stream is None or stream.closed:
        return
    try:
        stream.write(redact(text) + "\n")
        stream.flush()
    except (OSError, ValueError, io.UnsupportedOperation):
        # nowhere left to say it
        return
