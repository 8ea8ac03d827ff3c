"""What the page of a camera's zones gets and sends, as plain values."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from config.site_edit import RuleWish, ZoneWish
from streamer.web.status import UtcTime

Box = tuple[float, float, float, float]

_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorRule:
    """A rule of the site.

    - ``rule``: as it may be changed here.
    - ``wildcards``: entries of its ``where`` that take in this camera among others; ``elsewhere``: those of others.
    - ``schedule``: when it holds, in words; empty: always.
    """

    rule: RuleWish
    wildcards: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    schedule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """The file as it was before a change. ``what``: what that change was, in words."""

    version: str
    at: UtcTime
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorState:
    """What can be changed at a camera.

    - ``revision``: of the file; a change names it, so that nobody overwrites what he has not seen.
    - ``warning``: why saving will fail, or what is in force differs from the file; empty: all is well.
    """

    camera: str
    revision: str
    zones: tuple[ZoneWish, ...]
    rules: tuple[EditorRule, ...]
    gear: tuple[str, ...]
    versions: tuple[Version, ...] = ()
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a page sends: all zones of the camera, the rules that change or are new, the names of those to remove."""

    __pydantic_config__ = _STRICT

    revision: Annotated[str, Field(max_length=100)]
    zones: Annotated[tuple[ZoneWish, ...], Field(max_length=100)]
    rules: Annotated[tuple[RuleWish, ...], Field(max_length=100)] = ()
    removed_rules: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=100)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAlert:
    """An alert that would have come.

    - ``started_at``: first seen missing; ``at``: when it would have been said; ``ended_at``: None while it goes on.
    - ``box_xyxy``, ``head_xyxy``: where the person was then, relative to the picture (0 to 1).
    - ``persons``: how many it stands for.
    """

    rule: str
    zone: str | None
    missing: tuple[str, ...]
    at: UtcTime
    started_at: UtcTime
    ended_at: UtcTime | None
    track_id: int
    score: float
    box_xyxy: Box
    head_xyxy: Box | None
    persons: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    """What rules would have said of the looks between ``since`` and ``until``; ``present``: those in force.

    ``notes``: what the looks cannot tell.
    """

    since: UtcTime
    until: UtcTime
    looks: int
    alerts: tuple[TrialAlert, ...]
    present: tuple[TrialAlert, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveReport:
    """What became of a change. Not ``in_force``: it is written, and ``error`` says why the daemon does not go by it."""

    revision: str
    changes: tuple[str, ...]
    in_force: bool
    error: str = ""
