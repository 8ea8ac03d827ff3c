"""The part of ``ppewatch data`` that draws gear on bare faces and heads."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import UsageError

if TYPE_CHECKING:
    from models.data.annotated import AnnotatedPicture

_SHARES = (
    ("face-masks", 0.6, "of the faces get a face mask"),
    ("wrong", 0.3, "of these are worn wrongly"),
    ("hard-hats", 0.3, "of the heads get a hard hat"),
    ("hats", 0.2, "of the heads get another hat"),
    ("occlusions", 0.0, "of the faces get something in front of them"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what is drawn how often, and where faces and heads come from."""
    for name, share, what in _SHARES:
        parser.add_argument(
            f"--{name}", type=_part, default=share, metavar="PART", help=f"{what} ({share:g})"
        )
    parser.add_argument(
        "--faces",
        action="store_true",
        help="label faces by how they wear the mask (face_with_mask, ...), which classifier and RetinaFace learn from; "
        "else the pixels of the gear",
    )
    parser.add_argument(
        "--heads",
        nargs="+",
        default=(),
        metavar="CATEGORY",
        help="boxes of heads: those on which no face is seen are dressed from behind (none)",
    )
    parser.add_argument(
        "--retinaface", type=Path, metavar="FILE", help="weights that find faces where none are labelled"
    )


def plain_folders(args: argparse.Namespace) -> list[Path]:
    """Those of the sets that are folders of pictures and of nothing else."""
    from models.data.readers import detect_format

    if args.format is not None:
        return []
    return [path for path in args.sets if path.is_dir() and detect_format(path) == "folders"]


def draw(
    args: argparse.Namespace, pictures: "Sequence[AnnotatedPicture]"
) -> "tuple[list[AnnotatedPicture], dict[str, Any]]":
    """Draw on ``pictures`` as ``args`` say; what was written, and the file, faces and heads as ``--json`` tells them.

    Raises ``UsageError``, ``ModelError``.
    """
    from models.data.synthetic_gear.dressing import GearShares
    from models.data.synthetic_gear.faced_pictures import plain_pictures, read_bare_faces
    from models.data.synthetic_gear.gear_set import FILE_NAME, write_gear_set
    from streamer.native_noise import native_noise_hidden

    if args.hard_hats + args.hats > 1:
        raise UsageError("--hard-hats and --hats: are together more than all heads")
    shares = GearShares(args.face_masks, args.hard_hats, args.hats, args.occlusions, args.wrong)
    unlabelled = [picture for folder in plain_folders(args) for picture in plain_pictures(folder)]
    with native_noise_hidden():
        faced = read_bare_faces(
            args.sets, [*pictures, *unlabelled], images=args.images, heads=args.heads, weights=args.retinaface
        )
    written = write_gear_set(faced, args.out, shares, seed=args.seed, label_faces=args.faces)
    return written, {
        "file": str(args.out / FILE_NAME),
        "faces": sum(len(row.landmarks_xy) for row in faced),
        "heads": sum(len(row.heads_xyxy) for row in faced),
    }


def _part(text: str) -> float:
    if not re.fullmatch(r"[01]|[01]?\.\d+", text) or float(text) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} should be 0 to 1")
    return float(text)
