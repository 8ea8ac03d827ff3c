"""A site's YAML text as the zone editor needs it: what can be changed in it, and the rules that follow from it.

One of the readers of settings, with ``app``, ``wiring`` and the commands.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from config import ConfigError, ConfigProblem, RequiredGear, RuleSettings, SiteSettings
from config.document import parse_document
from config.loading import settings_of
from config.site_edit import CameraWish, RuleWish, ZoneWish, differences, edited_site, rule_places
from models.errors import ModelError
from models.loading import MODEL_FOR_GEAR
from models.structures import Gear
from rules import CameraEngine, SuppressionArea
from streamer import wiring
from streamer.reloads import Reloads
from streamer.zone_editor.editor import ZoneEditor
from streamer.zone_editor.errors import FieldProblem, WrongWishError
from streamer.zone_editor.recent_looks import RecentLooks
from streamer.zone_editor.site_file import SiteFile
from streamer.zone_editor.values import EditorRule
from streamer.zone_editor.versions import Versions

_RULE: Final = re.compile(r"rules\[(\d+)\]\.?([a-z_]*)")


@dataclass(frozen=True, slots=True)
class SiteSource:
    """Where a site's settings come from: its file, and what that may refer to."""

    path: Path
    environ: Mapping[str, str]


class SiteText:
    """Reads and changes the text of a site's file. ``in_force``: the settings by which the daemon goes."""

    def __init__(self, source: SiteSource, in_force: Callable[[], SiteSettings]) -> None:
        self._path = source.path
        self._environ = source.environ
        self._in_force = in_force

    def settings(self, raw: bytes) -> SiteSettings:
        """What a text says, as ``ppewatch check`` reads it. Raises ``ConfigError``."""
        document = parse_document(raw, str(self._path))
        return settings_of(document, self._path.absolute().parent, self._environ)

    def usable(self, raw: bytes) -> SiteSettings:
        """The same, if the daemon can go over to it. Raises ``WrongWishError``."""
        try:
            site = self.settings(raw)
            wiring.check_usable(site, before=self._in_force())
        except ConfigError as error:
            raise WrongWishError([FieldProblem(message=_told(each)) for each in error.problems]) from None
        except (ModelError, ValueError) as error:
            raise WrongWishError([FieldProblem(message=str(error))]) from error
        return site

    def edited(self, raw: bytes, wish: CameraWish) -> bytes:
        """``raw`` with a wish in it that the daemon can go over to. Raises ``WrongWishError``."""
        site = self._readable(raw)
        try:
            after = edited_site(raw, site, wish, str(self._path))
            self.settings(after)
        except ConfigError as error:
            places = rule_places(site, wish)
            raise WrongWishError([_at_field(each, wish.camera, places) for each in error.problems]) from None
        self.usable(after)
        return after

    def cameras(self) -> list[str]:
        """Those of the settings in force."""
        return [*self._in_force().cameras]

    def is_in_force(self, raw: bytes) -> bool:
        """Whether the daemon goes by this text. Raises ``WrongWishError`` where nobody could."""
        return not differences(self._in_force(), self._readable(raw))

    def zones(self, raw: bytes, camera_id: str) -> tuple[ZoneWish, ...]:
        """The zones of a camera; none where it is not in the text. Raises ``WrongWishError``."""
        camera = self._readable(raw).cameras.get(camera_id)
        return tuple(
            ZoneWish(was=name, name=name, corners=zone.polygon_xy, anchor=str(zone.anchor))
            for name, zone in ({} if camera is None else camera.zones).items()
        )

    def rules(self, raw: bytes, camera_id: str) -> tuple[EditorRule, ...]:
        """All rules of the site, as they can be changed at a camera. Raises ``WrongWishError``."""
        return tuple(_editor_rule(rule, camera_id) for rule in self._readable(raw).rules)

    def differences(self, before: bytes, after: bytes) -> tuple[str, ...]:
        """What differs, in words. Raises ``WrongWishError`` where one of them says nothing that holds."""
        return tuple(differences(self._readable(before), self._readable(after)))

    def engine(self, camera_id: str, raw: bytes | None = None) -> CameraEngine:
        """The rules of a camera by a text, or those in force, begun anew."""
        return wiring.engine_of(self._in_force() if raw is None else self.settings(raw), camera_id)

    def untold(self, raw: bytes, camera_id: str, at: float) -> list[str]:
        """What the looks of the last minute cannot tell of the rules in a text, in words."""
        site = self.settings(raw)
        seen, seen_then = (wiring.models_of(each, camera_id) for each in (self._in_force(), site))
        told = []
        for rule in site.rules:
            if not rule.enabled or camera_id not in {place.camera for place in site.places_of(rule)}:
                continue
            for gear in rule.require:
                model = MODEL_FOR_GEAR[Gear(str(gear))]
                if model not in seen:
                    then = "once saved, it will" if model in seen_then else f"that needs the model {model}"
                    told.append(
                        f"rule “{rule.name}”: this camera was not looked at for {str(gear).replace('_', ' ')}s,"
                        f" so nothing can be told of them; {then}"
                    )
            schedule = wiring.rule_of(rule, (None,)).schedule
            if not schedule.span(at, ZoneInfo(site.site.timezone)).active:
                told.append(f"rule “{rule.name}” does not hold at this time ({wiring.schedule_text(rule)})")
        return told

    def gear(self) -> tuple[str, ...]:
        """What a rule can require."""
        return tuple(map(str, RequiredGear))

    def _readable(self, raw: bytes) -> SiteSettings:
        try:
            return self.settings(raw)
        except ConfigError as error:
            first = _told(error.problems[0])
            problem = FieldProblem(message=f"the file is wrong and has to be mended by hand first: {first}")
            raise WrongWishError([problem]) from None


