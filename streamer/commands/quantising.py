"""``ppewatch weights export --precision int8``: quantise networks, and say what it costs."""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.options import weights_given


def quantise_networks(args: argparse.Namespace) -> int:
    """Quantise the networks of all installed models, or of ``args.weights``, into the cache; then measure them where
    ``args.measure`` names labelled pictures."""
    from models.loading import MODELS, installed_models, weights_paths
    from models.runtime.cache import cache_folder, make_missing
    from models.runtime.quantised import QUANTISED_GRAPHS, quantise
    from streamer.native_noise import native_noise_hidden

    if args.pictures is None:
        raise UsageError("--precision int8 needs --pictures FOLDER")
    if args.measure and args.target is not None:
        raise UsageError("--measure looks in the usual cache: leave --out out")
    data_files = _data_files(args.measure, QUANTISED_GRAPHS)
    inputs = _inputs(args.pictures, args.input_size, args.most)
    folder = args.target or cache_folder()
    weights = weights_given(args.weights)
    models = installed_models(weights)
    names = [name for model in MODELS if model in models for name in MODELS[model]]
    paths = weights_paths(weights, names=[name for name in names if name in QUANTISED_GRAPHS])
    make_missing(paths, folder=folder)
    for network, path in paths.items():
        with native_noise_hidden():
            quantise(network, path, inputs, folder=folder)
        print(f"{network}: quantised to 8 bits on {len(inputs)} pictures", flush=True)
    print(folder, flush=True)
    for network, files in data_files.items():
        print(f"\n{network}", flush=True)
        if _measure(network, paths[network], files):
            return ExitCode.FAILED
    return ExitCode.DONE


def _inputs(folder: Path, input_size: int | None, most: int) -> list[Any]:
    """Inputs uint8 (1, H, W, 3) made of ``most`` pictures below ``folder``, evenly taken."""
    from models.data.readers.picture_files import pictures_below
    from models.letterbox import default_input_size, input_hw_for, letterbox_batch
    from models.pictures import read_picture

    files = list(pictures_below(folder)) if folder.is_dir() else []
    if not files:
        raise CommandError(f"{folder}: there are no pictures in it")
    count = min(most, len(files))
    inputs = []
    for index in range(count):
        picture = read_picture(files[index * len(files) // count])
        side = input_size or default_input_size(picture.image_hw)
        inputs.append(letterbox_batch([picture], input_hw_for(picture.image_hw, side)).pixels)
    return inputs


def _data_files(given: Sequence[tuple[str, Path]], networks: Collection[str]) -> dict[str, list[str]]:
    """The labelled pictures for each network."""
    files: dict[str, list[str]] = {}
    for network, file in given:
        if network not in networks:
            raise UsageError(f"--measure {network}={file}: there are {', '.join(networks)}")
        files.setdefault(network, []).append(str(file))
    return files


def _measure(network: str, weights: Path, data_files: Sequence[str]) -> int:
    """Print what a network finds in 32, 16 and 8 bits."""
    from models.evaluation import face_detector, mask_rcnn

    runtimes = ["--runtime", "openvino-f32", "openvino-bf16", "openvino-int8"]
    if network == "maskrcnn":
        return mask_rcnn.main([*data_files, "--weights", str(weights), *runtimes])
    return face_detector.main([str(weights), *data_files, *runtimes])
