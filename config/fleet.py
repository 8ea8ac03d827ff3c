"""The settings of a fleet: many sites, their brokers, and how changes reach them. Read from ``fleet.yaml``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from config.base import Name, Named, OneOrMore, Settings, Text, bounded
from config.document import read_document
from config.errors import ConfigError, LocatedValueError
from config.problems import problems_of
from config.quantities import Seconds
from config.secret_text import Secret, Surroundings
from config.suggestions import did_you_mean
from config.tls import SitePath, TlsSwitch, expanded

_MOST_SITES: Final = 10_000


def _check_pattern(value: str) -> str:
    levels = value.split("/")
    if not all(levels) or any("#" in level or ("+" in level and level != "+") for level in levels):
        raise ValueError("should be the prefixes of sites, such as ppewatch/north or ppewatch/+")
    return value


#: A command as a list of words; no shell sees it.
Words = Annotated[tuple[Text, ...], Field(max_length=64)]


class FleetBroker(Settings):
    """A broker to which sites publish."""

    host: Annotated[Text, BeforeValidator(expanded)] = Field(
        default="127.0.0.1", min_length=1, max_length=253, description="Host name or address."
    )
    port: int = Field(default=1883, ge=1, le=65535, description="Port.")
    user: Secret = Field(default=None, description="User name.")
    password: Secret = Field(
        default=None, description="Password: `${NAME}`, `file:/path` or `credential:name`."
    )
    tls: TlsSwitch = Field(default=None, description="As `mqtt: {tls}` of a site.")
    topics: OneOrMore[Annotated[Text, AfterValidator(_check_pattern)]] = Field(
        default=("ppewatch/+",),
        min_length=1,
        description="Topic prefixes of its sites; `+` is any one level.",
    )


class FleetSite(Settings):
    """One site of the fleet's folder."""

    file: SitePath | None = Field(
        default=None, description="Its settings; by default `sites/<name>.yaml` beside `fleet.yaml`."
    )
    target: SitePath = Field(description="Where its settings are written to: a file that the site reads.")
    environment: Mapping[str, Text] = Field(
        default={}, description="Variables of that machine which its settings name outside of secrets."
    )
    push: Words = Field(default=(), description="A command that brings the written file to the site.")
    reload: Words = Field(
        default=(), description="A command that makes the site take it; empty: that of `rollout`."
    )


class RolloutSettings(Settings):
    """How a change goes through the fleet."""

    reload: Words = Field(
        default=(),
        description="Makes a site take its new settings; `{site}` and `{file}` are replaced in each word.",
    )
    update: Words = Field(
        default=(), description="Brings another version to a site: `{version}` is replaced too."
    )
    within_s: Seconds = bounded(
        default=120.0,
        alias="within",
        ge=1,
        le=86400,
        description="A site that has not said by then that it runs what it was given is unhealthy.",
    )
    hold_s: Seconds = bounded(
        default=30.0,
        alias="hold",
        ge=0,
        le=86400,
        description="How long all sites of a wave must stay healthy before the next one begins.",
    )


class FleetSettings(Settings):
    """A fleet."""

    brokers: Named[FleetBroker] = Field(min_length=1, max_length=100, description="The brokers by name.")
    defaults: SitePath | None = Field(
        default=None, description="What all sites share; a site's own keys win, section by section."
    )
    sites: Named[FleetSite] = Field(
        default={}, max_length=_MOST_SITES, description="The sites whose settings lie in this folder."
    )
    waves: tuple[OneOrMore[Name], ...] = Field(
        default=(), description="Which sites change together, in order; the others form the last wave."
    )
    rollout: RolloutSettings = Field(default=RolloutSettings(), description="How changes go through.")
    silent_after_s: Seconds = bounded(
        default=150.0,
        alias="silent_after",
        ge=1,
        le=86400,
        description="A site of which nothing was heard for so long is silent; sites send figures each minute.",
    )

    @model_validator(mode="after")
    def _check_waves(self) -> Self:
        problems, seen = [], set()
        for number, wave in enumerate(self.waves):
            for place, name in enumerate(wave):
                if name not in self.sites:
                    hint = did_you_mean(name, self.sites)
                    problems.append((("waves", number, place), f"there is no site '{name}'{hint}"))
                elif name in seen:
                    problems.append((("waves", number, place), f"'{name}' stands in a wave before"))
                seen.add(name)
        if problems:
            raise LocatedValueError(problems)
        return self

    def secrets(self) -> frozenset[str]:
        """Every exact value that must not be shown."""
        return frozenset(
            broker.password.get_secret_value() for broker in self.brokers.values() if broker.password
        )

    def all_waves(self) -> tuple[tuple[str, ...], ...]:
        """The waves, with those that stand in none as the last."""
        named = {name for wave in self.waves for name in wave}
        rest = tuple(name for name in self.sites if name not in named)
        return (*self.waves, rest) if rest else self.waves


def load_fleet(path: Path, environ: Mapping[str, str] | None = None) -> FleetSettings:
    """The fleet in ``path``, a file or a folder that holds ``fleet.yaml``. Raises ``ConfigError``."""
    path = fleet_file(path)
    document = read_document(path)
    around = Surroundings(environ=os.environ if environ is None else environ, base_dir=path.absolute().parent)
    try:
        return FleetSettings.model_validate(document.data, context={"surroundings": around})
    except ValidationError as error:
        problems = problems_of(error, document, around.seen)
    raise ConfigError(problems)


def fleet_file(path: Path) -> Path:
    """``fleet.yaml`` of a folder, or the file itself."""
    return path / "fleet.yaml" if path.is_dir() else path
