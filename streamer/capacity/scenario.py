"""What is asked of which machines: kinds of cameras, groups of nodes, failures; from YAML, or made by a command."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from config.document import read_document
from models.letterbox import default_input_size, input_hw_for
from streamer.capacity.figures import MachineFigures, read_figures
from streamer.errors import StreamerError

_STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
#: A graphics device on each node, at most.
MOST_BATCH: Final = 64


class ScenarioError(StreamerError):
    """A scenario cannot be used; the message says why."""


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class CameraKind:
    """``count`` cameras of one kind.

    - ``size``: (width, height) of the stream, ``stream_fps`` and ``codec`` likewise.
    - ``fps``: looks a second wanted; ``models``, ``input_size`` and ``priority`` as in SITE.yaml.
    - ``live``: frames come when they come, by ``jitter_s`` late at most; else a recording that is paced.
    """

    count: Count = 1
    size: tuple[Annotated[int, Field(ge=16, le=16384)], Annotated[int, Field(ge=16, le=16384)]] = (1920, 1080)
    stream_fps: Annotated[float, Field(gt=0, le=240)] = 25.0
    codec: str = "h264"
    fps: Annotated[float, Field(gt=0, le=60)] = 5.0
    models: Annotated[tuple[Literal["retinaface", "maskrcnn"], ...], Field(min_length=1)] = (
        "retinaface",
        "maskrcnn",
    )
    input_size: Annotated[int, Field(ge=128, le=7680, multiple_of=32)] | None = None
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    live: bool = True
    jitter_s: Annotated[float, Field(ge=0, le=10)] = 0.01

    @property
    def image_hw(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return self.size[1], self.size[0]

    @property
    def input_hw(self) -> tuple[int, int]:
        """What the networks see."""
        return input_hw_for(self.image_hw, self.input_size or default_input_size(self.image_hw))

    @property
    def looks_fps(self) -> float:
        """Looks a second at most: no more than there are frames."""
        return min(self.fps, self.stream_fps)


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class NodeGroup:
    """``count`` machines of one kind, with the figures of such a machine.

    - ``cores``, ``memory_mb``: of each; None: as the measured one.
    - ``ingest``, ``inference``: what they do. ``workers``: inference workers on each, one a graphics device.
    - ``max_batch``: most pictures in a batch; on a processor it is one.
    - ``network_megabits_s``: what its network carries.
    - ``price_per_hour``: of each, in any currency.
    """

    name: str = "node"
    count: Count = 1
    figures: MachineFigures
    cores: Annotated[int, Field(ge=1, le=4096)] | None = None
    memory_mb: Positive | None = None
    ingest: bool = True
    inference: bool = True
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    max_batch: Annotated[int, Field(ge=1, le=MOST_BATCH)] = 8
    network_megabits_s: Positive = 1000.0
    price_per_hour: NotNegative = 0.0

    @property
    def has_accelerator(self) -> bool:
        """Whether the networks run beside the processor."""
        return self.figures.machine.accelerator is not None

    @property
    def core_count(self) -> int:
        """Cores of each."""
        return self.cores or self.figures.machine.cores

    @property
    def memory(self) -> float:
        """Megabytes of each."""
        return self.memory_mb or self.figures.machine.memory_mb

    @property
    def largest_batch(self) -> int:
        """Most pictures that a batch holds (``InferenceWorker``: one on a processor)."""
        return self.max_batch if self.has_accelerator else 1


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Failures:
    """Workers and nodes that fail at random, each on average every ``..._hours`` hours (None: never).

    A failed one is back after ``repair_s``. What it did is taken over ``takeover_s`` after it failed: it must be found
    out, the cameras placed, connections made anew.
    """

    worker_hours: Positive | None = None
    node_hours: Positive | None = None
    repair_s: Positive = 300.0
    takeover_s: Positive = 10.0


@checked(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Scenario:
    """Cameras, nodes, and what happens to them.

    ``link_ms``: from an ingest node to a worker on another. ``usable``: share of a resource that a plan fills.
    """

    cameras: Annotated[tuple[CameraKind, ...], Field(min_length=1)]
    nodes: Annotated[tuple[NodeGroup, ...], Field(min_length=1)]
    failures: Failures = field(default_factory=Failures)
    link_ms: Annotated[float, Field(ge=0, le=1000)] = 1.0
    usable: Annotated[float, Field(gt=0, le=1)] = 0.8

    def __post_init__(self) -> None:
        if not any(node.ingest for node in self.nodes):
            raise ValueError("no node takes in cameras: one group needs 'ingest: true'")
        if not any(node.inference for node in self.nodes):
            raise ValueError("no node looks: one group needs 'inference: true'")

    @property
    def camera_count(self) -> int:
        """All cameras."""
        return sum(kind.count for kind in self.cameras)

    @property
    def price_per_hour(self) -> float:
        """All nodes."""
        return sum(node.count * node.price_per_hour for node in self.nodes)


_SCENARIO: Final = TypeAdapter(Scenario)


def read_scenario(path: Path) -> Scenario:
    """The scenario in a YAML file; ``figures`` of a node group names a file, relative to it.

    Raises ``ConfigError`` where it is no YAML, ``ScenarioError`` and ``FiguresError`` where it says what cannot be.
    """
    document = read_document(path)
    data = _with_figures(document.data, path.absolute().parent)
    try:
        return _SCENARIO.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = tuple(first["loc"])
        mark = next(
            (
                document.values[place[:end]]
                for end in range(len(place), -1, -1)
                if place[:end] in document.values
            ),
            None,
        )
        line = "" if mark is None else f":{mark.line}:{mark.column}"
        words = ".".join(map(str, place))
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ScenarioError(f"{path}{line}: {words + ': ' if words else ''}{message}") from None


def _with_figures(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    nodes = data.get("nodes")
    if not isinstance(nodes, list):
        return data
    read = []
    for node in nodes:
        named = node.get("figures") if isinstance(node, dict) else None
        read.append({**node, "figures": read_figures(folder / named)} if isinstance(named, str) else node)
    return {**data, "nodes": read}
