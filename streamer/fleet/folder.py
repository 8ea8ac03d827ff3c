"""The settings of all sites of a fleet, each over the shared defaults; what must be unique among them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from config import ConfigError, ConfigProblem, SiteSettings, config_revision
from config.document import Document, read_document
from config.fleet import FleetSettings, FleetSite, fleet_file
from config.loading import settings_of
from config.merging import merged
from config.nodes import KeyPath, Mark, SourceFloat, SourceInt

_HEAD: Final = "# Written by `ppewatch fleet`; change {source} in the fleet's folder, not this file.\n"


class _Elsewhere(dict[str, str]):
    """The environment of another machine: what it holds is not known, and each variable stands for itself."""

    def get(self, name: str, default: Any = None) -> Any:
        """The variable where it is known, else its own name."""
        return super().get(name, default if default is not None else f"variable-{name}")


class _AsWritten(yaml.SafeDumper):
    """Writes numbers as they stand in the source: ``0123`` can be a password, and ``3.10`` a name."""


def _number(dumper: yaml.SafeDumper, value: SourceInt | SourceFloat) -> yaml.ScalarNode:
    tag = dumper.resolve(yaml.ScalarNode, value.text, (True, False))  # type: ignore[no-untyped-call]
    return dumper.represent_scalar(tag, value.text)


_AsWritten.add_representer(SourceInt, _number)
_AsWritten.add_representer(SourceFloat, _number)


@dataclass(frozen=True, slots=True)
class PlannedSite:
    """A site as the folder has it. ``text``: the whole YAML that it is to read."""

    name: str
    source: Path
    target: Path
    settings: SiteSettings
    text: str

    @property
    def revision(self) -> str:
        """What the daemon calls these settings."""
        return config_revision(self.settings)


def load_folder(path: Path, fleet: FleetSettings) -> dict[str, PlannedSite]:
    """All sites by name. Raises ``ConfigError`` with every problem of every file, those between files included."""
    folder = fleet_file(path).absolute().parent
    defaults = None if fleet.defaults is None else read_document(fleet.defaults)
    sites: dict[str, PlannedSite] = {}
    problems: list[ConfigProblem] = []
    for name, site in fleet.sites.items():
        source = site.file or folder / "sites" / f"{name}.yaml"
        try:
            sites[name] = _planned(name, site, _short(source), defaults)
        except ConfigError as error:
            problems += error.problems
    problems += clashes(sites.values())
    if problems:
        raise ConfigError(problems)
    return sites


def clashes(sites: Iterable[PlannedSite]) -> list[ConfigProblem]:
    """Sites that would write over each other or be taken for each other.

    One prefix, or one within another, whatever the broker; one client id at one broker, one name, one target.
    """
    found: list[ConfigProblem] = []
    taken: dict[tuple[str, ...], PlannedSite] = {}
    many = list(sites)
    for site in many:
        mqtt = site.settings.mqtt
        broker = f"{mqtt.host}:{mqtt.port}"
        unique = {
            ("prefix", mqtt.topic_prefix): f"topic prefix '{mqtt.topic_prefix}'",
            ("client", broker, mqtt.client_id): f"client id '{mqtt.client_id}' at the broker {broker}",
            ("name", site.settings.site.name): f"site name '{site.settings.site.name}'",
            ("target", str(site.target)): f"target {site.target}",
        }
        for key, words in unique.items():
            other = taken.setdefault(key, site)
            if other is not site:
                found.append(ConfigProblem(str(site.source), f"{words} is also that of {other.source}"))
    for site in many:
        mqtt = site.settings.mqtt
        levels = mqtt.topic_prefix.split("/")
        for end in range(1, len(levels)):
            above = "/".join(levels[:end])
            other = taken.get(("prefix", above), site)
            if other is not site:
                words = f"topic prefix '{mqtt.topic_prefix}' lies within '{above}' of {other.source}"
                found.append(ConfigProblem(str(site.source), words))
    return found


def written(target: Path) -> str | None:
    """What a site has now; None: nothing. What is not UTF-8 stands in it as surrogates, so that it can be put back."""
    try:
        return target.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return None


def _planned(name: str, site: FleetSite, source: Path, defaults: Document | None) -> PlannedSite:
    own = read_document(source)
    document = own if defaults is None else _over(defaults, own)
    environ = _Elsewhere(site.environment)
    try:
        settings = settings_of(document, site.target.parent, environ, elsewhere=True)
    except ConfigError as error:
        raise ConfigError([_for_site(one, own) for one in error.problems]) from None
    text = _HEAD.format(source=source.name) + yaml.dump(
        document.data, Dumper=_AsWritten, sort_keys=False, allow_unicode=True
    )
    return PlannedSite(name, source, site.target, settings, text)


def _over(defaults: Document, own: Document) -> Document:
    """A site's own keys over those that all share."""
    shared = frozenset(_shared(defaults.data, own.data))

    def marks(below: Mapping[KeyPath, Mark], above: Mapping[KeyPath, Mark]) -> dict[KeyPath, Mark]:
        return {**above, **{path: mark for path, mark in below.items() if path in shared}}

    return replace(
        own,
        data=merged(defaults.data, own.data),
        keys=marks(defaults.keys, own.keys),
        values=marks(defaults.values, own.values),
        files=dict.fromkeys(shared, defaults.file),
    )


def _shared(below: Any, above: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where what stands ``below`` holds once ``above`` is ``merged`` over it; a section of both is one of above."""
    if above is None:
        yield path
    if isinstance(below, dict) and (above is None or isinstance(above, dict)):
        for key, value in below.items():
            yield from _shared(value, None if above is None else above.get(key), (*path, key))
    elif isinstance(below, list) and above is None:
        for place, value in enumerate(below):
            yield from _shared(value, None, (*path, place))


def _for_site(problem: ConfigProblem, own: Document) -> ConfigProblem:
    """A problem of what the defaults say tells for which site it is one."""
    if problem.file == own.file:
        return problem
    return replace(problem, message=f"{problem.message} (for {Path(own.file).name})")


def _short(path: Path) -> Path:
    """Relative to where we are, if it lies below: as people name it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
