"""``ppewatch weights``: list and verify what ships, import published weights."""

import argparse
import json
from pathlib import Path

from streamer.commands import CommandError, ExitCode, UsageError

HELP = "list, verify and import network weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the weights of a folder, by default those that are installed")
    verify = actions.add_parser("verify", help="read every file and compare it with its card")
    for action in (listing, verify):
        action.add_argument("folder", nargs="?", type=Path, help="a folder of .safetensors files")
        action.add_argument("--json", action="store_true", help="print JSON")
    importing = actions.add_parser(
        "import", help="convert a published PyTorch RetinaFace file; nothing in it is run"
    )
    importing.add_argument("source", type=Path, metavar="FILE.pth")
    importing.add_argument("target", type=Path, metavar="OUT.safetensors")
    importing.add_argument("--backbone", choices=("mobilenet0.25", "resnet50"), default="mobilenet0.25")


def run(args: argparse.Namespace) -> int:
    """Do it; 1 when a file is not what its card says."""
    if args.action == "import":
        return _import(args)
    from models.weights import STORE

    folder = args.folder or STORE
    if not folder.is_dir():
        raise CommandError(f"{folder}: is no folder")
    return _list(folder, as_json=args.json) if args.action == "list" else _verify(folder, as_json=args.json)


def _import(args: argparse.Namespace) -> int:
    from streamer.native_noise import native_noise_hidden

    if args.target.suffix != ".safetensors":
        # `weights list` and the store look for that
        raise UsageError(f"{args.target} should end in .safetensors")
    with native_noise_hidden():
        from models.retinaface.import_pytorch import import_retinaface
    print(f"{args.target}  {import_retinaface(args.source, args.target, backbone=args.backbone)}")
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
