"""``ppewatch init``: from nothing to a SITE.yaml, by questions on a terminal or in a browser, or from a script."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from models.printable import printable
from streamer.commands import CommandError, ExitCode, UsageError
from streamer.commands.options import whole_number

if TYPE_CHECKING:
    from streamer.first_run.plan import SecretPlace, SitePlan

HELP = "write a first SITE.yaml: asks for site, broker and cameras, tries each and shows a picture"

_DESCRIPTION = f"""{HELP}.

On a terminal it asks what no option answers. --browser asks the same on a page of this machine. A script gives
--name, --camera and --require, or all answers in a file: --answers FILE.
"""
_REFERENCE_HELP = (
    "${NAME} or file:/path, as SITE.yaml is to name it; the password itself is never an argument"
)
#: Options that answer a question, which a file of answers does too.
_ANSWERING = (
    "name", "timezone", "broker", "broker_user", "broker_password", "broker_tls", "broker_ca", "camera", "user",
    "password", "require", "zone_later", "discover", "browser",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "site",
        type=Path,
        nargs="?",
        default=Path("site.yaml"),
        metavar="SITE.yaml",
        help="default: site.yaml",
    )
    how = parser.add_argument_group("how it asks")
    how.add_argument("--browser", action="store_true", help="ask on a page that only this machine can open")
    how.add_argument(
        "--port", type=whole_number(least=0, most=65535), default=0, help="of that page (default: a free one)"
    )
    how.add_argument("--answers", type=Path, metavar="FILE.yaml", help="all answers, for scripts")
    site = parser.add_argument_group("answers")
    site.add_argument("--name", help="of the site")
    site.add_argument("--timezone", metavar="ZONE", help="IANA name (default: this machine's)")
    site.add_argument(
        "--broker",
        metavar="HOST[:PORT]",
        help="MQTT broker, behind mqtts:// if encrypted (a script's default: 127.0.0.1)",
    )
    site.add_argument("--broker-user", default="", metavar="USER")
    site.add_argument("--broker-password", metavar="REFERENCE", help=_REFERENCE_HELP)
    site.add_argument("--broker-tls", action="store_true", help="the connection is encrypted")
    site.add_argument(
        "--broker-ca", default="", metavar="FILE.pem", help="CA certificate to trust there; means TLS"
    )
    site.add_argument(
        "--camera",
        action="append",
        default=[],
        metavar="NAME=URL",
        help="a camera; may be given several times",
    )
    site.add_argument("--user", default="", help="user name at these cameras")
    site.add_argument("--password", metavar="REFERENCE", help=_REFERENCE_HELP)
    site.add_argument("--require", metavar="GEAR", help="at these cameras: hard_hat, face_mask, both or none")
    site.add_argument(
        "--zone-later", action="store_true", help="it is required in a zone that is drawn later"
    )
    site.add_argument(
        "--discover", action="store_true", help="look for ONVIF cameras, without asking whether"
    )
    writing = parser.add_argument_group("what is written")
    writing.add_argument(
        "--secrets",
        choices=("files", "env", "yaml"),
        help="where passwords stand: a file each, one file of environment variables, or SITE.yaml (default: files)",
    )
    writing.add_argument(
        "--pictures", type=Path, metavar="DIR", help="keep the pictures of the cameras there"
    )
    writing.add_argument("--force", action="store_true", help="replace files that exist")
    writing.add_argument(
        "--no-probe",
        action="store_true",
        help="a script's answers: write them without trying broker and cameras",
    )


def run(args: argparse.Namespace) -> int:
    """Ask, try, write; 1 when something does not answer a script, 2 when answers are missing."""
    from streamer.commands.ending import ended_by_sigterm

    _check_usage(args)
    with ended_by_sigterm():
        try:
            if args.browser:
                from streamer.first_run.browser import serve

                return serve(args.site, port=args.port, force=args.force, environ=_environ())
            if args.answers is not None or not _on_terminal():
                return _from_script(args)
            return _from_terminal(args)
        except KeyboardInterrupt:
            print("\nended; nothing was written", file=sys.stderr)
            return ExitCode.FAILED
        except EOFError:
            raise CommandError("the answers ended; nothing was written") from None


def _check_usage(args: argparse.Namespace) -> None:
    if args.answers is not None:
        given = [name for name in _ANSWERING if getattr(args, name)]
        if given:
            raise UsageError(
                f"--answers answers everything; --{given[0].replace('_', '-')} cannot go with it"
            )
    if not args.site.absolute().parent.is_dir():
        raise UsageError(f"{args.site.absolute().parent}: there is no such folder")
    for option, text in (("--broker-password", args.broker_password), ("--password", args.password)):
        if text is not None and not (text.startswith(("file:", "credential:")) or "${" in text):
            raise UsageError(f"{option}: takes ${{NAME}} or file:/path, never the password itself")
    if args.site.exists() and not args.force and (args.browser or args.answers or not _on_terminal()):
        raise UsageError(f"{args.site} exists; --force replaces it")


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _environ() -> Mapping[str, str]:
    return dict(os.environ)


def _from_script(args: argparse.Namespace) -> ExitCode:
    from streamer.first_run.answers import read_answers
    from streamer.first_run.given import given_of
    from streamer.first_run.plan import SecretPlace, SitePlan
    from streamer.first_run.script import try_all

    environ = _environ()
    place = SecretPlace.FILES
    if args.answers is not None:
        plan, place = read_answers(args.answers, environ)
    else:
        missing = [f"--{name}" for name in ("name", "camera", "require") if not getattr(args, name)]
        if missing:
            raise UsageError(
                f"there is no terminal to ask on, and without one it needs {', '.join(missing)} or --answers FILE"
            )
        given = given_of(args, environ)
        plan = SitePlan(
            name=given.name or "",
            timezone=given.timezone or _timezone(),
            cameras=given.cameras,
            **({} if given.broker is None else {"broker": given.broker}),
        )
    tried = plan if args.no_probe else try_all(plan, environ, pictures=args.pictures, say=print)
    if tried is None:
        raise CommandError("nothing was written; --no-probe writes it all the same")
    return _write(args, tried, SecretPlace(args.secrets) if args.secrets else place, replace=args.force)


def _timezone() -> str:
    from streamer.first_run.here import local_timezone

    return local_timezone()


def _from_terminal(args: argparse.Namespace) -> ExitCode:
    from streamer.first_run.console import Console
    from streamer.first_run.dialog import ask_place, ask_site
    from streamer.first_run.given import given_of
    from streamer.first_run.heads_dialog import ask_about_heads
    from streamer.first_run.pictures import Pictures
    from streamer.first_run.plan import SecretPlace
    from streamer.first_run.writing import prospect

    console, environ = Console(), _environ()
    given = given_of(args, environ)
    console.say(
        f"A first {args.site}, in a few questions; [..] is what Enter means. Ctrl-C ends it, nothing is written then."
    )
    console.say()
    if args.site.exists() and not (
        args.force or console.yes(f"{args.site} exists. Replace it in the end?", default=False)
    ):
        console.say("Name another file: ppewatch init OTHER.yaml")
        return ExitCode.FAILED
    with Pictures(args.pictures) as pictures:
        plan = ask_site(console, given, pictures, environ)
        plan = ask_about_heads(console, plan, environ)
        place = SecretPlace(args.secrets) if args.secrets else ask_place(console, plan)
        coming = prospect(plan, args.site, place)
        console.say()
        # not through the redactor: it would hide the references too
        print(printable(coming.shown, kept="\n"))
        console.say(f"Files: {', '.join(map(str, coming.paths))}")
        others = [path for path in coming.existing() if path != args.site]
        if others and not args.force:
            console.say(f"{', '.join(map(str, others))} of them exist, and are replaced.")
        if not console.yes("Write it?", default=True):
            console.say("Nothing was written.")
            return ExitCode.FAILED
    return _write(args, plan, place, replace=True)


def _write(args: argparse.Namespace, plan: "SitePlan", place: "SecretPlace", *, replace: bool) -> ExitCode:
    from streamer.first_run.next_steps import next_steps
    from streamer.first_run.writing import prospect, write_site

    coming = prospect(plan, args.site, place)
    write_site(coming, _environ(), replace=replace)
    print(next_steps(coming))
    return ExitCode.DONE
