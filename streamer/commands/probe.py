"""``ppewatch probe``: what does this camera give?"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamer.commands import ExitCode, UsageError
from streamer.commands.options import PASSWORD_HELP, number
from streamer.commands.site_camera import add_camera_arguments, site_and_camera

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.alerts.privacy import Polygon
    from streamer.ingest.probe import ProbeReport
    from streamer.ingest.source import Source

HELP = "codec, size, frame rate, keyframe interval, decoder and a sample picture of a source"

_PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "url",
        nargs="?",
        metavar="URL",
        help="rtsp(s)://, http(s)://, a file, a folder or a webcam; ${NAME} is replaced",
    )
    add_camera_arguments(
        parser, "probe a camera there instead; its privacy polygons are black in the sample picture"
    )
    parser.add_argument("--user", help="user name at the camera")
    parser.add_argument("--password", help=PASSWORD_HELP)
    parser.add_argument(
        "--transport", choices=("tcp", "udp"), default="tcp", help="of RTSP's media (default tcp)"
    )
    parser.add_argument(
        "--seconds",
        type=number(above=0, most=3600),
        default=4.0,
        metavar="S",
        help="how long to watch (default 4)",
    )
    parser.add_argument(
        "--hardware",
        choices=("auto", "off", "cuda", "vaapi"),
        default="auto",
        help="graphics device that decodes, as a camera's `decode: {hardware: ...}` (default auto)",
    )
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE.pem", help="rtsps, https: trust these CA certificates alone"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="rtsps, https: take any certificate, for a first look"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.jpg", help="write a sample picture")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Probe and report."""
    from streamer.commands.background import in_background
    from streamer.ingest.probe import probe

    if args.picture is not None and args.picture.suffix.lower() not in _PICTURE_SUFFIXES:
        raise UsageError(f"--picture: {args.picture} should end in {', '.join(_PICTURE_SUFFIXES)}")
    source, polygons = _source(args)
    report = in_background(lambda: probe(source, seconds=args.seconds)).result()
    facts = {"source": source.display, **_facts(report)}
    if args.picture is not None:
        _write_picture(report, args.picture, polygons)
        facts["picture"] = str(args.picture)
    if args.json:
        print(json.dumps(facts))
    else:
        print(facts.pop("source"))
        for name, value in facts.items():
            print(f"  {name.replace('_', ' '):<22} {'unknown' if value is None else value}")
    return ExitCode.DONE


def _source(args: argparse.Namespace) -> "tuple[Source, Sequence[Polygon]]":
    """What to probe, and the parts of its picture that nobody may see."""
    from streamer.commands.passwords import given_password, given_url
    from streamer.ingest.source import Source
    from streamer.ingest.tls import SourceTls
    from streamer.ingest.urls import secrets_of
    from streamer.redaction import install_redaction

    if (args.url is None) == (args.config is None):
        raise UsageError("give a URL, or --config SITE.yaml with --camera")
    if args.config is not None:
        from streamer import wiring

        site, camera_id = site_and_camera(args.config, args.camera)
        camera = site.cameras[camera_id]
        return wiring.source_of(camera), camera.privacy.polygons
    password = given_password(args.password)
    try:
        source = Source(
            given_url(args.url),
            user=args.user,
            password=password,
            rtsp_transport=args.transport,
            hardware=args.hardware,
            tls=SourceTls(ca_file=args.ca_file, verify=not args.insecure),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    install_redaction(secrets_of(source.url, source.password))
    return source, ()


def _facts(report: "ProbeReport") -> dict[str, Any]:
    height, width = report.stream.image_hw
    return {
        "codec": report.stream.codec,
        "size": f"{width}x{height}",
        "pixel_format": report.stream.pixel_format,
        "declared_fps": _rounded(report.stream.fps),
        "measured_fps": _rounded(report.measured_fps),
        "keyframe_interval_s": _rounded(report.keyframe_interval_s),
        "decoder": report.stream.decoder,
        "frames": report.frames,
        "damaged_frames": report.damaged_frames,
        "connect_s": _rounded(report.connect_s),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _write_picture(report: "ProbeReport", path: Path, polygons: "Sequence[Polygon]") -> None:
    import cv2

    from streamer.alerts.privacy import made_private

    rgb = made_private(report.sample.rgb(), heads_xyxy=(), polygons=polygons)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(path.suffix.lower(), bgr)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
