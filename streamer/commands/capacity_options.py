"""Options of ``ppewatch plan`` and ``simulate``: a scenario from a file, a site or a few numbers."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import UsageError
from streamer.commands.options import number, whole_number

if TYPE_CHECKING:
    from streamer.capacity.scenario import CameraKind, Failures, Scenario

_STREAM = re.compile(r"(\d{2,5})x(\d{2,5})(?:@(\d+(?:\.\d+)?))?")


def add_scenario_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "scenario", type=Path, nargs="?", metavar="SCENARIO.yaml", help="kinds of cameras and groups of nodes"
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="FILE",
        help="what `ppewatch bench capacity --figures FILE` measured on such a machine",
    )
    parser.add_argument(
        "--site", type=Path, metavar="SITE.yaml", help="the cameras of a site; --stream says what they send"
    )
    parser.add_argument(
        "--cameras", type=whole_number(least=1, most=1_000_000), help="so many cameras, all alike"
    )
    parser.add_argument(
        "--fps", type=number(above=0, most=60), default=5.0, help="looks a second of each (default 5)"
    )
    parser.add_argument(
        "--stream",
        type=_stream,
        default=((1920, 1080), 25.0),
        metavar="WxH@FPS",
        help="what they send (default 1920x1080@25)",
    )
    parser.add_argument("--codec", default="h264", help="as measured (default h264)")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=("retinaface", "maskrcnn"),
        default=("retinaface", "maskrcnn"),
        help="who looks (default both)",
    )
    parser.add_argument(
        "--input-size",
        type=whole_number(least=128, most=7680, multiple_of=32),
        metavar="PX",
        help="longest side at which they look (default: by the stream)",
    )
    parser.add_argument("--nodes", type=whole_number(least=1, most=1_000_000), help="machines (default 1)")
    parser.add_argument(
        "--cores", type=whole_number(least=1, most=4096), help="of each (default: as measured)"
    )
    parser.add_argument("--memory", type=number(above=0, most=1e9), metavar="MB", help="of each, likewise")
    parser.add_argument(
        "--network",
        type=number(above=0, most=1e9),
        default=1000.0,
        metavar="MBIT",
        help="of each (default 1000)",
    )
    parser.add_argument(
        "--price", type=number(least=0, most=1e9), default=0.0, help="of a machine and hour, in any currency"
    )
    parser.add_argument(
        "--usable",
        type=number(above=0, most=1),
        default=0.8,
        metavar="SHARE",
        help="share of anything that a plan fills (default 0.8)",
    )


def add_simulation_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare those of what happens in simulated time."""
    parser.add_argument(
        "--seconds",
        type=number(least=1, most=1e6),
        default=60.0,
        help="simulated seconds that count (default 60)",
    )
    parser.add_argument(
        "--seed", type=whole_number(least=0, most=2**31), default=0, help="another course of chance"
    )
    parser.add_argument(
        "--worker-hours",
        type=number(above=0, most=1e9),
        metavar="H",
        help="a worker fails each H hours on average",
    )
    parser.add_argument("--node-hours", type=number(above=0, most=1e9), metavar="H", help="a node, likewise")
    parser.add_argument(
        "--repair", type=number(above=0, most=1e9), metavar="S", help="until it is back (default 300)"
    )
    parser.add_argument(
        "--takeover",
        type=number(above=0, most=1e9),
        metavar="S",
        help="until others have its cameras (default 10)",
    )
    parser.add_argument(
        "--every-frame",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="follow each frame (default: where there are not too many), or only those that are due",
    )


def scenario_of(args: argparse.Namespace) -> "Scenario":
    """The scenario that was asked for. Raises ``UsageError`` where options do not go together."""
    from dataclasses import replace

    from streamer.capacity.figures import read_figures
    from streamer.capacity.scenario import NodeGroup, Scenario, read_scenario

    if args.scenario is not None:
        if args.figures is not None or args.site is not None or args.cameras is not None:
            raise UsageError("SCENARIO.yaml says what --figures, --site and --cameras say: give one of them")
        return read_scenario(args.scenario)
    if args.figures is None:
        raise UsageError("needs SCENARIO.yaml, or --figures FILE of `ppewatch bench capacity --figures FILE`")
    group = NodeGroup(
        figures=read_figures(args.figures),
        count=args.nodes or 1,
        cores=args.cores,
        memory_mb=args.memory,
        network_megabits_s=args.network,
        price_per_hour=args.price,
    )
    kinds = [_kind_of(args)] if args.site is None else _kinds_of_site(args)
    if args.site is not None and args.cameras is not None:
        raise UsageError("--site says how many cameras there are: no --cameras beside it")
    return Scenario(cameras=tuple(kinds), nodes=(replace(group, name="machine"),), usable=args.usable)


def failures_of(args: argparse.Namespace, before: "Failures") -> "Failures":
    """The failures of a scenario with those that options name in their place."""
    from dataclasses import replace

    given = {
        "worker_hours": args.worker_hours,
        "node_hours": args.node_hours,
        "repair_s": args.repair,
        "takeover_s": args.takeover,
    }
    return replace(before, **{name: value for name, value in given.items() if value is not None})


def _kind_of(args: argparse.Namespace, **changes: Any) -> "CameraKind":
    from streamer.capacity.scenario import CameraKind

    size, stream_fps = args.stream
    settings: dict[str, Any] = {
        "count": args.cameras or 1,
        "size": size,
        "stream_fps": stream_fps,
        "codec": args.codec,
        "fps": args.fps,
        "models": tuple(args.models),
        "input_size": args.input_size,
    }
    return CameraKind(**{**settings, **changes})


def _kinds_of_site(args: argparse.Namespace) -> Sequence["CameraKind"]:
    """A kind for each camera of a site that is on: looks, models, input and priority are its own."""
    from config import load_site
    from streamer import wiring

    site = load_site(args.site)
    kinds = [
        _kind_of(
            args,
            count=1,
            fps=camera.fps,
            models=tuple(sorted(wiring.models_of(site, camera_id))),
            input_size=camera.input_size_px,
            priority=str(camera.priority),
        )
        for camera_id, camera in site.cameras.items()
        if camera.enabled
    ]
    if not kinds:
        raise UsageError(f"{args.site}: every camera is switched off")
    return kinds


def _stream(text: str) -> tuple[tuple[int, int], float]:
    """A type for ``add_argument``: ``1920x1080@25``."""
    match = _STREAM.fullmatch(text.lower())
    fps = float(match[3] or 25) if match else 0.0
    if match is None or not (
        16 <= int(match[1]) <= 16384 and 16 <= int(match[2]) <= 16384 and 0 < fps <= 240
    ):
        raise argparse.ArgumentTypeError(f"{text!r} should be WIDTHxHEIGHT@FPS, such as 1920x1080@25")
    return (int(match[1]), int(match[2])), fps
