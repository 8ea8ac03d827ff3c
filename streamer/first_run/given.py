"""What the options of the command line have answered already."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.secret_text import Surroundings, resolve_secret
from streamer.commands import UsageError
from streamer.first_run.here import checked_timezone, readable_file
from streamer.first_run.plan import (
    TLS_PORT,
    Address,
    BrokerPlan,
    CameraPlan,
    Password,
    below,
    broker_address,
    checked_name,
    checked_secret,
    gear_named,
)
from streamer.redaction import install_redaction

_REFERENCES: Final = ("file:", "credential:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Answers; None and nothing: it is asked."""

    name: str | None = None
    timezone: str | None = None
    broker: BrokerPlan | None = None
    cameras: tuple[CameraPlan, ...] = ()
    discover: bool = False


def given_of(args: argparse.Namespace, environ: Mapping[str, str]) -> Given:
    """What ``args`` of ``ppewatch init`` answer. Raises ``UsageError``."""
    try:
        broker = None
        if args.broker or args.broker_user:
            broker = given_broker(
                args.broker or "127.0.0.1",
                user=args.broker_user,
                password=args.broker_password,
                tls=args.broker_tls,
                ca=args.broker_ca,
                environ=environ,
            )
        return Given(
            name=checked_name(args.name) if args.name else None,
            timezone=checked_timezone(args.timezone) if args.timezone else None,
            broker=broker,
            cameras=_cameras_of(args, environ),
            discover=args.discover,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _cameras_of(args: argparse.Namespace, environ: Mapping[str, str]) -> tuple[CameraPlan, ...]:
    cameras: dict[str, CameraPlan] = {}
    for text in args.camera:
        name, equals, url = text.partition("=")
        if not equals or "://" in name:
            raise ValueError("--camera takes NAME=URL")
        if name in cameras:
            raise ValueError(f"--camera: {name!r} is given twice")
        cameras[name] = given_camera(
            checked_name(name),
            url,
            base=Path.cwd(),
            environ=environ,
            user=args.user,
            password=password_of(args.password, Path.cwd(), environ),
            require=gear_named(args.require or "hard_hat"),
            zone_later=args.zone_later,
        )
    return tuple(cameras.values())


def given_broker(
    address: str, *, user: str, password: str | None, tls: bool, ca: str, environ: Mapping[str, str]
) -> BrokerPlan:
    """The broker of the command line; ``password`` is a reference. Raises ``ValueError``."""
    where = broker_address(address)
    tls = tls or bool(ca) or where.tls or where.port == TLS_PORT
    return BrokerPlan(
        host=where.host,
        port=where.port_with(tls=tls),
        tls=tls,
        ca_file=readable_file(ca) if ca else "",
        user=checked_secret(user, "a user name"),
        password=password_of(password, Path.cwd(), environ),
    )


def given_camera(
    name: str,
    url: str,
    *,
    base: Path,
    user: str,
    password: Password | None,
    require: tuple[str, ...],
    zone_later: bool,
    environ: Mapping[str, str],
) -> CameraPlan:
    """A camera of the command line, or a file's in ``base``; what stands in the address wins. Raises ``ValueError``."""
    address = Address.parse(url, environ)
    if address.has_login:
        user, password = address.user, None
    if address.password:
        install_redaction({address.password})
        password = Password(address.password)
    return CameraPlan(
        name=name,
        url=below(address.url, base),
        user=user,
        password=password,
        require=require,
        zone_later=zone_later and bool(require),
    )


def password_of(text: str | None, base: Path, environ: Mapping[str, str]) -> Password | None:
    """The password that ``text`` is or refers to, hidden from now on. Raises ``ValueError`` that does not show it."""
    if not text:
        return None
    value = checked_secret(resolve_secret(text, Surroundings(environ=environ, base_dir=base)))
    install_redaction({value})
    if text.startswith("file:"):
        # relative to the answers, which lie elsewhere than the site's file
        return Password(value, f"file:{(base / text.removeprefix('file:')).absolute()}")
    is_reference = text.startswith(_REFERENCES) or "${" in text
    return Password(value, text if is_reference else "")
