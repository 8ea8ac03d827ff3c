"""``ppewatch detect``: pictures, folders or clips in, annotated copies and rows for scripts out."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import ExitCode, UsageError
from streamer.commands.options import (
    add_model_arguments,
    number,
    progress_bar,
    weights_given,
    whole_number,
)
from streamer.commands.site_camera import add_camera_arguments, site_and_camera

if TYPE_CHECKING:
    from models.detector import Detector
    from streamer.detect.material import Material
    from streamer.detect.outputs import Hide
    from streamer.detect.rows import Row

HELP = "look at pictures, folders or clips: annotated copies and COCO-style rows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="a picture, a folder or a clip"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the rows to FILE as a JSON array (- prints it)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write annotated copies into DIR")
    parser.add_argument(
        "--min-score",
        type=number(least=0, most=1),
        default=0.5,
        metavar="S",
        help="least score of a row, 0 to 1 (default 0.5)",
    )
    parser.add_argument(
        "--splash", action="store_true", help="copies keep protective equipment in colour and the rest grey"
    )
    parser.add_argument(
        "--every",
        type=whole_number(least=1, most=1_000_000),
        default=1,
        metavar="N",
        help="look at every Nth frame of a clip",
    )
    parser.add_argument(
        "--models",
        type=_names,
        metavar="NAME,...",
        help="look with these alone: retinaface (faces and masks), maskrcnn (hard hats, heads, people)",
    )
    add_camera_arguments(
        parser, "the pictures are a camera's of this site: hide in the copies what its `privacy` says"
    )
    add_model_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Look at everything; 1 when a file could not be read (the others are done all the same)."""
    from models.errors import ModelError
    from streamer.detect.material import material_of
    from streamer.detector_loading import load_detector
    from streamer.errors import StreamerError
    from streamer.redaction import redact

    if args.splash and args.out is None:
        raise UsageError("--splash says how the copies of --out look; give --out DIR too")
    if args.json is not None and args.json.is_dir():
        raise UsageError(f"--json: {args.json} is a folder; name a file in it")
    hide = _hiding(args)
    materials = material_of(args.sources, but_below=args.out)
    failed = 0
    with _rows_to(args.json) as write_row:
        # the detector's own threshold is below what is asked for: a row's score is the product of two
        detector = load_detector(
            device=args.device,
            weights=weights_given(args.weights),
            score_threshold=min(0.5, max(0.02, args.min_score)),
            models=args.models,
            seg_masks_of=None,
        )
        # rows in a terminal are progress enough, and a bar would run into them
        rows_shown = sys.stdout.isatty() and (args.json is None or str(args.json) == "-")
        only_pictures = all(material.is_picture for material in materials)
        with progress_bar(
            unit="picture", total=len(materials) if only_pictures else None, hidden=rows_shown
        ) as bar:
            for material in materials:
                bar.set_description(material.name, refresh=False)
                try:
                    for rows in _look_at(material, detector, args, hide):
                        for row in rows:
                            write_row(row)
                        bar.update()
                except (StreamerError, ModelError) as error:
                    failed += 1
                    print(f"ppewatch detect: {redact(str(error))}", file=sys.stderr)
    return ExitCode.FAILED if failed else ExitCode.DONE


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _hiding(args: argparse.Namespace) -> "Hide | None":
    """What makes the copies private; None without a site."""
    if args.config is None:
        if args.camera is not None:
            raise UsageError("--camera names a camera of SITE.yaml; give --config SITE.yaml too")
        return None
    from streamer.alerts.privacy import Blur
    from streamer.detect.private import private_copy

    site, camera_id = site_and_camera(args.config, args.camera)
    privacy = site.cameras[camera_id].privacy
    return partial(private_copy, blur=Blur(str(privacy.blur)), polygons=privacy.polygons)


def _look_at(
    material: "Material", detector: "Detector", args: argparse.Namespace, hide: "Hide | None"
) -> "Iterator[list[Row]]":
    """The rows of one look after the other; its copy is written on the way."""
    from streamer.detect.looking import detections_of
    from streamer.detect.material import looks_of
    from streamer.detect.outputs import CopyWriter, copy_path
    from streamer.detect.rows import coco_rows

    with contextlib.ExitStack() as stack:
        copies = None
        if args.out is not None:
            copies = stack.enter_context(
                CopyWriter(
                    copy_path(args.out, material),
                    material,
                    splash=args.splash,
                    min_score=args.min_score,
                    hide=hide,
                )
            )
        looks = looks_of(material, every=args.every)
        for look, detections in detections_of(
            looks, detector, longest_side_px=args.input_size, grid=args.tiles or (1, 1)
        ):
            yield list(coco_rows(look.file_name, look.frame, detections, min_score=args.min_score))
            if copies is not None:
                copies.write(look, detections)


@contextlib.contextmanager
def _rows_to(target: Path | None) -> "Iterator[Callable[[Row], Any]]":
    """Where rows go: lines for people, or a JSON array, on standard output; or in a file that is there once whole."""
    from streamer.detect.rows import JsonArray, row_text

    if target is None:
        yield lambda row: print(row_text(row), flush=True)
    elif str(target) == "-":
        array = JsonArray(sys.stdout)
        yield array.write
        array.end()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".part.{target.name}")
        try:
            with part.open("w", encoding="utf-8") as stream:
                array = JsonArray(stream)
                yield array.write
                array.end()
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
