"""``ppewatch bench``: what the parts cost on this machine, each beside its floor."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from streamer.commands import ExitCode, UsageError
from streamer.commands.ending import ended_by_sigterm
from streamer.commands.options import number, whole_number

HELP = "measure decode, inference, rules, the whole daemon and its memory on this machine"

#: What is measured when an option is not given.
_DEFAULTS: Final = {
    "pipeline": {"cameras": 4, "fps": 5.0, "seconds": 60.0, "repeats": 3},
    "throughput": {"cameras": 4, "fps": 25.0, "seconds": 12.0, "repeats": 5},
    "cluster": {"cameras": 8, "fps": 5.0, "seconds": 12.0, "repeats": 5},
    "starvation": {"cameras": 16, "fps": 1.0, "seconds": 30.0, "repeats": 3},
    "memory": {"fps": 5.0, "settle": 20.0, "repeats": 3},
    "agreement": {"fps": 2.0, "seconds": 20.0, "repeats": 3},
    "growth": {"fps": 1.0, "settle": 300.0},
    "all": {"repeats": 5, "seconds": 6.0},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "what",
        choices=(
            "decode",
            "inference",
            "rules",
            "pipeline",
            "throughput",
            "starvation",
            "memory",
            "tiles",
            "capacity",
            "agreement",
            "cluster",
            "all",
        ),
        help="all: a short set of them, in some minutes; tiles: small far heads found, by what it costs (--data); "
        "capacity: figures for plan and simulate (--figures); agreement: the simulation beside the daemon",
    )
    parser.add_argument(
        "--clip",
        type=Path,
        help="a recording (default: the demo's, 1280x720; scaled to a camera's stream where the daemon runs)",
    )
    parser.add_argument(
        "--cameras",
        type=whole_number(least=1, most=64),
        help="cameras (pipeline, throughput 4; starvation 16)",
    )
    parser.add_argument(
        "--fps",
        type=number(above=0, most=60),
        help="looks a second of each camera (pipeline 5, throughput 25, starvation 1, memory 5; with --seconds 1)",
    )
    parser.add_argument(
        "--seconds",
        type=number(least=1, most=86400),
        help="how long: all runs of pipeline (60), each run of throughput (12), starvation (30) and all (6); "
        "memory: watch one daemon for growth, 3600 for an hour (default: it does not)",
    )
    parser.add_argument(
        "--settle",
        type=number(least=0, most=3600),
        help="seconds after READY before memory counts (20; 300 with --seconds)",
    )
    parser.add_argument(
        "--repeats",
        type=whole_number(least=1, most=100),
        help="runs (5, where the daemon runs 3); tiles: most scenes (24)",
    )
    parser.add_argument(
        "--input-size",
        type=whole_number(least=128, most=3840, multiple_of=32),
        default=640,
        metavar="PX",
        help="longest side at which starvation looks (default 640)",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=("retinaface", "maskrcnn"),
        help="who looks where models run (default: all that are installed; throughput: retinaface)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="tiles: a folder with faces/val.json and hard_hats/val.json, labelled as COCO does",
    )
    parser.add_argument(
        "--scene",
        choices=("1080p", "2160p"),
        default="1080p",
        help="tiles: size of the far scenes that are made of its pictures (default 1080p)",
    )
    parser.add_argument(
        "--batches",
        type=whole_number(least=1, most=64),
        nargs="+",
        metavar="N",
        help="capacity: sizes of batches (default: 1 on a processor, 1 2 4 8 on a device)",
    )
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="capacity: write the figures here, for plan and simulate"
    )
    parser.add_argument(
        "--inference",
        type=whole_number(least=1, most=64),
        default=2,
        metavar="PARTS",
        help="cluster: parts that run the models, with a core each (default 2)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="FILE",
        help="say which ratios moved from those stored in FILE by more than their spread, and fail where one is worse",
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="FILE",
        help="add the ratios to those stored in FILE, made when it is not there",
    )


def run(args: argparse.Namespace) -> int:
    """Measure, print, and compare."""
    from streamer.bench.figures import as_lines
    from streamer.bench.ratios import Measured, ratios_in, store_ratios

    ratios: dict[str, Measured] = {}
    with ended_by_sigterm():
        for what, figures in _measured(args):
            print(json.dumps({what: figures}) if args.json else as_lines(what, figures), flush=True)
            ratios |= ratios_in(what, figures)
    outcome = ExitCode.DONE
    if args.compare is not None:
        # beside JSON it would be no JSON
        outcome = _compared(args.compare, ratios, tell=sys.stderr if args.json else sys.stdout)
    if args.store is not None:
        store_ratios(args.store, ratios)
    return outcome


def _compared(path: Path, ratios: dict[str, Any], *, tell: TextIO) -> ExitCode:
    from streamer.bench.ratios import Verdict, as_table, compare, read_ratios, this_machine

    machine, stored = read_ratios(path)
    comparisons = compare(stored, ratios)
    print(as_table(comparisons), file=tell)
    if machine != this_machine():
        print(
            f"stored on another machine ({machine}); this is {this_machine()}: a move proves nothing",
            file=tell,
        )
        return ExitCode.DONE
    worse = [one.name for one in comparisons if one.verdict is Verdict.WORSE]
    if worse:
        print(f"worse than stored, by more than the spread: {', '.join(worse)}", file=sys.stderr)
    return ExitCode.FAILED if worse else ExitCode.DONE


def _measured(args: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    from streamer.demo.site import CLIP

    clip = args.clip or CLIP
    if args.what == "all":
        from streamer.bench.short_set import short_set

        options = _options(args, "all")
        yield from short_set(clip, **options)
        return
    yield args.what, _MEASURES[args.what](clip, args)


def _options(args: argparse.Namespace, what: str) -> dict[str, Any]:
    """The options of ``what``: those given, else its defaults."""
    return {
        name: value if getattr(args, name) is None else getattr(args, name)
        for name, value in _DEFAULTS[what].items()
    }


def _decode(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.decode import measure_decode

    return measure_decode(clip, repeats=args.repeats or 5)


def _inference(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.inference import measure_inference

    return measure_inference(clip, models=args.models, repeats=args.repeats or 12)


def _rules(_clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.rules import measure_rules

    return measure_rules() if args.repeats is None else measure_rules(runs=args.repeats)


def _pipeline(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.pipeline import measure_pipeline

    return measure_pipeline(clip, models=args.models, **_options(args, "pipeline"))


def _throughput(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.throughput import measure_throughput

    with _camera_clip(clip, args, (1080, 1920)) as large:
        return measure_throughput(large, models=args.models or ["retinaface"], **_options(args, "throughput"))


def _cluster(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.cluster import measure_cluster

    with _camera_clip(clip, args, (1080, 1920), fps=5) as large:
        return measure_cluster(
            large,
            models=args.models or ["retinaface"],
            inference=args.inference,
            **_options(args, "cluster"),
        )


def _starvation(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.starvation import measure_starvation

    with _camera_clip(clip, args, (720, 1280)) as small:
        return measure_starvation(
            small, models=_models(args), input_size_px=args.input_size, **_options(args, "starvation")
        )


def _memory(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.memory import measure_memory
    from streamer.bench.memory_growth import follow_memory

    with _camera_clip(clip, args, (1080, 1920)) as large:
        if args.seconds is None:
            options = _options(args, "memory")
            return measure_memory(large, models=_models(args), settle_s=options.pop("settle"), **options)
        options = _options(args, "growth")
        return follow_memory(
            [clip, large],
            models=_models(args),
            seconds=args.seconds,
            settle_s=options.pop("settle"),
            tell=lambda text: print(text, file=sys.stderr, flush=True),
            **options,
        )


def _models(args: argparse.Namespace) -> list[str]:
    from models.loading import installed_models

    return args.models or sorted(installed_models())


@contextmanager
def _camera_clip(
    clip: Path, args: argparse.Namespace, image_hw: tuple[int, int], *, fps: int = 25
) -> Iterator[Path]:
    """The clip that was given, else one like a camera's stream, made for as long as it is needed."""
    from streamer.bench.clips import camera_clip

    if args.clip is not None:
        yield clip
        return
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        yield camera_clip(clip, Path(folder), image_hw=image_hw, fps=fps)


