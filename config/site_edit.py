"""A camera's zones and the rules that hold there, as somebody wants them: what becomes of the site's YAML."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from config.document import decode, parse_document
from config.errors import ConfigError, ConfigProblem
from config.nodes import dotted
from config.polygons import Polygon
from config.rule import RuleSettings
from config.site import SiteSettings
from config.yaml_text import rewritten, with_names, without_item

#: Digits of a coordinate: a fifth of a pixel at 1080p.
DIGITS: Final = 4

_BOM: Final = b"\xef\xbb\xbf"

#: Bounds of what a browser may send; whether it is right is told by the settings that it leads to.
_Word = Annotated[str, Field(max_length=200)]
_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_Coordinate = Annotated[float, Field(ge=-1e3, le=1e3, allow_inf_nan=False)]
_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneWish:
    """One zone. ``was``: its name in the file, None for one that is new."""

    __pydantic_config__ = _STRICT

    was: _Word | None
    name: _Word
    corners: Annotated[tuple[tuple[_Coordinate, _Coordinate], ...], Field(max_length=200)]
    anchor: _Word


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWish:
    """One rule. ``was``: its name in the file, None for one that is new.

    ``whole_picture`` and ``zones`` say where at this camera it holds by name; what ``where`` says of other cameras, or
    of all, stays as it is.
    """

    __pydantic_config__ = _STRICT

    was: _Word | None
    name: _Word
    require: Annotated[tuple[_Word, ...], Field(max_length=10)]
    dwell_s: _Seconds
    clear_s: _Seconds
    cooldown_s: _Seconds
    severity: _Word
    alert_per: _Word
    allow_incorrect: bool
    enabled: bool
    whole_picture: bool
    zones: Annotated[tuple[_Word, ...], Field(max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraWish:
    """What is wanted at one camera: all its zones, the rules that change or are new, the names of those to remove."""

    camera: str
    zones: tuple[ZoneWish, ...]
    rules: tuple[RuleWish, ...] = ()
    removed_rules: tuple[str, ...] = ()


def edited_site(raw: bytes, site: SiteSettings, wish: CameraWish, file: str) -> bytes:
    """``raw``, which says ``site``, so changed that it says ``wish``; all that does not change stays byte for byte.

    The result may be wrong in what it means: validate it. Raises ``ConfigError`` where a rule would hold nowhere, or
    the text cannot be changed; ``rule_places`` tells whose rules the problems' keys name.
    """
    text = decode(raw, file)
    wanted = copy.deepcopy(parse_document(raw, file).data)
    if wish.camera not in site.cameras or wish.camera not in wanted["cameras"]:
        raise ConfigError([ConfigProblem(file, "there is no such camera", f"cameras.{wish.camera}")])
    _check_known(site, wish, file)
    _set_zones(wanted, site, wish)
    _set_rules(wanted, site, wish, file)
    for index in reversed(range(len(site.rules))):
        if site.rules[index].name in wish.removed_rules:
            text = without_item(text, ("rules", index), file)
    here = ("cameras", wish.camera, "zones")
    staying = {zone.was for zone in wish.zones}
    for name in site.cameras[wish.camera].zones:
        if name not in staying:
            text = without_item(text, (*here, name), file)
    renamed = _renamed(wish)
    if renamed:
        text = with_names(text, here, renamed, file)
    return (_BOM if raw.startswith(_BOM) else b"") + rewritten(text, wanted, file).encode()


def rule_places(site: SiteSettings, wish: CameraWish) -> tuple[int | None, ...]:
    """By position among the rules of the edited file: which of ``wish.rules`` it is, or None."""
    wishes = {rule.was: index for index, rule in enumerate(wish.rules) if rule.was is not None}
    kept = [wishes.get(rule.name) for rule in site.rules if rule.name not in wish.removed_rules]
    return (*kept, *(index for index, rule in enumerate(wish.rules) if rule.was is None))


def _check_known(site: SiteSettings, wish: CameraWish, file: str) -> None:
    """Two zones of one name would become one key; what is asked to change must be there."""
    problems = []
    names = [zone.name for zone in wish.zones]
    for zone in wish.zones:
        if names.count(zone.name) > 1:
            key = dotted(("cameras", wish.camera, "zones", zone.name))
            problems.append(ConfigProblem(file, "another zone has this name already", key))
    known = {
        "zone": (set(site.cameras[wish.camera].zones), [zone.was for zone in wish.zones]),
        "rule": (
            {rule.name for rule in site.rules},
            [*wish.removed_rules, *(rule.was for rule in wish.rules)],
        ),
    }
    for kind, (there, asked) in known.items():
        for name in asked:
            if name is not None and (name not in there or asked.count(name) > 1):
                problems.append(ConfigProblem(file, f"there is no {kind} '{name}', or it is named twice"))
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def _renamed(wish: CameraWish) -> dict[str, str]:
    return {zone.was: zone.name for zone in wish.zones if zone.was is not None and zone.was != zone.name}


def _set_zones(data: dict[str, Any], site: SiteSettings, wish: CameraWish) -> None:
    before = site.cameras[wish.camera].zones
    camera = data["cameras"][wish.camera]
    there = camera.pop("zones", None) or {}
    zones: dict[str, Any] = {}
    for zone in wish.zones:
        if zone.was is None:
            zones[zone.name] = {"coordinates": coordinates_text(zone.corners), "anchor": zone.anchor}
            continue
        said = zones[zone.name] = dict(there[zone.was])
        if zone.corners != before[zone.was].polygon_xy:
            as_list = isinstance(said.get("coordinates"), list)
            said["coordinates"] = _pairs(zone.corners) if as_list else coordinates_text(zone.corners)
        if zone.anchor != str(before[zone.was].anchor):
            said["anchor"] = zone.anchor
    if zones:
        camera["zones"] = zones


def _set_rules(data: dict[str, Any], site: SiteSettings, wish: CameraWish, file: str) -> None:
    there = data.pop("rules", None) or []
    names = {zone.name for zone in wish.zones}
    wishes = {rule.was: rule for rule in wish.rules if rule.was is not None}
    rules: list[dict[str, Any]] = []
    problems = []
    for before, was in zip(site.rules, there, strict=True):
        if before.name in wish.removed_rules:
            continue
        rule, said = wishes.get(before.name), dict(was)
        where = _where(before, wish.camera, rule, _renamed(wish), names)
        if not where:
            problems.append(_nowhere(file, len(rules)))
        elif where != [each.strip() for each in before.where]:
            # one place may stand without brackets
            said["where"] = where[0] if len(where) == 1 and not isinstance(said["where"], list) else where
        if rule is not None:
            _set_rule(said, before, rule)
        rules.append(said)
    for rule in wish.rules:
        if rule.was is None:
            if not _places(rule, wish.camera):
                problems.append(_nowhere(file, len(rules)))
            rules.append(_new_rule(rule, wish.camera))
    if problems:
        raise ConfigError(problems)
    if rules:
        data["rules"] = rules


def _nowhere(file: str, index: int) -> ConfigProblem:
    message = "it would hold nowhere: choose a place, or remove the rule"
    return ConfigProblem(file, message, f"rules[{index}].where")


def _where(
    before: RuleSettings,
    camera: str,
    rule: RuleWish | None,
    renamed: Mapping[str, str],
    names: set[str],
) -> list[str]:
    """The places of a rule: those at this camera as wished, or as they were where nothing is wished of the rule."""
    where: dict[str, None] = {}
    for each in before.where:
        owner, slash, zone = each.strip().partition("/")
        if owner != camera:
            where[each.strip()] = None
        elif not slash:
            if rule is None or rule.whole_picture:
                where[camera] = None
        else:
            name = renamed.get(zone, zone)
            if name in (names if rule is None else rule.zones):
                where[f"{camera}/{name}"] = None
    if rule is not None:
        where |= dict.fromkeys(_places(rule, camera))
    return list(where)


def _places(rule: RuleWish, camera: str) -> list[str]:
    return [*([camera] if rule.whole_picture else []), *(f"{camera}/{zone}" for zone in rule.zones)]


def _set_rule(said: dict[str, Any], before: RuleSettings, rule: RuleWish) -> None:
    if rule.name != before.name:
        said["name"] = rule.name
    if set(rule.require) != set(map(str, before.require)):
        gear = list(rule.require)
        said["require"] = gear[0] if len(gear) == 1 and not isinstance(said["require"], list) else gear
    times = {
        "dwell": (rule.dwell_s, before.dwell_s),
        "clear": (rule.clear_s, before.clear_s),
        "cooldown": (rule.cooldown_s, before.cooldown_s),
    }
    for key, (wanted_s, before_s) in times.items():
        if wanted_s != before_s:
            said[key] = _seconds(wanted_s)
    words = {"severity": (rule.severity, before.severity), "alert_per": (rule.alert_per, before.alert_per)}
    for key, (wanted, was) in words.items():
        if wanted != str(was):
            said[key] = wanted
    if rule.allow_incorrect != ("incorrect" in before.allow):
        said.pop("allow", None)
        if rule.allow_incorrect:
            said["allow"] = ["incorrect"]
    if rule.enabled != before.enabled:
        said["enabled"] = rule.enabled


def _new_rule(rule: RuleWish, camera: str) -> dict[str, Any]:
    """What differs from the defaults, and what people look for: the times."""
    said: dict[str, Any] = {
        "name": rule.name,
        "where": _places(rule, camera),
        "require": list(rule.require),
        "dwell": _seconds(rule.dwell_s),
        "clear": _seconds(rule.clear_s),
        "cooldown": _seconds(rule.cooldown_s),
    }
    fields = RuleSettings.model_fields
    if rule.severity != fields["severity"].default:
        said["severity"] = rule.severity
    if rule.alert_per != fields["alert_per"].default:
        said["alert_per"] = rule.alert_per
    if rule.allow_incorrect:
        said["allow"] = ["incorrect"]
    if not rule.enabled:
        said["enabled"] = False
    return said


def rounded(corners: Polygon) -> Polygon:
    """Corners as exactly as they are written."""
    return tuple((round(x, DIGITS), round(y, DIGITS)) for x, y in corners)


def coordinates_text(corners: Polygon) -> str:
    """``"0.03,0.3, 0.97,0.3, ..."``."""
    return ", ".join(f"{x:g},{y:g}" for x, y in rounded(corners))


def _pairs(corners: Polygon) -> list[list[float]]:
    return [[x, y] for x, y in rounded(corners)]


def _seconds(seconds: float) -> str:
    return f"{round(seconds, 3):g}s"


def differences(before: SiteSettings, after: SiteSettings) -> list[str]:
    """What differs, in words for people and without values: zones by camera, rules, and whether anything else does."""
    told = []
    for camera_id in dict.fromkeys((*before.cameras, *after.cameras)):
        old, new = before.cameras.get(camera_id), after.cameras.get(camera_id)
        zones = _changes({} if old is None else old.zones, {} if new is None else new.zones)
        told += [f"camera {camera_id}: zone {name} {what}" for name, what in zones]
    rules = _changes({rule.name: rule for rule in before.rules}, {rule.name: rule for rule in after.rules})
    told += [f"rule “{name}” {what}" for name, what in rules]
    if _others(before) != _others(after):
        told.append("other settings changed")
    return told


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[tuple[str, str]]:
    changes = [(name, "removed") for name in before if name not in after]
    for name, value in after.items():
        if name not in before:
            changes.append((name, "added"))
        elif before[name] != value:
            changes.append((name, "changed"))
    return changes


def _others(site: SiteSettings) -> tuple[object, ...]:
    cameras = {name: camera.model_copy(update={"zones": {}}) for name, camera in site.cameras.items()}
    return tuple(
        cameras if name == "cameras" else getattr(site, name)
        for name in type(site).model_fields
        if name != "rules"
    )
