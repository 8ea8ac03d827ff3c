"""What a site may ask for and this version does not do: it must be said, or silence is taken for compliance."""

from config import ModelName, SiteSettings
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


def unused_settings_warnings(site: SiteSettings) -> list[str]:
    """One line for each camera that sets what has no effect yet."""
    return [
        f"camera '{name}': {said}"
        for name, camera in site.cameras.items()
        for applies, said in (
            (camera.motion.enabled, "motion has no effect yet: every frame that is due is looked at"),
            (
                camera.models is not None and ModelName.MASKRCNN in camera.models,
                "maskrcnn is not installed yet: retinaface alone looks at it",
            ),
        )
        if applies
    ]


def limit_warnings(site: SiteSettings) -> list[str]:
    """Everything of the above."""
    return unseen_gear_warnings(site) + unused_settings_warnings(site)
