"""``ppewatch replay``: the rules over a recording; one JSON line per alert message, figures against the truth."""

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.options import add_model_arguments, moment, number, progress_bar, weights_given
from streamer.commands.site_camera import add_camera_arguments, site_and_camera

if TYPE_CHECKING:
    from config import CameraSettings, SiteSettings
    from rules import SuppressionArea
    from streamer.replay.recording import ReplayedAlert
    from streamer.replay.truth import RaisedAlert

HELP = "run the rules over a recording, as fast as it goes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a recording, or a folder of pictures")
    add_camera_arguments(parser, "take zones and rules of a camera there")
    parser.add_argument(
        "--require",
        nargs="+",
        choices=("face_mask", "hard_hat"),
        metavar="GEAR",
        help="without --config: face_mask (the default), hard_hat, or both",
    )
    parser.add_argument("--dwell", metavar="S", help="missing for so long before an alert opens (default 2s)")
    parser.add_argument("--clear", metavar="S", help="worn or gone for so long before it closes (default 5s)")
    parser.add_argument(
        "--fps",
        # as a camera's fps in SITE.yaml
        type=number(least=0.1, most=30),
        metavar="N",
        help="looks per second of the recording (default: the camera's)",
    )
    parser.add_argument(
        "--start",
        type=_moment,
        metavar="TIME",
        help="when the recording began, ISO 8601 (default 1970-01-01T00:00Z)",
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write the messages to FILE, one JSON line each, and the figures to standard output",
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="save the snapshots into DIR")
    parser.add_argument("--truth", type=Path, metavar="EVENTS.json", help="compare with what really happens")
    parser.add_argument(
        "--areas",
        type=Path,
        metavar="FILE",
        help="go by the camera's suppression areas in this file, from `ppewatch suppressions list --json`",
    )
    add_model_arguments(parser)


def _moment(text: str) -> float:
    started_at = moment(text)
    if datetime.fromisoformat(text).tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} names no time zone; add Z or an offset")
    return started_at


def run(args: argparse.Namespace) -> int:
    """Replay and report."""
    from streamer import wiring
    from streamer.detector_loading import load_detector
    from streamer.followed import FollowedHeads
    from streamer.judging.alert_ids import repeatable_alert_id
    from streamer.judging.camera_judge import CameraJudge
    from streamer.replay.recording import duration_of, replay
    from streamer.replay.truth import compare, read_truth

    site, camera_id = _site(args)
    site = _with_weights(site, weights_given(args.weights))
    _warn(site, camera_id, started=args.start is not None)
    truth = None if args.truth is None else read_truth(args.truth)
    if not args.clip.exists():
        raise CommandError(f"{args.clip}: no such file or folder")
    camera = _with_tiles(site.cameras[camera_id], args.tiles)
    start_epoch_s = 0.0 if args.start is None else args.start
    judge = CameraJudge(
        wiring.engine_of(site, camera_id),
        wiring.view_of(site, camera_id),
        new_alert_id=repeatable_alert_id,
    )
    judge.set_areas(_areas(args.areas, camera_id))
    heads = FollowedHeads() if camera.tiles.follow else None
    looked = _Looked()
    raised: list[RaisedAlert] = []
    with (
        progress_bar(unit="s", total=duration_of(args.clip), unit_scale=True) as looked.bar,
        _lines_to(args.json) as lines,
    ):
        for alert in replay(
            args.clip,
            detector=load_detector(
                device=args.device,
                weights=wiring.weights_of(site),
                models=wiring.models_of(site, camera_id),
            ),
            judge=judge,
            camera_id=camera_id,
            fps=args.fps or camera.fps,
            longest_side_px=args.input_size or camera.input_size_px,
            tiling=wiring.tiling_of(camera, heads),
            heads=heads,
            start_epoch_s=start_epoch_s,
            on_looked=looked,
        ):
            lines.write(alert.to_json() + b"\n")
            lines.flush()
            _save(alert, args.save)
            looked.alerts += alert.composed.alert.type == "new"
            raised += _raised(alert, start_epoch_s)
    print(
        f"{looked.frames} frames, {looked.seconds:.1f} s of recording: {looked.alerts} alerts",
        file=sys.stderr,
    )
    if truth is not None:
        figures = compare(truth, raised)
        print(figures.text(), file=sys.stderr)
        if _is_file(args.json):
            print(json.dumps(figures.as_dict()))
    return ExitCode.DONE


