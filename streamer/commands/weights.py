"""``ppewatch weights``: list and verify what ships, import published weights, average stages, export for this machine
or other programs."""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.options import add_weights_argument, named_file, weights_given, whole_number

HELP = "list, verify, import and export network weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the weights of a folder, by default those that are installed")
    verify = actions.add_parser("verify", help="read every file and compare it with its card")
    for action in (listing, verify):
        action.add_argument("folder", nargs="?", type=Path, help="a folder of .safetensors files")
        action.add_argument("--json", action="store_true", help="print JSON")
    kinds = actions.add_parser(
        "import", help="convert published weights; nothing in a file is run"
    ).add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, add in _KINDS.items():
        add(kinds, kind)
    _add_export(actions)
    averaging = actions.add_parser("average", help="the mean of several stages of one network's training")
    averaging.add_argument("sources", type=Path, nargs="+", metavar="FILE.safetensors", help="at least two")
    averaging.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", dest="target")


def _add_export(actions: Any) -> None:
    exporting = actions.add_parser(
        "export", help="prepare networks for this machine's CPU, or write a Mask R-CNN for other programs"
    )
    exporting.add_argument(
        "source",
        type=Path,
        nargs="?",
        metavar="FILE.safetensors",
        help="with --format matterport: what to write",
    )
    exporting.add_argument(
        "--format",
        choices=("openvino", "matterport"),
        default="openvino",
        help="openvino (default): the graphs that run on a CPU, into the cache, so that the first start is fast",
    )
    exporting.add_argument(
        "--precision",
        choices=("usual", "int8"),
        default="usual",
        help="openvino: int8 quantises them to 8 bits, for `inference: {precision: int8}`",
    )
    _add_quantising(exporting)
    add_weights_argument(exporting)
    exporting.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        dest="target",
        help="openvino: the folder of the cache (default: where this user's is); matterport: the file, .h5",
    )


def _add_quantising(exporting: argparse.ArgumentParser) -> None:
    quantising = exporting.add_argument_group("with --precision int8")
    quantising.add_argument(
        "--pictures",
        type=Path,
        metavar="FOLDER",
        help="pictures like those that will be looked at, from which the ranges of the 8 bits are taken",
    )
    quantising.add_argument(
        "--input-size",
        type=whole_number(least=64, most=4096),
        metavar="PX",
        help="longest side at which they are seen (default: by their size, as the daemon looks)",
    )
    quantising.add_argument(
        "--most",
        type=whole_number(least=1, most=5000),
        default=200,
        metavar="N",
        help="take N of them, evenly (default 200)",
    )
    quantising.add_argument(
        "--measure",
        type=named_file,
        action="append",
        default=[],
        metavar="NETWORK=DATA_FILE",
        help="labelled pictures on which to print the average precision that it costs; can be repeated",
    )


def _add_retinaface(kinds: Any, name: str) -> None:
    kind = _add_kind(kinds, name, "FILE.pth", "a RetinaFace published for PyTorch")
    kind.add_argument("--backbone", choices=("mobilenet0.25", "resnet50"), default="mobilenet0.25")


def _add_matterport(kinds: Any, name: str) -> None:
    kind = _add_kind(kinds, name, "FILE.h5", "a Mask R-CNN of Matterport's, mask_rcnn_coco.h5 for example")
    names = kind.add_mutually_exclusive_group()
    names.add_argument(
        "--categories", type=_names, metavar="NAME,...", help="what it finds, in its order; by default COCO's"
    )
    names.add_argument(
        "--new-categories",
        type=_names,
        metavar="NAME,...",
        help="what it shall learn to find: the layers that depend on it start untrained",
    )
    kind.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="LAYER",
        help="do not take this layer; can be repeated",
    )
    kind.add_argument(
        "--anchor-scales-px",
        type=_numbers,
        metavar="PX,...",
        help="RPN_ANCHOR_SCALES of its training; by default 32,64,128,256,512",
    )


def _add_keras(kinds: Any, name: str) -> None:
    kind = _add_kind(kinds, name, "FILE.h5", "an ImageNet backbone of keras.applications")
    kind.add_argument(
        "--backbone", choices=("mobilenet_v1", "mobilenet_v2", "resnet50", "resnet101"), required=True
    )
    kind.add_argument("--width", type=float, default=1.0, help="multiplier of its channels; default 1")


def _add_tflite(kinds: Any, name: str) -> None:
    kind = _add_kind(kinds, name, "FILE.tflite", "an 8-bit ImageNet MobileNet of TensorFlow's")
    kind.add_argument("--width", type=float, default=1.0, help="multiplier of its channels; default 1")


def _add_kind(kinds: Any, name: str, file_name: str, what: str) -> argparse.ArgumentParser:
    kind: argparse.ArgumentParser = kinds.add_parser(name, help=what)
    kind.add_argument("source", type=Path, metavar=file_name)
    kind.add_argument("--out", type=Path, required=True, metavar="FILE.safetensors", dest="target")
    return kind


_KINDS: Final = {
    "retinaface": _add_retinaface,
    "matterport": _add_matterport,
    "keras": _add_keras,
    "tflite": _add_tflite,
}


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise argparse.ArgumentTypeError(f"{text!r} should be different names with commas between them")
    return names


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} should be numbers with commas between them") from None


