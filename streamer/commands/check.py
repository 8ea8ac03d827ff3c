"""``ppewatch check``: is this SITE.yaml right, and with ``--connect``: do its cameras, its broker and its
webhooks answer, and are the heads that the cameras show large enough?
"""

import argparse
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamer.commands import ExitCode

if TYPE_CHECKING:
    from config import CameraSettings, ConfigError, SiteSettings, WebhookSettings
    from streamer.webhooks.target import WebhookTarget

HELP = "validate SITE.yaml; with --connect also try every camera, the broker and every webhook"

#: Cameras that are tried at a time, and how long each is watched once it gives pictures.
_AT_ONCE: Final = 8
_WATCHED_S: Final = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("site", type=Path, metavar="SITE.yaml")
    parser.add_argument(
        "--connect",
        action="store_true",
        help="open every camera, the broker and the way to every webhook (nothing is posted), and report each",
    )
    parser.add_argument(
        "--no-heads",
        action="store_true",
        help="with --connect: do not look at the cameras with the models to tell how large heads are",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check and report; 2 when the file is wrong, 1 when something does not answer."""
    from config import ConfigError, load_site
    from config.advice import site_warnings
    from streamer.present_limits import limit_warnings
    from streamer.redaction import install_redaction

    try:
        site = load_site(args.site)
        located = site_warnings(args.site, site)
    except ConfigError as error:
        if not args.json:
            raise
        print(json.dumps(_wrong(args.site, error), ensure_ascii=False))
        return ExitCode.WRONG_USAGE
    install_redaction(site.secrets())
    warnings = [*map(str, located), *limit_warnings(site)]
    if not args.json:
        for warning in warnings:
            print(f"warning: {warning}")
    results = []
    for result in _connections(site) if args.connect else ():
        results.append(result)
        if not args.json:
            print(f"{'ok  ' if result['ok'] else 'FAIL'}  {result['what']}: {result['said']}", flush=True)
    heads = []
    for told in _heads(site, results) if args.connect and not args.no_heads else ():
        heads.append(told)
        if not args.json:
            place = told["camera"] if told["zone"] is None else f"{told['camera']}/{told['zone']}"
            print(f"heads {place}: {told['said']}", flush=True)
    answers = all(result["ok"] for result in results)
    if args.json:
        report = {"file": str(args.site), "problems": [], "warnings": warnings, "connections": results}
        if args.connect and not args.no_heads:
            report["heads"] = heads
        print(json.dumps(report, ensure_ascii=False))
    else:
        cameras, rules = len(site.cameras), len(site.rules)
        print(f"{args.site}: {cameras} cameras, {rules} rules; the settings are right")
    return ExitCode.DONE if answers else ExitCode.FAILED


def _wrong(path: Path, error: "ConfigError") -> dict[str, Any]:
    return {
        "file": str(path),
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "key": problem.key,
                "message": problem.message,
            }
            for problem in error.problems
        ],
        "warnings": [],
        "connections": [],
    }


def _heads(site: "SiteSettings", results: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How large heads are at the cameras that answered."""
    from streamer.commands.check_heads import heads_of

    answered = {result["what"] for result in results if result["ok"]}
    return heads_of(
        site,
        [name for name, camera in site.cameras.items() if camera.enabled and f"camera {name}" in answered],
    )


def _connections(site: "SiteSettings") -> Iterator[dict[str, Any]]:
    """What became of each camera, of the broker and of each webhook, in this order and as soon as it is known."""
    from streamer.commands.background import in_background

    places = threading.BoundedSemaphore(_AT_ONCE)

    def in_turn(name: str) -> dict[str, Any]:
        with places:
            return _try_camera(name, site.cameras[name])

    broker = in_background(lambda: _try_broker(site))
    webhooks = [in_background(attempt) for attempt in _webhook_attempts(site)]
    cameras = [in_background(partial(in_turn, name)) for name in site.cameras]
    for attempt in (*cameras, broker, *webhooks):
        yield attempt.result()


def _try_camera(name: str, camera: "CameraSettings") -> dict[str, Any]:
    from streamer import wiring
    from streamer.ingest.errors import IngestError
    from streamer.ingest.probe import probe
    from streamer.redaction import redact

    what = f"camera {name}"
    if not camera.enabled:
        return {"what": what, "ok": True, "said": "switched off, not tried"}
    try:
        report = probe(wiring.source_of(camera), seconds=_WATCHED_S)
    except IngestError as error:
        return {"what": what, "ok": False, "code": error.code, "said": redact(str(error))}
    return {"what": what, "ok": True, "said": str(report.stream)}


def _try_broker(site: "SiteSettings") -> dict[str, Any]:
    from streamer import wiring
    from streamer.alerts.broker_check import check_broker
    from streamer.redaction import redact

    broker = wiring.broker_of(site.mqtt)
    problem = check_broker(broker, client_id=f"{site.mqtt.client_id}-check")
    return {
        "what": f"broker {broker.address}",
        "ok": problem is None,
        "said": redact(problem or "connected and accepted"),
    }


def _webhook_attempts(site: "SiteSettings") -> list[Callable[[], dict[str, Any]]]:
    """One for each webhook, in the order of the file."""
    from streamer.webhook_wiring import webhook_targets_of

    targets = {target.name: target for target in webhook_targets_of(site)}
    return [
        partial(_try_webhook, name, webhook, targets.get(name)) for name, webhook in site.webhooks.items()
    ]


def _try_webhook(name: str, webhook: "WebhookSettings", target: "WebhookTarget | None") -> dict[str, Any]:
    """Whether a post would begin; ``target`` is None where the webhook is switched off."""
    from streamer.redaction import redact
    from streamer.webhooks.posting import Poster, Verdict

    what = f"webhook {name}"
    if target is None:
        return {"what": what, "ok": True, "said": "switched off, not tried"}
    way = target.shown if webhook.proxy is None else f"{target.shown} through the proxy {webhook.proxy}"
    answer = Poster(target, user_agent="ppewatch").reach()
    if answer.verdict is not Verdict.DELIVERED:
        said = redact(f"{way}: {answer.detail}")
        return {"what": what, "ok": False, "code": str(answer.verdict), "said": said}
    if webhook.url.scheme == "https":
        reached = "encrypted, its certificate is " + ("trusted" if target.tls.verify else "not checked")
    elif webhook.proxy is None:
        reached = "connected, not encrypted"
    else:
        # for http:// a proxy is handed the request itself
        reached = "the proxy answers, its way on was not tried"
    said = f"{way}: {reached}; nothing was posted, so whether it takes events is not known"
    return {"what": what, "ok": True, "said": redact(said)}
