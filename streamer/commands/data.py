"""``ppewatch data``: labelled pictures, and what a site has stored of its alerts."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import ExitCode, UsageError, drawn_gear, site_data
from streamer.commands.options import whole_number

if TYPE_CHECKING:
    from models.data.anchor_clusters import Clusters, FittedAnchors
    from models.data.annotated import AnnotatedPicture

HELP = "labelled pictures: convert, count, split, fit anchors, draw gear; export judged frames of a site, erase alerts"

_READS = ("coco", "via", "voc", "yolo", "folders")
_WRITES = ("coco", "via", "voc", "yolo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    convert = actions.add_parser("convert", help="write data sets as one, in another format")
    stats = actions.add_parser("stats", help="pictures, objects, sizes and shapes by source and category")
    split = actions.add_parser("split", help="COCO files of equal make-up; no group or camera is in two")
    anchors = actions.add_parser("anchors", help="anchor scales and ratios that fit the labelled boxes")
    gear = actions.add_parser("gear", help="draw face masks, hard hats and hats on bare faces and heads")
    site_data.add_actions(actions)
    for action in (convert, stats, split, anchors, gear):
        _add_reading(action)
        action.add_argument("--json", action="store_true", help="print JSON")
    convert.add_argument("--to", required=True, choices=_WRITES, metavar="FORMAT", help=", ".join(_WRITES))
    for action in (convert, split, gear):
        action.add_argument("--out", required=True, type=Path, metavar="DIR", help="the new set's folder")
    for action in (convert, split):
        action.add_argument(
            "--pictures", choices=("copy", "link"), default="copy", help="how they get there (copy)"
        )
    split.add_argument(
        "--shares",
        nargs="+",
        type=_share,
        default=[("train", 0.85), ("val", 0.15)],
        metavar="NAME=SHARE",
        help="together 1 (train=0.85 val=0.15)",
    )
    split.add_argument(
        "--trust-groups",
        action="store_true",
        help="look for no near duplicates where the set knows no groups",
    )
    anchors.add_argument(
        "--side", type=whole_number(least=32, most=8192), default=640, metavar="PX", help="longest side (640)"
    )
    anchors.add_argument("--only", nargs="+", default=(), metavar="CATEGORY", help="boxes of these alone")
    anchors.add_argument("--ratios", type=whole_number(least=1, most=9), default=3, metavar="N", help="(3)")
    anchors.add_argument(
        "--clusters", type=whole_number(least=1, most=50), default=9, metavar="N", help="(9)"
    )
    anchors.add_argument(
        "--recipe", type=Path, metavar="FILE", help="write them under network: of this recipe"
    )
    drawn_gear.add_arguments(gear)
    for action in (split, anchors, gear):
        action.add_argument("--seed", type=whole_number(least=0, most=2**32 - 1), default=1, help="(1)")


def run(args: argparse.Namespace) -> ExitCode:
    """Do it."""
    if args.action in site_data.ACTIONS:
        site_data.run(args)
        return ExitCode.DONE
    actions = {"convert": _convert, "stats": _stats, "split": _split, "anchors": _anchors, "gear": _gear}
    actions[args.action](args)
    return ExitCode.DONE


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="a labels file, or a set's folder")
    parser.add_argument("--format", choices=_READS, metavar="FORMAT", help=f"{', '.join(_READS)} (found out)")
    parser.add_argument("--images", type=Path, metavar="DIR", help="the pictures' folder (coco, via, voc)")
    parser.add_argument("--attribute", metavar="NAME", help="the attribute that names the category (via)")
    parser.add_argument("--category", metavar="NAME", help="of regions that name none (via)")
    parser.add_argument("--first-pixel", type=int, choices=(0, 1), help="the first pixel's number (voc; 0)")
    parser.add_argument("--subset", metavar="NAME", help="train, val or test of a data.yaml (yolo; all)")
    parser.add_argument(
        "--labelled",
        action="append",
        type=_labelled,
        metavar="SOURCE=NAME,...",
        help="all that is labelled in a source, whatever categories the file has; or: present",
    )


def _labelled(text: str) -> str | tuple[str, frozenset[str]]:
    source, equals, names = text.partition("=")
    if not equals and text != "present":
        raise argparse.ArgumentTypeError(f"{text!r} should be SOURCE=CATEGORY,CATEGORY or present")
    return (source, frozenset(filter(None, names.split(",")))) if equals else text


def _share(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", name) or not re.fullmatch(r"0?\.\d+", number):
        raise argparse.ArgumentTypeError(f"{text!r} should be like val=0.2")
    return name, float(number)


def _read(args: argparse.Namespace) -> "list[AnnotatedPicture]":
    from models.data.readers import read_pictures
    from models.data.readers.labelled import with_labelled

    pictures = [
        picture
        for path in args.sets
        for picture in read_pictures(
            path,
            file_format=args.format,
            images=args.images,
            attribute=args.attribute,
            category=args.category,
            first_pixel=args.first_pixel,
            subset=args.subset,
        )
    ]
    if not args.labelled:
        return pictures
    if "present" in args.labelled:
        if len(args.labelled) > 1:
            raise UsageError("--labelled present goes with no other --labelled")
        return with_labelled(pictures, "present")
    return with_labelled(pictures, dict(args.labelled))


def _convert(args: argparse.Namespace) -> None:
    from models.data.writers import lost_in, write_data_set

    pictures = _read(args)
    file = write_data_set(pictures, args.out, args.to, placing=args.pictures)
    lost = lost_in(pictures, args.to)
    if args.json:
        _print_json({"file": str(file), **_counts(pictures), "lost": lost})
        return
    print(f"{file}: {_said(pictures)}")
    if lost:
        print(f"{args.to} cannot hold, and lost: {', '.join(f'{what} ({n})' for what, n in lost.items())}")


def _stats(args: argparse.Namespace) -> None:
    from models.data.statistics import figures_of, table_of

    figures = figures_of(_read(args))
    if args.json:
        _print_json(figures.to_mapping())
    else:
        print(table_of(figures))


def _split(args: argparse.Namespace) -> None:
    from models.data.near_duplicates import groups_of
    from models.data.splitting import split_pictures
    from models.data.writers import write_coco_parts

    shares = dict(args.shares)
    if len(shares) < max(2, len(args.shares)) or abs(sum(shares.values()) - 1) > 1e-6:
        raise UsageError("--shares: needs at least two names, none twice, and shares that together are 1")
    pictures = _read(args)
    groups = groups_of(pictures, look=not args.trust_groups)
    parts = split_pictures(pictures, groups, shares, seed=args.seed)
    files = write_coco_parts(parts, args.out, placing=args.pictures)
    group_count = len(set(groups.tolist()))
    if args.json:
        rows = {file.stem: {"file": str(file), **_counts(parts[file.stem])} for file in files}
        _print_json({"groups": group_count, "parts": rows})
        return
    print(f"{_said(pictures)} in {group_count} groups")
    for file in files:
        counts = ", ".join(f"{name} {count}" for name, count in _by_category(parts[file.stem]).items())
        print(f"{file}: {_said(parts[file.stem])}{': ' if counts else ''}{counts}")


def _anchors(args: argparse.Namespace) -> None:
    from models.data.anchor_clusters import anchor_sides, cluster_boxes, fit_anchors, gaps, mean_best_iou
    from models.data.anchor_clusters import sides_at_input as sides_of
    from models.data.recipe_edits import write_into_recipe
    from models.mask_rcnn.config import MaskRcnnConfig

    sides = sides_of(_read(args), input_px=args.side, categories=args.only)
    clusters = cluster_boxes(sides, args.clusters, seed=args.seed)
    fitted = fit_anchors(sides, ratio_count=args.ratios, seed=args.seed)
    usual = MaskRcnnConfig(categories=("any",))
    before = mean_best_iou(sides, anchor_sides(usual.anchor_scales_px, usual.anchor_ratios))
    values = {"anchor_scales_px": fitted.scales_px, "anchor_ratios": fitted.ratios}
    if args.recipe is not None:
        write_into_recipe(args.recipe, values)
    if args.json:
        _print_json(
            {
                "boxes": len(sides),
                "side_px": args.side,
                "clusters_wh": clusters.sides_wh.round(2).tolist(),
                "cluster_boxes": clusters.counts.tolist(),
                "clusters_mean_best_iou": round(clusters.mean_best_iou, 4),
                **values,
                "mean_best_iou": round(fitted.mean_best_iou, 4),
                "mean_best_iou_of_defaults": round(before, 4),
                "gaps": gaps(fitted.scales_px),
            }
        )
    else:
        _print_anchors(args, clusters, fitted, before, gaps(fitted.scales_px))


def _print_anchors(
    args: argparse.Namespace,
    clusters: "Clusters",
    fitted: "FittedAnchors",
    before: float,
    gaps: Sequence[str],
) -> None:
    boxes = int(clusters.counts.sum())
    print(f"{boxes} boxes, longest side of the picture {args.side} px")
    print(f"{len(clusters.counts)} clusters, mean best IoU {clusters.mean_best_iou:.3f}:")
    print("   width  height  height/width    boxes")
    for (width, height), count in zip(clusters.sides_wh, clusters.counts, strict=True):
        print(f"{width:8.1f}{height:8.1f}{height / width:14.2f}{count:9d}")
    print(f"anchor_scales_px: {list(fitted.scales_px)}")
    print(f"anchor_ratios: {list(fitted.ratios)}")
    print(f"with these anchors, mean best IoU {fitted.mean_best_iou:.3f}; with the defaults {before:.3f}")
    for gap in gaps:
        print(f"note: {gap}")
    if args.recipe is not None:
        print(f"{args.recipe}: anchors written")


def _gear(args: argparse.Namespace) -> None:
    plain = drawn_gear.plain_folders(args)
    labelled = argparse.Namespace(**{**vars(args), "sets": [path for path in args.sets if path not in plain]})
    written, report = drawn_gear.draw(args, _read(labelled))
    if args.json:
        _print_json(report | _counts(written))
        return
    counts = ", ".join(f"{name} {count}" for name, count in _by_category(written).items())
    print(f"{report['file']}: {_said(written)}{': ' if counts else ''}{counts}")
    print(f"on {report['faces']} bare faces, and {report['heads']} heads from behind")


def _by_category(pictures: "Sequence[AnnotatedPicture]") -> dict[str, int]:
    names = sorted(thing.category for picture in pictures for thing in picture.objects)
    return {name: names.count(name) for name in dict.fromkeys(names)}


def _counts(pictures: "Sequence[AnnotatedPicture]") -> dict[str, Any]:
    return {"pictures": len(pictures), "objects": _by_category(pictures)}


def _said(pictures: "Sequence[AnnotatedPicture]") -> str:
    return f"{len(pictures)} pictures, {sum(len(picture.objects) for picture in pictures)} objects"


def _print_json(content: object) -> None:
    print(json.dumps(content, ensure_ascii=False))