def zone_editor_of(
    source: SiteSource,
    *,
    in_force: Callable[[], SiteSettings],
    looks: RecentLooks,
    reloads: Reloads,
    areas_of: Callable[[str], Iterable[SuppressionArea]],
) -> ZoneEditor:
    """Who changes the zones of the site of ``source``."""
    return ZoneEditor(
        file=SiteFile(source.path.absolute()),
        site=SiteText(source, in_force),
        versions=Versions(in_force().state_dir / "site-versions"),
        looks=looks,
        reloads=reloads,
        areas_of=areas_of,
    )


def _editor_rule(rule: RuleSettings, camera_id: str) -> EditorRule:
    places = [where.strip().partition("/") for where in rule.where]
    here = [zone for owner, _, zone in places if owner == camera_id]
    return EditorRule(
        rule=RuleWish(
            was=rule.name,
            name=rule.name,
            require=tuple(map(str, rule.require)),
            dwell_s=rule.dwell_s,
            clear_s=rule.clear_s,
            cooldown_s=rule.cooldown_s,
            severity=str(rule.severity),
            alert_per=str(rule.alert_per),
            allow_incorrect="incorrect" in rule.allow,
            enabled=rule.enabled,
            whole_picture="" in here,
            zones=tuple(zone for zone in here if zone),
        ),
        wildcards=tuple("".join(each) for each in places if each[0] == "*"),
        elsewhere=tuple("".join(each) for each in places if each[0] not in ("*", camera_id)),
        schedule=wiring.schedule_text(rule),
    )


def _at_field(problem: ConfigProblem, camera_id: str, places: tuple[int | None, ...]) -> FieldProblem:
    """Where on the page a problem of the edited file belongs."""
    zones = f"cameras.{camera_id}.zones."
    if problem.key.startswith(zones):
        name, _, field = problem.key.removeprefix(zones).partition(".")
        return FieldProblem(message=problem.message, zone=name, field=field or "name")
    rule = _RULE.match(problem.key)
    if rule is not None and int(rule[1]) < len(places):
        place = places[int(rule[1])]
        message = problem.message if place is not None else _told(problem)
        return FieldProblem(message=message, rule=place, field=rule[2])
    return FieldProblem(message=_told(problem))


def _told(problem: ConfigProblem) -> str:
    return f"{problem.key}: {problem.message}" if problem.key else problem.message
