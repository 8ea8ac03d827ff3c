"""``ppewatch check``: is this SITE.yaml right, and with ``--connect``: do its cameras and its broker answer?"""

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.commands import ExitCode

if TYPE_CHECKING:
    from config import SiteSettings

HELP = "validate SITE.yaml; with --connect also try every camera and the broker"

#: Cameras that are tried at a time.
_AT_ONCE = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("site", type=Path, metavar="SITE.yaml")
    parser.add_argument(
        "--connect", action="store_true", help="open every camera and the broker and report each"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check and report; 2 when the file is wrong (see ``cli``), 1 when something does not answer."""
    from config import load_site
    from config.advice import site_warnings
    from streamer.redaction import install_redaction

    site = load_site(args.site)
    install_redaction(site.secrets())
    warnings = [str(warning) for warning in site_warnings(args.site, site)] + _unseen_gear(site)
    results = _connect(site) if args.connect else []
    failed = [result for result in results if not result["ok"]]
    if args.json:
        print(json.dumps({"file": str(args.site), "warnings": warnings, "connections": results}))
    else:
        for warning in warnings:
            print(f"warning: {warning}")
        for result in results:
            print(f"{'ok  ' if result['ok'] else 'FAIL'}  {result['what']}: {result['said']}")
        print(f"{args.site}: {len(site.cameras)} cameras, {len(site.rules)} rules; the settings are right")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _unseen_gear(site: "SiteSettings") -> list[str]:
    """Rules for gear that the installed models do not see would stay silent for ever; that must be said."""
    return [
        f"rule '{rule.name}' requires hard_hat, which no installed model sees yet: it stays 'unknown' and never alarms"
        for rule in site.rules
        if "hard_hat" in rule.require
    ]


def _connect(site: "SiteSettings") -> list[dict[str, Any]]:
    from streamer import wiring
    from streamer.alerts.broker_check import check_broker

    cameras = [(name, camera) for name, camera in site.cameras.items() if camera.enabled]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        results = list(pool.map(lambda entry: _try_camera(entry[0], wiring.source_of(entry[1])), cameras))
    broker = wiring.broker_of(site.mqtt)
    problem = check_broker(broker, client_id=f"{site.mqtt.client_id}-check")
    results.append(
        {
            "what": f"broker {broker.address}",
            "ok": problem is None,
            "said": problem or "connected and accepted",
        }
    )
    return results


def _try_camera(name: str, source: Any) -> dict[str, Any]:
    from streamer.ingest.errors import IngestError
    from streamer.ingest.probe import probe

    try:
        report = probe(source)
    except IngestError as error:
        return {"what": f"camera {name}", "ok": False, "code": error.code, "said": str(error)}
    return {"what": f"camera {name}", "ok": True, "said": str(report.stream)}
