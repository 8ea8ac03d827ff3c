"""Answers of a script: a YAML file of them, or options of the command line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from config.base import Name, Named, Settings, Text, as_written
from config.document import Document, read_document
from config.errors import ConfigError, ConfigProblem, LocatedValueError
from config.nodes import Mark, dotted
from config.problems import problems_of
from streamer.first_run.given import given_camera, password_of
from streamer.first_run.here import checked_timezone, readable_file
from streamer.first_run.plan import (
    TLS_PORT,
    BrokerPlan,
    SecretPlace,
    SitePlan,
    broker_address,
    checked_secret,
    gear_named,
)

_REFERENCES: Final = ("file:", "credential:")


def _gear(value: Any) -> Any:
    return gear_named(",".join(map(str, value)) if isinstance(value, list) else str(value))


_User = Annotated[Text, AfterValidator(lambda text: checked_secret(text, "a user name"))]
_PasswordText = Annotated[str | None, BeforeValidator(as_written), Field(max_length=4096)]


class SiteAnswers(Settings):
    """``site``: which it is."""

    name: Name
    timezone: Annotated[Text, AfterValidator(checked_timezone)] = "UTC"


class BrokerAnswers(Settings):
    """``broker``: where it is, and how to log in there."""

    host: Text = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65535)
    user: _User = ""
    password: _PasswordText = None
    tls: bool = False
    ca: Text = ""


class CameraAnswers(Settings):
    """One of ``cameras``."""

    url: Text
    user: _User = ""
    password: _PasswordText = None
    require: Annotated[tuple[str, ...], BeforeValidator(_gear)]
    where: Annotated[str, Field(pattern="^(picture|zone)$")] = "picture"


class Answers(Settings):
    """The whole file of ``ppewatch init --answers``."""

    site: SiteAnswers
    broker: BrokerAnswers = BrokerAnswers()
    cameras: Named[CameraAnswers] = Field(min_length=1, max_length=512)
    secrets: SecretPlace = SecretPlace.FILES


def read_answers(path: Path, environ: Mapping[str, str]) -> tuple[SitePlan, SecretPlace]:
    """The answers in ``path``. Raises ``ConfigError`` that names file, line and key, and shows no password."""
    document = read_document(path)
    base = path.absolute().parent
    hidden = set(_passwords_in(document.data))
    try:
        answers = Answers.model_validate(document.data)
    except ValidationError as error:
        problems = problems_of(error, document, hidden)
    else:
        try:
            return _plan_of(answers, base, environ), answers.secrets
        except LocatedValueError as error:
            problems = [_problem(document, *found) for found in error.problems]
    # outside of the handlers: pydantic's error holds what was written
    raise ConfigError(problems)


def _problem(document: Document, path: tuple[str | int, ...], message: str) -> ConfigProblem:
    mark = document.values.get(path) or Mark(1, 1)
    return ConfigProblem(document.file, message, dotted(path), mark.line, mark.column)


def _passwords_in(data: Mapping[str, Any]) -> Iterator[str]:
    """Every text in the file that may be secret: passwords and addresses."""
    cameras = data.get("cameras")
    sections = [data.get("broker"), *(cameras.values() if isinstance(cameras, dict) else ())]
    for section in sections:
        if isinstance(section, dict):
            yield from (str(section[key]) for key in ("password", "url") if section.get(key))


def _plan_of(answers: Answers, base: Path, environ: Mapping[str, str]) -> SitePlan:
    problems: list[tuple[tuple[str | int, ...], str]] = []
    broker = BrokerPlan()
    cameras = []
    try:
        broker = _broker_of(answers.broker, base, environ)
    except ValueError as error:
        problems.append((("broker",), str(error)))
    for name, camera in answers.cameras.items():
        try:
            cameras.append(
                given_camera(
                    name,
                    camera.url,
                    base=base,
                    environ=environ,
                    user=camera.user,
                    password=password_of(camera.password, base, environ),
                    require=camera.require,
                    zone_later=camera.where == "zone",
                )
            )
        except ValueError as error:
            problems.append((("cameras", name), str(error)))
    if problems:
        raise LocatedValueError(problems)
    return SitePlan(
        name=answers.site.name, timezone=answers.site.timezone, broker=broker, cameras=tuple(cameras)
    )


def _broker_of(broker: BrokerAnswers, base: Path, environ: Mapping[str, str]) -> BrokerPlan:
    where = broker_address(broker.host)
    if broker.port is not None and where.port not in {None, broker.port}:
        raise ValueError("'host' holds another port than 'port' says")
    port = broker.port or where.port
    tls = broker.tls or bool(broker.ca) or where.tls or port == TLS_PORT
    return BrokerPlan(
        host=where.host,
        port=port or where.port_with(tls=tls),
        tls=tls,
        ca_file=readable_file(str(base / broker.ca)) if broker.ca else "",
        user=broker.user,
        password=password_of(broker.password, base, environ),
    )
