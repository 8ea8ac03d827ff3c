"""``ppewatch simulate``: cameras, workers and failures in simulated time."""

import argparse
import json
from dataclasses import asdict, replace

from streamer.commands import ExitCode
from streamer.commands.capacity_options import (
    add_scenario_arguments,
    add_simulation_arguments,
    failures_of,
    scenario_of,
)
from streamer.commands.options import progress_bar

HELP = "run cameras, workers and failures in simulated time: latency, looks, drops, use and price"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_scenario_arguments(parser)
    add_simulation_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate, and print what came of it."""
    from streamer.capacity.report import simulation_lines
    from streamer.capacity.simulation.outcome import simulate

    scenario = scenario_of(args)
    scenario = replace(scenario, failures=failures_of(args, scenario.failures))
    with progress_bar(unit="s", total=args.seconds) as bar:

        def tell(share: float) -> None:
            bar.update(share * args.seconds - bar.n)

        result = simulate(
            scenario,
            seconds=args.seconds,
            seed=args.seed,
            every_frame=args.every_frame,
            tell=tell,
        )
    if args.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        print("\n".join(simulation_lines(scenario, result)))
    return ExitCode.DONE