def _tiles(_clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.tiles import measure_tiles

    if args.data is None:
        raise UsageError("bench tiles needs --data DIR, a folder of labelled pictures")
    scene_hw = (1080, 1920) if args.scene == "1080p" else (2160, 3840)
    return measure_tiles(args.data, scene_hw=scene_hw, models=args.models, most_scenes=args.repeats or 24)


def _capacity(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from models.loading import installed_models
    from streamer.bench.capacity import measure_capacity
    from streamer.capacity.figures import write_figures
    from streamer.capacity.report import figures_told

    installed = sorted(installed_models())
    alone = [[name] for name in installed]
    figures = measure_capacity(
        clip,
        models=[args.models] if args.models else [installed, *(alone if len(installed) > 1 else [])],
        streams=[] if args.clip is None else [clip],
        input_sizes_px=sorted({args.input_size, 1280}) if args.models is None else [args.input_size],
        batch_sizes=args.batches,
        repeats=args.repeats or 40,
        seconds=args.seconds or 12.0,
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )
    if args.figures is not None:
        write_figures(args.figures, figures)
    return figures_told(figures)


def _agreement(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.bench.agreement import measure_agreement

    sizes = (
        (2, 4, 8)
        if args.cameras is None
        else (max(1, args.cameras // 4), max(1, args.cameras // 2), args.cameras)
    )
    return measure_agreement(
        clip,
        models=_models(args),
        sizes=sorted(set(sizes)),
        input_size_px=args.input_size,
        tell=lambda text: print(text, file=sys.stderr, flush=True),
        **_options(args, "agreement"),
    )


_MEASURES: Final[Mapping[str, Callable[[Path, argparse.Namespace], dict[str, Any]]]] = {
    "decode": _decode,
    "inference": _inference,
    "rules": _rules,
    "pipeline": _pipeline,
    "throughput": _throughput,
    "cluster": _cluster,
    "starvation": _starvation,
    "memory": _memory,
    "tiles": _tiles,
    "capacity": _capacity,
    "agreement": _agreement,
}
