"""``ppewatch bench``: what the parts cost on this machine, each beside its floor."""

import argparse
import json
from pathlib import Path
from typing import Any

from streamer.commands import ExitCode
from streamer.commands.options import number, whole_number

HELP = "measure decode, inference, rules and the pipeline on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("what", choices=("decode", "inference", "pipeline", "rules", "all"))
    parser.add_argument("--clip", type=Path, help="a recording (default: the demo's, 1280x720)")
    parser.add_argument(
        "--cameras", type=whole_number(least=1, most=64), default=4, help="cameras of `pipeline` (default 4)"
    )
    parser.add_argument(
        "--fps",
        type=number(above=0, most=30),
        default=5.0,
        help="analysed frames per second of each (default 5)",
    )
    parser.add_argument(
        "--seconds",
        type=number(least=5, most=3600),
        default=60.0,
        help="how long `pipeline` runs (default 60)",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=("retinaface", "maskrcnn"),
        help="who looks in `pipeline` and `inference` (default: all that are installed)",
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
    from streamer.bench.pipeline import measure_pipeline

    return measure_pipeline(
        clip, cameras=args.cameras, fps=args.fps, seconds=args.seconds, models=args.models
    )
