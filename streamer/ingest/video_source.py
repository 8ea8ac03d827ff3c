"""One connection to anything that libav reads: RTSP, HTTP, video files, webcams."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from fractions import Fraction
from sys import byteorder
from typing import Final

import av
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from streamer.frame import Frame
from streamer.ingest.collapse import collapsing_warnings
from streamer.ingest.counters import StreamFormat
from streamer.ingest.device_decoding import Device, pixel_format
from streamer.ingest.device_picture import picture_of
from streamer.ingest.errors import (
    ConnectionLost,
    CorruptStream,
    EndOfStream,
    IngestError,
    NoVideo,
    StreamStalled,
)
from streamer.ingest.frame_skipping import FrameSkipping
from streamer.ingest.hardware import HARDWARE
from streamer.ingest.libav import ENDED_WORDS, LogLine, captured_log, explain_read, open_container, shown
from streamer.ingest.session import Session, StreamWatch
from streamer.ingest.source import Source
from streamer.ingest.stream_decoder import StreamDecoder
from streamer.ingest.timing import FrameTimes, LiveTiming, RecordingTiming
from streamer.ingest.urls import SourceKind
from streamer.ingest.video_picture import VideoPicture

logger = logging.getLogger(__name__)

#: Packets come, but all is damaged or no key frame follows: after so long a new connection is the better
#: hope.
_RESYNC_LIMIT_S: Final = 30.0

#: A damaged recording is read on past so many unreadable places in a row.
_READ_ERRORS_LIMIT: Final = 50

#: libav plays text files as terminal recordings; nobody means that.
_TEXT_FORMATS: Final = frozenset({"tty", "bin", "xbin", "idf", "adf"})

_FALLBACK_FPS: Final = 25.0

#: The system's clock may leave the connection's by so much before it is worth a line in the log.
_CLOCK_DEPARTURE_S: Final = 2.0


def video_frames(source: Source, session: Session) -> Iterator[Frame]:
    """The good frames that are due, from one connection; ends when ``session.stop`` is set.

    A recording with ``loop`` is opened again at its end and stays one connection. Raises an ``IngestError``
    when the connection ends for any other reason, ``EndOfStream`` included.
    """
    with captured_log() as log:
        reader = _VideoReader(source, session, log)
        try:
            while not session.stop.is_set():
                with closing(open_container(source, log)) as container:
                    yield from reader.read(container)
                if session.stop.is_set():
                    return
                if not reader.is_recording:
                    raise ConnectionLost(f"{source.display}: the camera ended the stream")
                if not reader.shown:
                    raise NoVideo(f"{source.display}: no frame of it can be decoded")
                if not source.loop:
                    raise EndOfStream(f"{source.display}: the recording has ended")
        finally:
            reader.report_log(at_once=True)


class _VideoReader:
    """The state of one connection, which outlives the rounds of a looped recording."""

    def __init__(self, source: Source, session: Session, log: list[LogLine]) -> None:
        self._source = source
        self._session = session
        self._log = log
        self._collapser = collapsing_warnings(logger, session.camera_id)
        self._skipping = None if session.fps is None else FrameSkipping(session.fps)
        self._devices: Mapping[str, Device] = (
            {} if source.kind is SourceKind.FILE else HARDWARE.devices(source.hardware)
        )
        self._timing: LiveTiming | RecordingTiming | None = None
        self._format: StreamFormat | None = None
        self._frame_kind: tuple[int, int, str] | None = None
        self._decoded_before = 0
        self._clock_told = False
        self.is_recording = source.kind is SourceKind.FILE
        self.shown = 0

    def read(self, container: InputContainer) -> Iterator[Frame]:
        """Frames until the container's end or the stop; raises the ``IngestError`` that ends it otherwise."""
        source, session = self._source, self._session
        stream = _video_stream(container, source)
        if source.kind is SourceKind.HTTP and container.duration is not None:
            self.is_recording = True
        decoder = StreamDecoder(
            stream,
            source,
            session.counters,
            self._log,
            skipping=self._skipping,
            # a recording may be turned, which a decoder of its own would not hear of
            devices=None if self.is_recording else self._devices,
        )
        with closing(decoder):
            yield from self._decoded(container, stream, decoder)

    def _decoded(
        self, container: InputContainer, stream: VideoStream, decoder: StreamDecoder
    ) -> Iterator[Frame]:
        source, session = self._source, self._session
        if self._skipping is not None:
            self._skipping.begin_again()
        timing = self._timing_for(stream)
        if isinstance(timing, RecordingTiming):
            timing.media_time.begin_again()
        last_frame_s = time.monotonic()
        for packet, received_s in self._packets(container, stream):
            shown_before = self.shown
            if session.watch is not None and not self.is_recording:
                _tell_times(session.watch, packet, received_s)
            for frame in decoder.decode(packet):
                last_frame_s = received_s
                self.shown += 1
                times = timing.take(frame.time, received_s)
                if session.stop.is_set():
                    return
                self._tell_format(frame, stream, decoder)
                index = self._decoded_before + decoder.given - 1
                if times is not None:
                    session.counters.due += 1
                    yield _frame(session.camera_id, index, frame, times)
                elif session.slot is not None and session.slot.is_waiting:
                    present = timing.present(received_s)
                    if present is not None:
                        session.slot.freshen(_frame(session.camera_id, index, frame, present))
            shown = self.shown - shown_before
            left_out = int(decoder.leaves_out and packet.size > 0 and not shown)
            session.sink.progressed(received_s, shown, left_out)
            self.report_log()
            limit_s = max(_RESYNC_LIMIT_S, source.stall_s)
            if not self.is_recording and received_s - last_frame_s > limit_s:
                raise CorruptStream(f"{source.display}: no undamaged frame for {limit_s:g} s")
        self._decoded_before += decoder.given

    def report_log(self, *, at_once: bool = False) -> None:
        """Pass on what libav said, collapsed and without secrets; look after the system's clock.

        That a stream ended is left out: the error says it.
        """
        for level, name, message in self._log:
            if level <= av.logging.WARNING and message.strip() and not ENDED_WORDS.search(message):
                self._collapser.add(shown(f"{name}: {message.strip()}", self._source))
        self._log.clear()
        self._collapser.flush(at_once=at_once)
        if isinstance(self._timing, LiveTiming) and not self._clock_told:
            departure_s = self._timing.clock.departure_s()
            if abs(departure_s) > _CLOCK_DEPARTURE_S:
                self._clock_told = True
                logger.warning(
                    "%s: the system's clock was set by %+.1f s; frame times follow at the next connection",
                    self._session.camera_id,
                    departure_s,
                )

    def _packets(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple["Packet[VideoStream]", float]]:
        """Video packets with the time of their reception; watches over stalls and unreadable places."""
        source, session = self._source, self._session
        errors = 0
        last_video_s = time.monotonic()
        demuxer = container.demux()
        while not session.stop.is_set():
            asked_s = time.monotonic()
            failure: IngestError | None = None
            try:
                packet = next(demuxer, None)
            except IndexError:
                # At the end PyAV also flushes streams that turned up on the way, which it never listed.
                return
            except (av.FFmpegError, OSError, ValueError) as error:
                failure = explain_read(error, self._log, source)
            received_s = time.monotonic()
            if failure is not None:
                errors += 1
                session.counters.decode_errors += 1
                if not isinstance(failure, CorruptStream) or errors > _READ_ERRORS_LIMIT:
                    raise failure
                demuxer = container.demux()
                continue
            if packet is None:
                return
            errors = 0
            # Not packet.stream_index: it is 0 in the empty packets that flush the other streams' decoders.
            is_video = packet.stream.index == stream.index
            if is_video:
                last_video_s = received_s
            if received_s - min(asked_s, last_video_s) >= source.stall_s and not self.is_recording:
                # libav gives out what it still held once its limit has struck, as if all were well.
                raise StreamStalled(f"{source.display}: nothing came for {source.stall_s:g} s")
            if is_video:
                session.counters.packets += packet.size > 0
                session.counters.key_frames += packet.is_keyframe
                yield packet, received_s  # type: ignore[misc]

    def _timing_for(self, stream: VideoStream) -> LiveTiming | RecordingTiming:
        if self._timing is None:
            if self.is_recording:
                self._timing = RecordingTiming(
                    fps=self._session.fps,
                    phase=self._session.phase,
                    stop=self._session.stop,
                    paced=self._source.paced,
                    start_epoch_s=self._source.start_epoch_s,
                    interval_s=1.0 / (_declared_fps(stream) or _FALLBACK_FPS),
                )
            else:
                self._timing = LiveTiming(fps=self._session.fps, phase=self._session.phase)
        return self._timing

    def _tell_format(self, frame: av.VideoFrame, stream: VideoStream, decoder: StreamDecoder) -> None:
        """Announce the format with the first frame and whenever it changes."""
        device = None if frame.sw_format is None else decoder.device
        kind = frame.width, frame.height, f"{pixel_format(frame)} {device}"
        if kind == self._frame_kind:
            return
        self._frame_kind = kind
        known = self._format
        self._format = StreamFormat(
            codec=decoder.codec,
            image_hw=VideoPicture(frame).image_hw,
            pixel_format=pixel_format(frame),
            fps=_declared_fps(stream),
            pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
            decoder=f"{decoder.codec} ({device or 'software'})",
            device=device,
        )
        if known is None and self._session.watch is not None:
            self._session.watch.connected(time.monotonic())
        if known is not None:
            self._session.counters.format_changes += 1
            logger.info("%s: the stream changed from %s to %s", self._session.camera_id, known, self._format)
        self._session.sink.opened(self._format)


