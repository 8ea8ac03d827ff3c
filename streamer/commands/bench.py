"""``ppewatch bench``: what the parts cost on this machine, each beside its floor."""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from streamer.commands import ExitCode
from streamer.commands.options import number, whole_number

HELP = "measure decode, inference, rules, the pipeline and the memory on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", choices=("decode", "inference", "pipeline", "rules", "memory", "all"))
    parser.add_argument("--clip", type=Path, help="a recording (default: the demo's, 1280x720)")
    parser.add_argument(
        "--cameras", type=whole_number(least=1, most=64), default=4, help="cameras of `pipeline` (default 4)"
    )
    parser.add_argument(
        "--fps",
        type=number(above=0, most=30),
        default=None,
        help="analysed frames per second of each (default 5; 1 in `memory --seconds`)",
    )
    parser.add_argument(
        "--seconds",
        type=number(least=5, most=86400),
        default=None,
        help="how long `pipeline` runs (default 60), or how long `memory` watches one daemon for growth after it "
        "has settled (default: it does not; an hour is 3600)",
    )
    parser.add_argument(
        "--settle",
        type=number(least=0, most=3600),
        default=None,
        help="seconds before `memory` counts (default 20; 300 with --seconds)",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=("retinaface", "maskrcnn"),
        help="who looks in `pipeline`, `inference` and `memory` (default: all that are installed)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from streamer.bench.figures import as_lines

    wanted = ("decode", "inference", "rules", "pipeline") if args.what == "all" else (args.what,)
    for what in wanted:
        figures = _measure(what, args)
        print(json.dumps({what: figures}) if args.json else as_lines(what, figures), flush=True)
    return ExitCode.DONE


def _measure(what: str, args: argparse.Namespace) -> dict[str, Any]:
    from streamer.demo.site import CLIP

    clip = args.clip or CLIP
    if what == "decode":
        from streamer.bench.decode import measure_decode

        return measure_decode(clip)
    if what == "inference":
        from streamer.bench.inference import measure_inference

        return measure_inference(clip, models=args.models)
    if what == "rules":
        from streamer.bench.rules import measure_rules

        return measure_rules()
    if what == "memory":
        return _memory(clip, args)
    from streamer.bench.pipeline import measure_pipeline

    return measure_pipeline(
        clip, cameras=args.cameras, fps=args.fps or 5.0, seconds=args.seconds or 60.0, models=args.models
    )


def _memory(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    from models.loading import installed_models
    from streamer.bench.clips import camera_clip

    models = args.models or sorted(installed_models())
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        large = args.clip or camera_clip(clip, Path(folder))
        if args.seconds is None:
            from streamer.bench.memory import measure_memory

            return measure_memory(large, models=models, fps=args.fps or 5.0, settle_s=args.settle or 20.0)
        from streamer.bench.memory_growth import follow_memory

        return follow_memory(
            [clip, large],
            models=models,
            seconds=args.seconds,
            fps=args.fps or 1.0,
            settle_s=300.0 if args.settle is None else args.settle,
            tell=lambda text: print(text, file=sys.stderr, flush=True),
        )
