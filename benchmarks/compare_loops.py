"""What people would write or install instead, on the same clip, cores and picture size.

    python benchmarks/compare_loops.py --peers FOLDER                 # a made 1080p clip of 25 frames a second
    python benchmarks/compare_loops.py --size 720p --looks every --peers FOLDER
    python benchmarks/compare_loops.py --clip CLIP --only ppewatch keras

Each contender is a process of its own that goes through the recording as fast as it can, finds faces and says of each
whether a mask is worn. ``--looks 5``: all look five times a second of the recording, and the loops read the frames
between; ``--looks every``: all look at every frame. Contenders:

- ``ppewatch``: what the daemon runs for a camera: reader, both networks, rules, tracks; ``-f32``: the networks' sums 32
  bits wide, as those of Keras; ``-int8``: quantised (``ppewatch weights export --precision int8`` comes first, else
  leave it out with ``--only``).
- ``keras``: ``cv2.VideoCapture``, the same RetinaFace and classifier in Keras, ``predict_on_batch`` a frame.
- ``keras-predict``, ``keras-call``: the same with ``predict(x)`` and ``model(x)``, which most people write.
- ``supervision``: the loop of ``keras`` with supervision's ByteTrack behind it, where that is installed (the extra
  ``benchmark``).
- ``aizoo``: ``cv2.VideoCapture`` and AIZOOTech's network of 260 x 260 pixels in LiteRT.
- ``yunet``: ``cv2.VideoCapture`` and OpenCV's YuNet, which tells no masks.

The order of the runs turns from repetition to repetition. Ratios are of processor time a look, in all threads and with
the frames between, contender by ppewatch in the same repetition: how many times as many frames a core does with
ppewatch. Medians, with the least and the most.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loops import CONTENDERS, PACKAGES, PEERS, looks_of

from streamer.bench.clips import camera_clip
from streamer.bench.figures import peak_memory_mb
from streamer.demo.site import CLIP

_SIZES_HW: Final = {"720p": (720, 1280), "1080p": (1080, 1920)}
#: Looks that are not counted: the first prepare the networks.
_WARM_UP: Final = 3


def main() -> int:
    """Run every contender in a process of its own and print a table; with ``--one`` be that process."""
    options = _parser().parse_args()
    options.looks = None if options.looks == "every" else float(options.looks)
    if options.one:
        print(json.dumps(_measured(options.one, options)))
        return 0
    names = [name for name in options.only if _is_there(name, options.peers)]
    with tempfile.TemporaryDirectory(prefix="ppewatch-bench-") as folder:
        if options.clip is None:
            options.clip = camera_clip(CLIP, Path(folder), image_hw=_SIZES_HW[options.size])
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for repeat in range(options.repeats):
            for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
                runs[name].append(_run_apart(name, options))
                print(f"{name}: {runs[name][-1]}", file=sys.stderr, flush=True)
    rate = "every frame" if options.looks is None else f"{options.looks:g} looks a second"
    print(f"{options.clip.name}, {rate}, input {options.input_size} px")
    print(table(runs))
    if options.json:
        told = {"clip": options.clip.name, "looks": rate, "input_size": options.input_size, "runs": runs}
        options.json.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, help="a recording (default: one is made of the demo's)")
    parser.add_argument("--size", choices=_SIZES_HW, default="1080p", help="of the made clip")
    parser.add_argument(
        "--peers", type=Path, help="folder of published detectors; without it they are left out"
    )
    parser.add_argument("--looks", default="5", metavar="N|every", help="looks a second of the recording")
    parser.add_argument("--count", type=int, default=60, help="looks that are counted (default 60)")
    parser.add_argument(
        "--input-size", type=int, default=1280, metavar="PX", help="longest side, for all that scale"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    return parser


def _is_there(name: str, peers: Path | None) -> bool:
    """Whether a contender can run here; says what it lacks."""
    lacks = None
    if name in PEERS and (peers is None or not (peers / PEERS[name]).is_file()):
        lacks = f"--peers FOLDER with {PEERS[name]}"
    package = PACKAGES.get(name)
    if package is not None and find_spec(package) is None:
        lacks = f"the package {package}"
    if lacks is not None:
        print(f"{name}: left out, for it needs {lacks}", file=sys.stderr)
    return lacks is None


def _run_apart(name: str, options: argparse.Namespace) -> dict[str, float]:
    words = [
        *(
            "--one",
            name,
            "--clip",
            options.clip,
            "--count",
            options.count,
            "--input-size",
            options.input_size,
        ),
        *("--looks", options.looks or "every"),
        *(("--peers", options.peers) if options.peers else ()),
    ]
    done = subprocess.run(
        [sys.executable, __file__, *map(str, words)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _measured(name: str, options: argparse.Namespace) -> dict[str, float]:
    """A look by the clock and by processor time, with the frames between, once everything is loaded and warm."""
    begun = time.perf_counter()
    looks = looks_of(name, options)
    next(looks)
    ready_s = time.perf_counter() - begun
    for _ in range(_WARM_UP):
        next(looks)
    wall, cpu = time.perf_counter(), time.process_time()
    faces = [next(looks) for _ in range(options.count)]
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "ready_s": round(ready_s, 2),
        "wall_ms": round(1000 * wall_s / options.count, 2),
        "processor_ms": round(1000 * cpu_s / options.count, 2),
        "faces": round(sum(faces) / options.count, 2),
        "peak_mb": peak_memory_mb(),
    }


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """A line for each contender: medians, and its processor time by that of ppewatch."""
    lines = [
        f"{'':<14}{'ready s':>8}{'wall ms':>9}{'cpu ms':>8}{'a core':>8}{'faces':>7}{'peak MB':>9}  by ppewatch"
    ]
    ours = [one["processor_ms"] for one in runs.get("ppewatch", [])]
    for name, many in runs.items():
        middle = {key: statistics.median(one[key] for one in many) for key in many[0]}
        ratios = [one["processor_ms"] / base for one, base in zip(many, ours, strict=False)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "-"
        lines.append(
            f"{name:<14}{middle['ready_s']:>8.1f}{middle['wall_ms']:>9.1f}{middle['processor_ms']:>8.1f}"
            f"{1000 / middle['processor_ms']:>8.1f}{middle['faces']:>7.2f}{middle['peak_mb']:>9.0f}  {ratio}"
        )
    return "\n".join(
        [*lines, "ms: of a look with the frames between; a core: looks by second of processor time"]
    )


if __name__ == "__main__":
    sys.exit(main())
