"""``ppewatch plan``: how many cameras, looks, models and pixels fit on which machines."""

import argparse
import json
import sys
from dataclasses import asdict, replace
from typing import Any

from streamer.commands import ExitCode
from streamer.commands.capacity_options import (
    add_scenario_arguments,
    add_simulation_arguments,
    failures_of,
    scenario_of,
)

HELP = "how many cameras, looks, models and pixels fit on which machines, and what binds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_scenario_arguments(parser)
    parser.add_argument(
        "--choices", action="store_true", help="also how many cameras fit by models and input size"
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="also let it run in simulated time, as `ppewatch simulate` does",
    )
    add_simulation_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Plan, and print it. Fails where more is asked for than fits on the machines that were named."""
    from streamer.capacity.fitting import most_cameras, most_fps, nodes_needed, ways_to_look
    from streamer.capacity.planning import plan
    from streamer.capacity.report import plan_json, plan_lines, simulation_lines
    from streamer.capacity.simulation.outcome import simulate

    scenario = scenario_of(args)
    made = plan(scenario)
    answers: dict[str, Any] = {
        "most_cameras": most_cameras(scenario),
        "most_fps": most_fps(scenario),
        "nodes_needed": nodes_needed(scenario),
    }
    ways = ways_to_look(scenario) if args.choices else []
    result = None
    if args.simulate:
        scenario = replace(scenario, failures=failures_of(args, scenario.failures))
        result = simulate(scenario, seconds=args.seconds, seed=args.seed, every_frame=args.every_frame)
    if args.json:
        content = plan_json(scenario, made, answers, ways)
        if result is not None:
            content["simulation"] = asdict(result)
        print(json.dumps(content, indent=2))
    else:
        print("\n".join(plan_lines(scenario, made, answers, ways)))
        if result is not None:
            print("\n".join(["", *simulation_lines(scenario, result)]))
    named = args.scenario is not None or args.nodes is not None
    if named and not made.fits:
        print(f"does not fit: {made.binding.name} of {made.binding.group}", file=sys.stderr)
        return ExitCode.FAILED
    return ExitCode.DONE