def _areas(file: Path | None, camera_id: str) -> "list[SuppressionArea]":
    from streamer.feedback.areas import area_of_dict

    if file is None:
        return []
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return [area_of_dict(area) for area in told if area["camera"] == camera_id]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"--areas: {file} is no list of suppression areas") from error


class _Looked:
    """How far the replay has come."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.frames = 0
        self.seconds = 0.0
        self.alerts = 0

    def __call__(self, frames: int, seconds: float) -> None:
        self.bar.update(seconds - self.seconds)
        self.frames += frames
        self.seconds = seconds


def _site(args: argparse.Namespace) -> "tuple[SiteSettings, str]":
    """The site of the arguments and the camera's name. Raises ``UsageError`` or ``ConfigError``."""
    from config.errors import ConfigError
    from streamer.replay.site import ad_hoc_site

    if args.config is None:
        if args.camera is not None:
            raise UsageError("--camera names a camera of SITE.yaml; give --config SITE.yaml too")
        try:
            site = ad_hoc_site(
                require=args.require or ["face_mask"], dwell=args.dwell or "2s", clear=args.clear or "5s"
            )
        except ConfigError as error:
            # there is no file whose line could be looked at: dwell and clear are options here
            told = (f"--{problem.key.rpartition('.')[2]}: {problem.message}" for problem in error.problems)
            raise UsageError("; ".join(told)) from error
        return site, next(iter(site.cameras))
    for name in ("require", "dwell", "clear"):
        if getattr(args, name) is not None:
            raise UsageError(f"--{name} belongs to SITE.yaml when --config is given")
    return site_and_camera(args.config, args.camera)


def _with_weights(site: "SiteSettings", given: dict[str, Path]) -> "SiteSettings":
    """The site with the weights files of ``--weights``. Raises ``WeightsError`` on a network that there is not."""
    from models.loading import weights_paths

    weights_paths(given, names=given)
    inference = site.inference.model_copy(update={f"{name}_weights": path for name, path in given.items()})
    return site.model_copy(update={"inference": inference})


def _with_tiles(camera: "CameraSettings", grid: tuple[int, int] | None) -> "CameraSettings":
    """The camera with the grid of ``--tiles``, if that is given."""
    if grid is None:
        return camera
    return camera.model_copy(update={"tiles": camera.tiles.model_copy(update={"grid": grid})})


def _warn(site: "SiteSettings", camera_id: str, *, started: bool) -> None:
    """Say beforehand why there may be fewer alerts than expected."""
    from streamer.present_limits import unseen_gear_warnings

    warnings = unseen_gear_warnings(site)
    rules = [
        rule
        for rule in site.rules
        if rule.enabled and any(place.camera == camera_id for place in site.places_of(rule))
    ]
    if not rules:
        warnings.append(f"no rule watches camera {camera_id}: there will be no alert")
    if not started and any(rule.schedule for rule in rules):
        warnings.append("rules have a schedule: say with --start when the recording began")
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def _is_file(target: Path | None) -> bool:
    return target is not None and str(target) != "-"


@contextlib.contextmanager
def _lines_to(target: Path | None) -> Iterator[IO[bytes]]:
    if target is None or not _is_file(target):
        yield sys.stdout.buffer
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as lines:
        yield lines


def _save(alert: "ReplayedAlert", folder: Path | None) -> None:
    if folder is None or alert.composed.jpeg is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{alert.composed.alert.alert_id}.{alert.seq}.jpg"
    (folder / name).write_bytes(alert.composed.jpeg)


def _raised(replayed: "ReplayedAlert", start_epoch_s: float) -> "list[RaisedAlert]":
    """What ``truth`` compares: one entry for each gear of a message that opens an episode."""
    from streamer.replay.truth import RaisedAlert

    alert = replayed.composed.alert
    if alert.type != "new":
        return []
    return [RaisedAlert(gear, alert.confirmed_at - start_epoch_s, alert.box_xyxy) for gear in alert.missing]
