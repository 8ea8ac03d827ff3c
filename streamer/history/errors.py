"""Errors of the history."""

from streamer.errors import StreamerError


class HistoryError(StreamerError):
    """The history of compliance cannot be written or read; alerts do not depend on it."""
