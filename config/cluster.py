"""Settings of a site that runs on several machines."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from config.base import Settings, Text, bounded
from config.quantities import Seconds
from config.tls import expanded

#: More parts of one kind than any cluster has machines for.
_MOST_PARTS: Final = 1000


class ClusterSettings(Settings):
    """Machines that share the work, as a Ray cluster; without `address` everything runs in this one process.

    `ppewatch run SITE.yaml --cluster ADDRESS` goes before `address`. See docs/cluster.md.
    """

    address: Annotated[Text, BeforeValidator(expanded)] | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="`HOST:PORT` of the cluster's head, or `local` for a cluster of this machine alone.",
    )
    ingest: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_PARTS,
        description="Parts that read cameras. Left out: one on every machine.",
    )
    inference: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_PARTS,
        description="Parts that run the models. Left out: one for every GPU, or on every machine where there is none.",
    )
    rules: int | None = Field(
        default=None,
        ge=1,
        le=_MOST_PARTS,
        description="Parts that judge. Left out: one for every 64 cameras.",
    )
    ingest_cores: float = Field(
        default=0.5, ge=0.0, le=256, description="Cores of its machine that a part that reads cameras takes."
    )
    inference_cores: float = Field(
        default=1.0,
        ge=0.1,
        le=256,
        description="Cores that a part that runs the models takes; on a CPU it uses as many threads, at least one.",
    )
    rules_cores: float = Field(
        default=0.2, ge=0.0, le=256, description="Cores that a part that judges takes."
    )
    lost_after_s: Seconds = bounded(
        default=5.0,
        alias="lost_after",
        ge=3,
        le=60,
        description="A part of which nothing is heard for so long counts as gone; its cameras go to others.",
    )
