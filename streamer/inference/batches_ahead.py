"""Takes the next batch while the models compute the one before, and converts its pictures."""

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from models.letterbox import letterbox_geometry
from streamer.frame import Frame
from streamer.inference.batcher import FrameBatch
from streamer.ingest.video_picture import CACHED_PIXELS

#: The next batch may come later than this; then it is taken when the models are free.
_LONGEST_WAIT_S: Final = 0.25

#: Pictures that are converted at a time, beside the decoders.
_MOST_THREADS: Final = 4


class BatchesAhead:
    """One batch ahead at most, for models that leave the processor free (``models.detector.RunsBeside``): its frames
    are a batch older when they are looked at, which their latency counts.

    A picture is converted to the size at which it is laid into the network's input, and keeps the result
    (``VideoPicture``) until the models ask for it. Those that are larger than what is kept are left to the models.
    ``take`` is ``Batcher.next_batch``. One thread only.
    """

    def __init__(self, take: Callable[[float], FrameBatch | None]) -> None:
        self._take = take
        converting = max(1, min(_MOST_THREADS, (os.cpu_count() or 1) // 2))
        self._pool = ThreadPoolExecutor(1 + converting, thread_name_prefix="prepare")
        self._begun: Future[FrameBatch | None] | None = None

    def begin(self) -> None:
        """Start on the next batch, in the background, unless one is begun."""
        if self._begun is None:
            self._begun = self._pool.submit(self._prepared)

    def next(self, timeout_s: float) -> FrameBatch | None:
        """The batch that was begun, once it is prepared, or else the next one that ``take`` gives; None when there is
        none in time."""
        if self._begun is None:
            return self._take(timeout_s)
        try:
            batch = self._begun.result(timeout_s)
        except TimeoutError:
            return None
        self._begun = None
        return batch

    def drop(self) -> tuple[Frame, ...]:
        """Forget the batch that was begun; its frames, which nobody will look at."""
        if self._begun is None:
            return ()
        batch, self._begun = self._begun.result(), None
        return () if batch is None else batch.frames

    def close(self) -> None:
        """End the threads once they have nothing to do."""
        self._pool.shutdown(wait=False)

    def _prepared(self) -> FrameBatch | None:
        batch = self._take(_LONGEST_WAIT_S)
        if batch is not None:
            for converting in [self._pool.submit(_convert, frame, batch.input_hw) for frame in batch.frames]:
                # the models will meet it too, and know what to do
                with contextlib.suppress(Exception):
                    converting.result()
        return batch


def _convert(frame: Frame, input_hw: tuple[int, int]) -> None:
    content_hw = letterbox_geometry(frame.image_hw, input_hw).content_hw
    if content_hw[0] * content_hw[1] <= CACHED_PIXELS:
        frame.rgb(content_hw)
