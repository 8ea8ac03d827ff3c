"""``ppewatch evaluate fitness``: what is found of each defect, when, and what is found where there is none."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamer.fitness.limits import FROZEN_AFTER_S
from streamer.fitness.picture_fitness import PictureFitness
from streamer.fitness_trial.defects import Defect, Grey, all_defects
from streamer.fitness_trial.material import drawn, recorded, to_and_fro
from streamer.fitness_trial.trial import Outcome, calm, try_out
from streamer.ingest.errors import IngestError


def main(
    argv: Sequence[str],
    *,
    prog: str = "ppewatch evaluate fitness",
    loading: Callable[[], AbstractContextManager[None]] | None = None,  # noqa: ARG001 - no network is loaded
) -> int:
    """Run the trials and print a table; 1 when a clip cannot be read."""
    args = _arguments(argv, prog)
    cv2.setNumThreads(1)
    try:
        material = _material(args.clips, args.yards)
    except IngestError as error:
        print(f"{prog}: {error}")
        return 1
    defects = [
        defect for defect in all_defects() if not args.only or any(word in defect.name for word in args.only)
    ]
    outcomes = _trials(material, defects, args.frozen_after, told=not args.json)
    hours = [
        (name, *_undisturbed(pictures(), args.minutes)) for name, pictures in material.items() if args.minutes
    ]
    cost_ms = cost_of_a_look(next(iter(material.values()))())
    if args.json:
        print(json.dumps(_as_json(outcomes, hours, cost_ms)))
        return 0
    for name, minutes, false in hours:
        print(f"{name}: {minutes} min undisturbed, found: {', '.join(false) or 'nothing'}")
    print(f"one examined picture: {cost_ms:.1f} ms of one core")
    return 0


def cost_of_a_look(pictures: Iterator[Grey], count: int = 60) -> float:
    """Milliseconds of processor time that one picture takes once the view is known."""
    fitness = PictureFitness(frozen_after_s=FROZEN_AFTER_S)
    views = [next(pictures) for _ in range(2 * count)]
    for second, view in enumerate(views[:count]):
        fitness.examine(view, float(second))
    began_s = time.process_time()
    for second, view in enumerate(views[count:], count):
        fitness.examine(view, float(second))
    return 1000 * (time.process_time() - began_s) / count


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path, help="recordings of cameras that stand still")
    parser.add_argument(
        "--yards", type=int, default=2, metavar="N", help="drawn scenes beside them (default 2)"
    )
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="only defects whose name has this word"
    )
    parser.add_argument(
        "--minutes", type=int, default=10, metavar="N", help="undisturbed minutes of each (default 10)"
    )
    parser.add_argument(
        "--frozen-after", type=float, default=FROZEN_AFTER_S, metavar="S", help="as in a camera's settings"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(argv)


def _material(clips: Sequence[Path], yards: int) -> dict[str, Callable[[], Iterator[Grey]]]:
    material: dict[str, Callable[[], Iterator[Grey]]] = {}
    for clip in clips:
        pictures = recorded(clip)
        material[clip.stem] = lambda pictures=pictures: to_and_fro(pictures)  # type: ignore[misc]
    for seed in range(1, yards + 1):
        material[f"yard {seed}"] = lambda seed=seed: drawn(seed)  # type: ignore[misc]
    return material


def _trials(
    material: dict[str, Callable[[], Iterator[Grey]]],
    defects: Sequence[Defect],
    frozen_after_s: float,
    *,
    told: bool,
) -> list[Outcome]:
    outcomes = []
    if told:
        print(
            f"{'what happens':<24} {'to be found':<12} {'found':>7} {'after s':>9} {'over s':>7}  false findings"
        )
    for defect in defects:
        of_defect = [
            try_out(name, pictures(), defect, frozen_after_s=frozen_after_s)
            for name, pictures in material.items()
        ]
        outcomes += of_defect
        if told:
            print(_line(defect, of_defect), flush=True)
    return outcomes


def _line(defect: Defect, outcomes: Sequence[Outcome]) -> str:
    found = [outcome.found_s for outcome in outcomes if outcome.found_s is not None]
    over = [outcome.over_s for outcome in outcomes if outcome.over_s is not None]
    wrong = [f"{outcome.clip}: {code}" for outcome in outcomes for code, _ in outcome.false]
    wanted = defect.code is not None
    return (
        f"{defect.name:<24} {defect.code or 'nothing':<12} "
        f"{f'{len(found)}/{len(outcomes)}' if wanted else '':>7} "
        f"{f'{min(found):.0f}-{max(found):.0f}' if wanted and found else '':>9} "
        f"{f'{max(over):.0f}' if wanted and found and over else '':>7}  {', '.join(wrong)}"
    )


def _undisturbed(pictures: Iterator[Grey], minutes: int) -> tuple[int, list[str]]:
    return minutes, calm(pictures, seconds=60 * minutes, frozen_after_s=FROZEN_AFTER_S)


def _as_json(
    outcomes: Sequence[Outcome], hours: Sequence[tuple[str, int, list[str]]], cost_ms: float
) -> dict[str, Any]:
    return {
        "trials": [
            {
                "clip": outcome.clip,
                "defect": outcome.defect.name,
                "code": outcome.defect.code,
                "found_s": outcome.found_s if outcome.defect.code else None,
                "over_s": outcome.over_s if outcome.defect.code else None,
                "false": [code for code, _ in outcome.false],
            }
            for outcome in outcomes
        ],
        "undisturbed": [{"clip": name, "minutes": minutes, "found": false} for name, minutes, false in hours],
        "cost_ms": round(float(np.round(cost_ms, 2)), 2),
    }
