"""Rules for gear that the installed models cannot see: they would stay silent for ever, and that must be said."""

from config import SiteSettings
from models.loading import SEEN_GEAR
from models.structures import Gear


def unseen_gear_warnings(site: SiteSettings) -> list[str]:
    """One line for each rule that is switched on and requires gear of which the models can tell nothing."""
    return [
        f"rule '{rule.name}' requires {gear}, which the installed models do not see yet:"
        " it stays 'unknown' and never alarms"
        for rule in site.rules
        if rule.enabled
        for gear in rule.require
        if Gear(str(gear)) not in SEEN_GEAR
    ]
