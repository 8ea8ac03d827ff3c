"""The conversation of ``ppewatch init``: site, broker, cameras, each tried as soon as it is known."""

from collections.abc import Mapping
from typing import Final

from streamer.commands.background import in_background
from streamer.first_run.camera_dialog import CameraDialog
from streamer.first_run.console import Console
from streamer.first_run.credentials_dialog import ask_password, ask_user
from streamer.first_run.given import Given
from streamer.first_run.here import checked_timezone, local_name, local_timezone, readable_file
from streamer.first_run.pictures import Pictures
from streamer.first_run.plan import (
    PLAIN_PORT,
    TLS_PORT,
    BrokerPlan,
    SecretPlace,
    SitePlan,
    broker_address,
    checked_name,
)
from streamer.first_run.trying import try_broker

_PLACES: Final = {
    SecretPlace.FILES: "in files beside it, one each, which only you can read: it works at once",
    SecretPlace.ENV: "in one file of environment variables beside it, which only you can read",
    SecretPlace.YAML: "in it; then only you can read it",
}


def ask_site(console: Console, given: Given, pictures: Pictures, environ: Mapping[str, str]) -> SitePlan:
    """Everything of the site, tried. May raise ``EOFError`` and ``KeyboardInterrupt`` at any question."""
    name = given.name or console.ask("Name of the site", checked_name, default=local_name())
    timezone = given.timezone or console.ask("Time zone", checked_timezone, default=local_timezone())
    console.say()
    broker = _ask_broker(console, name, given.broker)
    console.say()
    cameras = CameraDialog(console, pictures, environ, ask_network=given.discover).ask_all(given.cameras)
    return SitePlan(name=name, timezone=timezone, broker=broker, cameras=cameras)


def ask_place(console: Console, plan: SitePlan) -> SecretPlace:
    """Where the passwords are to stand, where there are some that stand nowhere yet."""
    if not plan.has_loose_passwords:
        return SecretPlace.FILES
    console.say("Passwords do not stand in the site file, unless you want it so.")
    return console.choose("Where shall they stand", _PLACES, default=SecretPlace.FILES)


def _ask_broker(console: Console, site: str, given: BrokerPlan | None) -> BrokerPlan:
    broker = given or _broker_answers(console, BrokerPlan())
    while True:
        tried = broker
        console.say(f"trying the broker at {tried.host}:{tried.port} ...")
        problem = in_background(lambda: try_broker(tried, site=site)).result()  # noqa: B023
        if problem is None:
            console.say("  it takes us")
            return broker
        console.say(f"  {problem}")
        if not console.yes("Change the answers about the broker?", default=True):
            return broker
        broker = _broker_answers(console, broker)


def _broker_answers(console: Console, known: BrokerPlan) -> BrokerPlan:
    usual = TLS_PORT if known.tls else PLAIN_PORT
    shown = known.host if known.port == usual else f"{known.host}:{known.port}"
    where = console.ask("Broker (MQTT): HOST or HOST:PORT", broker_address, default=shown)
    # who writes mqtts:// has said it
    tls = where.tls or console.yes(
        "Is the connection encrypted (TLS)?", default=where.port == TLS_PORT or known.tls
    )
    ca_file = ""
    if tls:
        ca_file = console.ask("CA certificate to trust (Enter: the system's own)", _file_or_none)
    user = ask_user(console, "User at the broker", default=known.user)
    password = ask_password(console, f"Password of {user}") if user else None
    return BrokerPlan(
        host=where.host,
        port=where.port_with(tls=tls),
        tls=tls,
        ca_file=ca_file,
        user=user,
        password=password,
    )


def _file_or_none(text: str) -> str:
    return readable_file(text) if text else ""
