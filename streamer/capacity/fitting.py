"""The inverse questions: how many cameras, looks, pixels, machines."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal, cast

from streamer.capacity.figures import FiguresError
from streamer.capacity.planning import plan, resources_of
from streamer.capacity.scenario import NodeGroup, Scenario

#: Longest sides of the networks' input that are tried when it is asked which fit.
INPUT_SIZES: Final = (320, 480, 640, 960, 1280, 1920, 2560, 3840)

#: More of anything is not tried.
_MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class WayToLook:
    """By which models, at which longest side in pixels; how many cameras fit then, and what binds."""

    models: tuple[str, ...]
    input_px: int
    cameras: int
    binding: str


def most_cameras(scenario: Scenario) -> int:
    """How many cameras fit, of the kinds of ``scenario`` in their proportion; 0 where none does."""
    return _last(lambda count: plan(_with_cameras(scenario, count)).fits, _MOST)


def most_fps(scenario: Scenario) -> float:
    """How many looks a second fit at every camera, to a tenth, up to the rate of the streams; 0: none."""

    def fits(tenths: int) -> bool:
        kinds = tuple(replace(kind, fps=tenths / 10) for kind in scenario.cameras)
        return plan(replace(scenario, cameras=kinds)).fits

    fastest = max(kind.stream_fps for kind in scenario.cameras)
    return _last(fits, round(10 * min(60.0, fastest))) / 10


def nodes_needed(scenario: Scenario) -> dict[str, int]:
    """The least number of nodes by name of each group that take all cameras, while the other groups do their part.

    Groups that do the same kind of work grow in proportion. Raises ``FiguresError`` where no number would do.
    """
    for group in scenario.nodes:
        for one in resources_of(scenario, group):
            if one.name == "one stream" and one.share > 1:
                raise FiguresError(
                    f"{group.name}: a stream takes {one.wanted:.1f} cores to decode, and is decoded in one thread"
                )
    roles = {(group.ingest, group.inference) for group in scenario.nodes}
    counts = {group.name: group.count for group in scenario.nodes}
    for role in roles:
        counts |= _grown(scenario, role)
    return counts


def _grown(scenario: Scenario, role: tuple[bool, bool]) -> dict[str, int]:
    """Nodes of the groups of one role, as few as do."""
    least = min(group.count for group in scenario.nodes if (group.ingest, group.inference) == role)

    def grown(times: int) -> list[NodeGroup]:
        return [
            replace(group, count=min(_MOST, max(1, round(group.count * times / least))))
            if (group.ingest, group.inference) == role
            else group
            for group in scenario.nodes
        ]

    def short(times: int) -> bool:
        nodes = grown(times)
        larger = replace(scenario, nodes=tuple(nodes))
        return any(
            one.share > scenario.usable
            for group in nodes
            if (group.ingest, group.inference) == role
            for one in resources_of(larger, group)
            if one.name != "one stream"
        )

    enough = _last(short, _MOST) + 1
    if enough > _MOST:
        raise FiguresError("no number of such nodes does: the daemon alone takes more than one has")
    return {group.name: group.count for group in grown(enough) if (group.ingest, group.inference) == role}


def ways_to_look(scenario: Scenario) -> list[WayToLook]:
    """How many cameras fit by models and input: all models that were measured, and every input up to the streams' own
    size. Inputs that were not measured are reckoned by their pixels.
    """
    looking = next(group for group in scenario.nodes if group.inference)
    sets = sorted({batch.models for batch in looking.figures.batches}, key=lambda names: (len(names), names))
    widest = max(max(kind.size) for kind in scenario.cameras)
    found = []
    for models, input_px in product(sets, INPUT_SIZES):
        if input_px <= widest:
            names = cast("tuple[Literal['retinaface', 'maskrcnn'], ...]", models)
            kinds = tuple(replace(kind, models=names, input_size=input_px) for kind in scenario.cameras)
            other = replace(scenario, cameras=kinds)
            count = most_cameras(other)
            binding = plan(_with_cameras(other, max(1, count))).binding.name
            found.append(WayToLook(models, input_px, count, binding))
    return found


def _with_cameras(scenario: Scenario, count: int) -> Scenario:
    """``count`` cameras in all, in the proportion of the kinds, those with the largest part left over rounded up."""
    total = scenario.camera_count
    exact = [kind.count * count / total for kind in scenario.cameras]
    counts = [math.floor(one) for one in exact]
    by_rest = sorted(range(len(exact)), key=lambda place: counts[place] - exact[place])
    for place in by_rest[: count - sum(counts)]:
        counts[place] += 1
    kinds = [replace(kind, count=one) for kind, one in zip(scenario.cameras, counts, strict=True) if one]
    return replace(scenario, cameras=tuple(kinds))


def _last(holds: Callable[[int], bool], most: int) -> int:
    """The last number from 1 to ``most`` of which ``holds`` is true, where it is true up to some number; else 0."""
    if not holds(1):
        return 0
    low, high = 1, 2
    while high <= most and holds(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
