"""``ppewatch replay``: the rules over a recording; one JSON line per alert message, figures against the truth."""

import argparse
import json
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import ExitCode, UsageError

if TYPE_CHECKING:
    from config import SiteSettings
    from streamer.replay.recording import ReplayedAlert

HELP = "run the rules over a recording, as fast as it goes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("clip", type=Path, metavar="CLIP", help="a recording, or a folder of pictures")
    parser.add_argument(
        "--config", type=Path, metavar="SITE.yaml", help="take zones and rules of a camera there"
    )
    parser.add_argument(
        "--camera", metavar="NAME", help="which camera of SITE.yaml (needed when it has several)"
    )
    parser.add_argument(
        "--require", nargs="+", choices=("face_mask", "hard_hat"), metavar="GEAR", help="face_mask, hard_hat"
    )
    parser.add_argument("--dwell", metavar="S", help="missing for so long before an alert opens (default 2s)")
    parser.add_argument("--clear", metavar="S", help="worn or gone for so long before it closes (default 5s)")
    parser.add_argument("--fps", type=float, help="looks per second of the recording (default: the camera's)")
    parser.add_argument(
        "--input-size", type=int, metavar="PX", help="longest side at which the network looks"
    )
    parser.add_argument(
        "--start",
        type=_moment,
        metavar="TIME",
        help="when the recording began, ISO 8601 (default 1970-01-01T00:00Z)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the messages to FILE, one JSON line each"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="save the snapshots into DIR")
    parser.add_argument("--truth", type=Path, metavar="EVENTS.json", help="compare with what really happens")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time") from error
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} names no time zone; add Z or an offset")
    return moment.timestamp()


def run(args: argparse.Namespace) -> int:
    """Replay and report."""
    from streamer import wiring
    from streamer.detector_loading import load_detector
    from streamer.judging.alert_ids import repeatable_alert_id
    from streamer.judging.camera_judge import CameraJudge
    from streamer.replay.recording import Progress, replay
    from streamer.replay.truth import read_truth

    truth = None if args.truth is None else read_truth(args.truth)
    site, camera_id = _site(args)
    camera = site.cameras[camera_id]
    start_epoch_s = 0.0 if args.start is None else args.start
    if args.start is None and any(rule.schedule for rule in site.rules):
        print(
            "ppewatch replay: rules have a schedule: say with --start when the recording began",
            file=sys.stderr,
        )
    detector = load_detector(
        device=args.device, models=wiring.weights_of(site)
    )
    judge = CameraJudge(
        wiring.engine_of(site, camera_id),
        wiring.view_of(site, camera_id),
        new_alert_id=repeatable_alert_id,
    )
    progress = Progress()
    replayed = replay(
        args.clip,
        detector=detector,
        judge=judge,
        camera_id=camera_id,
        fps=args.fps or camera.fps,
        longest_side_px=args.input_size or camera.input_size_px,
        start_epoch_s=start_epoch_s,
        progress=progress,
    )
    alerts = _write(replayed, args.json, args.save)
    opened = sum(alert.composed.alert.type == "new" for alert in alerts)
    print(
        f"{progress.frames} frames, {progress.seconds:.1f} s of recording: {opened} alerts",
        file=sys.stdout if args.json else sys.stderr,
    )
    if truth is not None:
        figures = _figures(truth, alerts, start_epoch_s)
        print(json.dumps(figures), file=sys.stdout if args.json else sys.stderr)
    return ExitCode.DONE


def _site(args: argparse.Namespace) -> "tuple[SiteSettings, str]":
    from config import load_site
    from streamer.replay.site import ad_hoc_site

    given = [name for name in ("require", "dwell", "clear") if getattr(args, name) is not None]
    if args.config is None:
        site = ad_hoc_site(
            require=args.require or ["face_mask"], dwell=args.dwell or "2s", clear=args.clear or "5s"
        )
        return site, next(iter(site.cameras))
    if given:
        raise UsageError(f"--{given[0]} belongs to SITE.yaml when --config is given")
    site = load_site(args.config)
    if args.camera is None and len(site.cameras) > 1:
        raise UsageError(f"--camera: one of {', '.join(site.cameras)}")
    camera_id = args.camera or next(iter(site.cameras))
    if camera_id not in site.cameras:
        raise UsageError(f"--camera: there is no {camera_id!r}; there are {', '.join(site.cameras)}")
    return site, camera_id


def _write(
    replayed: "Iterable[ReplayedAlert]", target: Path | None, folder: Path | None
) -> "list[ReplayedAlert]":
    alerts = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") if target is not None else _Stdout() as lines:
        for alert in replayed:
            alerts.append(alert)
            lines.write(alert.to_json() + b"\n")
            lines.flush()
            if folder is not None and alert.composed.jpeg is not None:
                name = f"{alert.composed.alert.alert_id}.{alert.seq}.jpg"
                (folder / name).write_bytes(alert.composed.jpeg)
    return alerts


class _Stdout:
    """Standard output as a binary file that a ``with`` does not close."""

    def __enter__(self) -> Any:
        return sys.stdout.buffer

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()


def _figures(truth: Any, alerts: "list[ReplayedAlert]", start_epoch_s: float) -> dict[str, Any]:
    from streamer.replay.truth import RaisedAlert, compare

    raised = [
        RaisedAlert(gear, alert.confirmed_at - start_epoch_s, alert.box_xyxy)
        for alert in (replayed.composed.alert for replayed in alerts)
        if alert.type == "new"
        for gear in alert.missing
    ]
    return compare(truth, raised).as_dict()
