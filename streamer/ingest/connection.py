"""One connection to one source, from its opening to its end. Nothing here retries: ``camera`` does."""

from collections.abc import Iterator

from streamer.frame import Frame
from streamer.ingest.counters import StreamFormat
from streamer.ingest.errors import EndOfStream, IngestError
from streamer.ingest.picture_folder import folder_frames
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.video_source import video_frames


def run_connection(source: Source, session: Session) -> IngestError | None:
    """Connect, hand every good frame that is due and passes the gate to ``session.sink``, and return why it ended.

    Returns None when ``session.stop`` was set. Runs in the calling thread; decoding and waiting release the
    GIL.
    """
    try:
        for frame in _frames(source, session):
            if session.watch is not None:
                session.watch.frame(frame.picture, frame.received_mono_s)
            if session.gate is None or session.gate.passes(frame):
                session.sink.frame(frame)
            else:
                session.counters.held_looks += 1
    except IngestError as ended:
        # Without its traceback: its frames hold the address that was opened, password included.
        return ended.with_traceback(None)
    return None


def read_frames(source: Source, session: Session) -> Iterator[Frame]:
    """The frames of a recording for a loop to run through; ``session.sink`` hears of format and progress
    only.

    Ends at the recording's end or when ``session.stop`` is set; raises ``IngestError`` when it cannot be
    read.
    """
    try:
        yield from _frames(source, session)
    except EndOfStream:
        return


class NoSink:
    """A sink for those who take frames from ``read_frames``; remembers the format."""

    def __init__(self) -> None:
        self.stream: StreamFormat | None = None

    def opened(self, stream: StreamFormat) -> None:
        """Remember the newest format."""
        self.stream = stream

    def progressed(self, received_mono_s: float, good_frames: int, left_out: int = 0) -> None:
        """Nothing to do."""

    def frame(self, frame: Frame) -> None:
        """Nothing to do."""


def _frames(source: Source, session: Session) -> Iterator[Frame]:
    return folder_frames(source, session) if source.is_folder else video_frames(source, session)
