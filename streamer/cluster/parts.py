"""Makes a part of each kind, in the process that is to be it."""

import importlib.metadata
import logging
from dataclasses import replace
from typing import Any

from config import SiteSettings
from models.runtime.memory import keep_no_large_blocks
from streamer.cluster.errors import ClusterError
from streamer.cluster.lane import LaneServer
from streamer.cluster.placement import Kind


def make_part(kind: Kind, site: SiteSettings, threads: int | None) -> Any:
    """A part, at work. Loads what its kind needs and no more; ``threads`` are for the networks alone."""
    if kind is Kind.INGEST:
        from streamer.cluster.ingest_part import IngestPart  # noqa: PLC0415 - the decoders

        return IngestPart(site)
    if kind is Kind.INFERENCE:
        from streamer.cluster.inference_part import InferencePart  # noqa: PLC0415 - the networks

        return InferencePart(site, threads=threads)
    from streamer.cluster.rules_part import RulesPart  # noqa: PLC0415

    return RulesPart(site)


class PartActor:
    """A part as the whole of a process: what Ray makes an actor of. Each public method is one of a part's.

    Raises ``ClusterError`` unless the head is of the same ``version``. ``level``: of what is logged.
    """

    def __init__(self, kind: Kind, site: SiteSettings, threads: int | None, level: int, version: str) -> None:
        if version != (own := importlib.metadata.version("ppewatch")):
            raise ClusterError(f"ppewatch {own} is installed on this machine, {version} at the head")
        keep_no_large_blocks()
        logging.basicConfig(level=level, format=f"%(asctime)s %(levelname)-7s {kind} %(name)s: %(message)s")
        self._part = make_part(kind, site, threads)
        self._lane = LaneServer(self._part)

    def exchange(self, *args: Any) -> Any:
        """See the parts, as of all that follows. The report says where others of this machine call it best."""
        return replace(self._part.exchange(*args), lane=self._lane.address)

    def offer(self, *args: Any) -> Any:
        """Of an inference part."""
        return self._part.offer(*args)

    def cut(self, *args: Any) -> Any:
        """Of an ingest part."""
        return self._part.cut(*args)

    def small(self, *args: Any) -> Any:
        """Of an ingest part."""
        return self._part.small(*args)

    def snapshot(self, *args: Any) -> Any:
        """Of an ingest part."""
        return self._part.snapshot(*args)

    def example(self, *args: Any) -> Any:
        """Of an ingest part."""
        return self._part.example(*args)

    def judge(self, *args: Any) -> Any:
        """Of a rules part."""
        return self._part.judge(*args)

    def finish(self) -> Any:
        """Of every part."""
        return self._part.finish()
