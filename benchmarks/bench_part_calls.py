"""What a call between two parts on one machine takes: ``python benchmarks/bench_part_calls.py``.

Processor time of all processes that take part, Ray's own included, and the time until the answer, of calls that come
every 20 ms and of calls one after another: through Ray, and over the parts' own socket (``streamer.cluster.lane``). An
offer carries one frame at a network's size, 640 x 360 pixels; a cut asks for one crop of a face. Both ways by turns.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from streamer.bench.cluster_load import family_s
from streamer.cluster.lane import Lane, LaneServer
from streamer.cluster.ray_start import connect
from streamer.cluster.wire import Cut, FrameKey, LaneAddress, Moment, OfferReply, SentFrame, this_machine

KEY = FrameKey("gate", 1, 0.0)
Call = Callable[..., Any]


class Answering:
    """Answers at once, as a part would."""

    def offer(self, _frames: list[SentFrame]) -> OfferReply:
        return OfferReply()

    def cut(self, _key: FrameKey, _cuts: list[Cut]) -> list[Any]:
        return [np.zeros((96, 96, 3), np.uint8)]


@contextmanager
def through_ray():
    ray = connect("local", cores=2)
    try:
        actor = ray.remote(Answering).options(num_cpus=0.1, max_concurrency=32).remote()
        yield lambda method, *args: ray.get(getattr(actor, method).remote(*args), timeout=10)
    finally:
        ray.shutdown()


@contextmanager
def over_the_lane():
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:
        lane = Lane(LaneAddress(this_machine(), server.stdout.readline().strip()))
        try:
            yield lambda method, *args: lane.call(method, args, 10.0)
        finally:
            lane.close()
            server.kill()


def measure(
    call: Call, method: str, args: tuple[Any, ...], *, calls: int, apart_s: float
) -> tuple[float, float]:
    """Milliseconds of processor time a call, and until its answer."""
    for _ in range(20):
        call(method, *args)
    before_s, waited_s = sum(seconds for _, seconds in family_s(os.getpid())), 0.0
    for _ in range(calls):
        begun_s = time.perf_counter()
        call(method, *args)
        waited_s += time.perf_counter() - begun_s
        time.sleep(apart_s)
    spent_s = sum(seconds for _, seconds in family_s(os.getpid())) - before_s
    return 1000 * spent_s / calls, 1000 * waited_s / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        print(LaneServer(Answering()).address.name, flush=True)
        time.sleep(3600)  # until it is ended
        return
    frame = SentFrame(KEY, None, Moment.of(time.monotonic()), (1080, 1920), np.zeros((360, 640, 3), np.uint8))
    asked = {"offer": ([frame],), "cut": (KEY, [Cut((0, 0, 96, 96))])}
    ways = {"Ray": through_ray, "the lane": over_the_lane}
    found: dict[tuple[str, str, float], list[tuple[float, float]]] = {}
    for _ in range(args.repeats):
        for way, opened in ways.items():
            with opened() as call:
                for method, values in asked.items():
                    for apart_s in (0.02, 0.0):
                        figures = measure(call, method, values, calls=args.calls, apart_s=apart_s)
                        found.setdefault((method, way, apart_s), []).append(figures)
    for (method, way, apart_s), many in sorted(found.items()):
        processor, waited = (statistics.median(one[place] for one in many) for place in (0, 1))
        when = f"every {1000 * apart_s:.0f} ms" if apart_s else "one after another"
        print(f"{method:6} {way:9} {when:18} processor {processor:5.2f} ms   answer after {waited:5.2f} ms")


if __name__ == "__main__":
    main()
