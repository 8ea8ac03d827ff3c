"""``ppewatch probe``: what does this camera give?"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import ExitCode, UsageError

if TYPE_CHECKING:
    from streamer.ingest.probe import ProbeReport

HELP = "codec, size, frame rate, keyframe interval, decoder and a sample picture of a source"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("url", metavar="URL", help="rtsp(s)://, http(s)://, a file, a folder or a webcam")
    parser.add_argument("--user")
    parser.add_argument(
        "--password",
        help="the password, ${NAME} or file:/path; one on the command line can be seen by others",
    )
    parser.add_argument("--transport", choices=("tcp", "udp"), default="tcp")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long to watch (default 4)")
    parser.add_argument("--picture", type=Path, metavar="FILE.jpg", help="write a sample picture")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Probe and report."""
    from streamer.commands.passwords import given_password
    from streamer.ingest.probe import probe
    from streamer.ingest.source import Source
    from streamer.redaction import install_redaction

    password = given_password(args.password)
    try:
        source = Source(args.url, user=args.user, password=password, rtsp_transport=args.transport)
    except ValueError as error:
        raise UsageError(str(error)) from None
    install_redaction({source.password} if source.password else set())
    report = probe(source, seconds=args.seconds)
    if args.picture is not None:
        _write_picture(report, args.picture)
    facts = _facts(report)
    if args.json:
        print(json.dumps(facts))
    else:
        print(source.display)
        for name, value in facts.items():
            print(f"  {name.replace('_', ' '):<22} {'unknown' if value is None else value}")
    return ExitCode.DONE


def _facts(report: "ProbeReport") -> dict[str, Any]:
    height, width = report.stream.image_hw
    return {
        "codec": report.stream.codec,
        "size": f"{width}x{height}",
        "pixel_format": report.stream.pixel_format,
        "declared_fps": None if report.stream.fps is None else round(report.stream.fps, 2),
        "measured_fps": None if report.measured_fps is None else round(report.measured_fps, 2),
        "keyframe_interval_s": None
        if report.keyframe_interval_s is None
        else round(report.keyframe_interval_s, 2),
        "decoder": report.stream.decoder,
        "frames": report.frames,
        "damaged_frames": report.damaged_frames,
        "connect_s": round(report.connect_s, 2),
    }


def _write_picture(report: "ProbeReport", path: Path) -> None:
    import cv2

    done, jpeg = cv2.imencode(".jpg", cv2.cvtColor(report.sample.rgb(), cv2.COLOR_RGB2BGR))
    if done:
        path.write_bytes(jpeg.tobytes())