def run(args: argparse.Namespace) -> int:
    """Do it; 1 when a file is not what its card says."""
    if args.action == "import":
        return _import(args)
    if args.action == "export":
        return _export(args)
    if args.action == "average":
        return _average(args)
    from models.weights import STORE

    folder = args.folder or STORE
    if not folder.is_dir():
        raise CommandError(f"{folder}: is no folder")
    return _list(folder, as_json=args.json) if args.action == "list" else _verify(folder, as_json=args.json)


def _average(args: argparse.Namespace) -> int:
    from models.weights.averaging import average_weights

    _check_target(args.target)
    print(f"{args.target}  {average_weights(args.sources, args.target)}")
    return ExitCode.DONE


def _check_target(target: Path) -> None:
    if target.suffix != ".safetensors":
        # `weights list` and the store look for that
        raise UsageError(f"{target} should end in .safetensors")


def _import(args: argparse.Namespace) -> int:
    from models.keras_start import load_keras
    from streamer.native_noise import native_noise_hidden

    _check_target(args.target)
    if not args.source.is_file():
        # seconds before TensorFlow would let anybody say so
        raise CommandError(f"{args.source}: there is no such file")
    with native_noise_hidden():
        load_keras()
        digest = _imported(args)
    print(f"{args.target}  {digest}")
    return ExitCode.DONE


def _imported(args: argparse.Namespace) -> str:
    if args.kind == "retinaface":
        from models.retinaface.import_pytorch import import_retinaface

        return import_retinaface(args.source, args.target, backbone=args.backbone)
    if args.kind == "keras":
        from models.mask_rcnn.keras_applications import import_keras_backbone

        return import_keras_backbone(args.source, args.target, backbone=args.backbone, width=args.width)
    if args.kind == "tflite":
        from models.mask_rcnn.quantised_tflite import import_tflite_backbone

        return import_tflite_backbone(args.source, args.target, width=args.width)
    from models.mask_rcnn.matterport import CLASS_LAYERS, import_matterport

    return import_matterport(
        args.source,
        args.target,
        categories=args.categories or args.new_categories,
        exclude=[*args.exclude, *(CLASS_LAYERS if args.new_categories else ())],
        anchor_scales_px=args.anchor_scales_px,
    )


def _export(args: argparse.Namespace) -> int:
    if args.format == "openvino":
        return _export_graphs(args)
    if args.source is None or args.target is None:
        raise UsageError("--format matterport needs FILE.safetensors and --out FILE.h5")
    from models.keras_start import load_keras
    from streamer.native_noise import native_noise_hidden

    with native_noise_hidden():
        load_keras()
        from models.mask_rcnn.matterport import export_matterport

        export_matterport(args.source, args.target)
    print(args.target)
    return ExitCode.DONE


def _export_graphs(args: argparse.Namespace) -> int:
    if args.source is not None:
        raise UsageError("--format openvino takes weights as --weights NETWORK=FILE")
    if args.precision == "int8":
        from streamer.commands.quantising import quantise_networks

        return quantise_networks(args)
    if args.pictures or args.measure:
        raise UsageError("--pictures and --measure belong to --precision int8")
    from models.loading import MODELS, installed_models, weights_paths
    from models.runtime.cache import cache_folder, exported, make_missing
    from models.runtime.equality import LIMITS
    from streamer.native_noise import native_noise_hidden

    weights = weights_given(args.weights)
    folder = args.target or cache_folder()
    models = installed_models(weights)
    paths = weights_paths(
        weights, names=[name for model in MODELS if model in models for name in MODELS[model]]
    )
    make_missing(paths, folder=folder)
    for network, path in paths.items():
        with native_noise_hidden():
            differences = exported(network, path, folder=folder).differences
        apart = ", ".join(
            f"{name} {differences[name]:.1e} (limit {limit:g})" for name, limit in LIMITS.items()
        )
        print(f"{network}: answers as the network does: {apart}")
    print(folder)
    return ExitCode.DONE


def _list(folder: Path, *, as_json: bool) -> int:
    from models.weights import list_weights

    entries = list_weights(folder)
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": entry.name,
                        "architecture": entry.architecture,
                        "source": entry.source,
                        "digest": entry.digest,
                        "bytes": entry.size_bytes,
                        "problem": entry.problem,
                    }
                    for entry in entries
                ]
            )
        )
        return ExitCode.DONE
    if not entries:
        print(f"{folder}: holds no weights")
    for entry in entries:
        print(
            f"{entry.name:28} {entry.architecture:12} {entry.size_bytes / 1e6:6.2f} MB  {entry.digest[:23]}"
        )
        print(f"    {entry.problem or entry.source}")
    return ExitCode.DONE


def _verify(folder: Path, *, as_json: bool) -> int:
    from models.weights import list_weights, verify_weights

    problems = verify_weights(folder)
    if not problems and not list_weights(folder):
        problems = [f"{folder}: holds no weights"]
    if as_json:
        print(json.dumps({"folder": str(folder), "problems": problems}))
    else:
        print("\n".join(problems) or f"{folder}: every file is what its card says")
    return ExitCode.FAILED if problems else ExitCode.DONE
