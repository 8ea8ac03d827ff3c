"""What a site may ask for and does not get: it must be said, or silence is taken for compliance."""

from config import RuleSettings, SiteSettings
from models.loading import MODEL_FOR_GEAR, installed_models
from models.structures import Gear
from streamer import wiring


def unseen_gear_warnings(site: SiteSettings) -> list[str]:
    """One line for each rule that is switched on and requires gear of which the models can tell nothing: the model is
    not installed, or a camera of the rule does without it.
    """
    installed = installed_models(wiring.weights_of(site))
    warnings = []
    for rule in site.rules:
        for gear in rule.require if rule.enabled else ():
            model = MODEL_FOR_GEAR.get(Gear(str(gear)))
            if model is None or model not in installed:
                reason = (
                    f"which the installed models do not see{'' if model is None else f': {model} is missing'}"
                )
                warnings.append(_unseen(rule, str(gear), reason))
                continue
            blind = dict.fromkeys(
                place.camera
                for place in site.places_of(rule)
                if model not in wiring.models_of(site, place.camera)
            )
            warnings += [
                _unseen(
                    rule,
                    str(gear),
                    f"which {model} alone sees, and camera '{camera}' leaves it out of its models",
                )
                for camera in blind
            ]
    return warnings


def _unseen(rule: RuleSettings, gear: str, reason: str) -> str:
    return f"rule '{rule.name}' requires {gear}, {reason}; it stays 'unknown' and never alarms"


def unused_settings_warnings(site: SiteSettings) -> list[str]:
    """One line for each camera that sets what has no effect."""
    installed = installed_models(wiring.weights_of(site))
    warnings = []
    for name, camera in site.cameras.items():
        missing = [str(model) for model in camera.models or () if str(model) not in installed]
        if missing:
            lookers = " and ".join(sorted(wiring.models_of(site, name)))
            warnings.append(
                f"camera '{name}': {' and '.join(missing)} is not installed: {lookers} alone looks at it"
            )
    return warnings


def limit_warnings(site: SiteSettings) -> list[str]:
    """Everything of the above."""
    return unseen_gear_warnings(site) + unused_settings_warnings(site)