def _tell_times(watch: StreamWatch, packet: "Packet[VideoStream]", received_s: float) -> None:
    """What a packet says of the camera's clocks. Where RTCP told the time of day, libav hands it on with each packet
    (``AVProducerReferenceTime``: microseconds, then flags).
    """
    stamp = packet.pts if packet.dts is None else packet.dts
    if stamp is None:
        return
    ahead_s = None
    if packet.has_sidedata("prft"):
        told_us = int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], byteorder, signed=True)
        ahead_s = told_us / 1e6 - time.time()
    watch.packet(float(stamp * packet.time_base), received_s, ahead_s)


def _frame(camera_id: str, index: int, frame: av.VideoFrame, times: FrameTimes) -> Frame:
    return Frame(
        camera_id=camera_id,
        index=index,
        pts_s=frame.time,
        captured_at=times.captured_at,
        received_mono_s=times.received_mono_s,
        picture=picture_of(frame),
    )


def _video_stream(container: InputContainer, source: Source) -> VideoStream:
    if container.format.name in _TEXT_FORMATS:
        raise NoVideo(f"{source.display}: is text, not video")
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise NoVideo(f"{source.display}: holds no video")


def _declared_fps(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    # MJPEG over HTTP declares none and libav says 25; rates beyond what cameras do are time bases in
    # disguise.
    return float(rate) if rate and 0 < rate <= 240 else None
