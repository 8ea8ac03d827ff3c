"""``ppewatch detect``: pictures, folders or clips in, annotated copies and rows for scripts out."""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamer.commands import ExitCode, UsageError

if TYPE_CHECKING:
    from models.detector import Detector
    from models.structures import Detections
    from streamer.detect.material import Look

HELP = "look at pictures, folders or clips: annotated copies and COCO-style rows"

#: Frames of a clip that are looked at together.
_BATCH: Final = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="a picture, a folder or a clip"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE (- prints them)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write annotated copies into DIR")
    parser.add_argument(
        "--min-score",
        type=_score,
        default=0.5,
        metavar="S",
        help="least score of a row, 0 to 1 (default 0.5)",
    )
    parser.add_argument(
        "--splash", action="store_true", help="copies keep protective equipment in colour and the rest grey"
    )
    parser.add_argument(
        "--input-size",
        type=_input_size,
        metavar="PX",
        help="longest side at which the network looks (default: by the picture's size)",
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="look at every Nth frame of a clip")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")


def _score(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("a score lies between 0 and 1")
    return value


def _input_size(text: str) -> int:
    value = int(text)
    if value % 32 or not 64 <= value <= 3840:
        raise argparse.ArgumentTypeError("a multiple of 32 between 64 and 3840")
    return value


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 when a file could not be read (the others are done all the same)."""
    from tqdm import tqdm

    from models.errors import ModelError
    from streamer.detect.material import material_files
    from streamer.detector_loading import load_detector
    from streamer.errors import StreamerError

    if args.every < 1:
        raise UsageError("--every is at least 1")
    files = material_files(args.sources)
    # the detector's own threshold is below what is asked for: a row's score is the product of two
    detector = load_detector(device=args.device, score_threshold=min(0.5, max(0.02, args.min_score)))
    rows: list[dict[str, Any]] = []
    failed = 0
    for name, path in tqdm(files, unit="file", disable=len(files) < 2 or not sys.stderr.isatty()):
        try:
            rows += _look_at(name, path, detector, args)
        except (StreamerError, ModelError) as error:
            failed += 1
            print(f"ppewatch detect: {error}", file=sys.stderr)
    _write_rows(rows, args.json)
    return ExitCode.FAILED if failed else ExitCode.DONE


def _look_at(name: str, path: Path, detector: "Detector", args: argparse.Namespace) -> list[dict[str, Any]]:
    from streamer.detect.material import looks_of
    from streamer.detect.outputs import CopyWriter
    from streamer.detect.rows import coco_rows

    rows: list[dict[str, Any]] = []
    looks = (look for look in looks_of(name, path) if not look.frame or look.frame % args.every == 0)
    with CopyWriter(args.out, name, splash=args.splash, min_score=args.min_score) as copies:
        for look, detections in _detections(looks, detector, args.input_size):
            rows += coco_rows(look.file_name, look.frame, detections, min_score=args.min_score)
            copies.write(look, detections)
    return rows


def _detections(
    looks: "Iterator[Look]", detector: "Detector", longest_side_px: int | None
) -> "Iterator[tuple[Look, Detections]]":
    from models.letterbox import input_hw_for
    from streamer.inference.demand import default_input_size

    # neighbours of one size share a batch
    for image_hw, same_size in itertools.groupby(looks, key=lambda look: look.picture.image_hw):
        input_hw = input_hw_for(image_hw, longest_side_px or default_input_size(image_hw))
        for batch in _batched(same_size):
            found = detector.detect([look.picture for look in batch], input_hw)
            yield from zip(batch, found, strict=True)


def _batched(looks: "Iterator[Look]") -> "Iterator[tuple[Look, ...]]":
    """Tuples of up to ``_BATCH`` (``itertools.batched``, which Python 3.11 lacks)."""
    while batch := tuple(itertools.islice(looks, _BATCH)):
        yield batch


def _write_rows(rows: list[dict[str, Any]], target: Path | None) -> None:
    if target is not None and str(target) != "-":
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(rows), encoding="utf-8")
        return
    for row in rows:
        if target is not None:
            print(json.dumps(row))
        else:
            place = row["file_name"] if "frame" not in row else f"{row['file_name']}#{row['frame']}"
            x, y, width, height = row["bbox"]
            print(
                f"{place}  {row['category']:20} {row['score']:.2f}  {x:.0f},{y:.0f} {width:.0f}x{height:.0f}"
            )
