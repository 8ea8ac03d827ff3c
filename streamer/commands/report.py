"""``ppewatch report``: compliance of a site by zone and shift, as a page to print."""

import argparse
import importlib.metadata
import json
import os
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.options import FIRST_YEAR, LAST_YEAR

HELP = "compliance of a site by zone and shift, as a page to print"

#: Alerts are read from the outbox so many at a time.
_PAGE = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("site", type=Path, metavar="SITE.yaml", help="the site whose state_dir is read")
    parser.add_argument(
        "--from", dest="first", type=_day, metavar="DATE", help="first day (default: six before --to)"
    )
    parser.add_argument("--to", dest="last", type=_day, metavar="DATE", help="last day (default: today)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write here (default: compliance-FROM-TO.html)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of the page")


def run(args: argparse.Namespace) -> int:
    """Write the report."""
    from config import load_site
    from streamer import wiring
    from streamer.alerts.alert_search import AlertFilter, AlertSearch
    from streamer.history.grouping import Period
    from streamer.history.store import FILE_NAME, ComplianceHistory
    from streamer.report.content import make_report
    from streamer.report.page import report_json, report_page
    from streamer.status.told_alerts import summary_of

    site = load_site(args.site)
    zone = site.site.zone
    last = args.last or datetime.now(zone).date()
    first = args.first or last - timedelta(days=6)
    if first > last:
        raise UsageError("--from comes before --to")
    target = args.out or Path(f"compliance-{first}-{last}.html")
    if target.is_dir():
        raise UsageError(f"--out: {target} is a folder; name a file in it")
    span = Period(_midnight(first, zone), _midnight(last + timedelta(days=1), zone), f"{first} to {last}")
    if not (site.state_dir / FILE_NAME).exists():
        raise CommandError(f"{site.state_dir} holds no counts: has the daemon run there?")
    search = AlertSearch(site.state_dir)
    wanted = AlertFilter(since=span.since, until=span.until)
    alerts, before = [], None
    while found := search.find(wanted, limit=_PAGE, before_seq=before):
        alerts += [summary_of(alert) for alert in found]
        before = found[-1].seq
    report = make_report(
        site.site.name,
        ComplianceHistory(site.state_dir).between(span.since, span.until),
        alerts,
        span=span,
        shifts=wiring.shifts_of(site),
        timezone=zone,
    )
    if args.json:
        print(json.dumps(report_json(report), indent=2))
        return ExitCode.DONE
    page = report_page(report, timezone=site.site.timezone, version=importlib.metadata.version("ppewatch"))
    partial = target.with_name(f".{target.name}.part")
    partial.write_text(page, encoding="utf-8")
    os.replace(partial, target)
    print(target)
    return ExitCode.DONE


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-11-21") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f"{text!r} is not in the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(0), zone).timestamp()
