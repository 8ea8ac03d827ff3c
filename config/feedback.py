"""Settings of what follows from people's verdicts on alerts."""

from pydantic import Field

from config.base import Settings, bounded
from config.quantities import Seconds


class FeedbackSettings(Settings):
    """What follows when people say whether an alert was right.

    They say it over MQTT (`mqtt: {commands: true}`), or on the dashboard (with `http: {user, password}`).
    """

    examples: bool = Field(
        default=True,
        description="Keep the frame of each alert, without annotations and blurred as `privacy` says, so that a verdict"
        " makes a training picture of it (`ppewatch data examples`). Only where a verdict can come: with"
        " `mqtt.commands`, or `http.user`. `retention` says how long.",
    )
    suppress_after: int = Field(
        default=3,
        ge=0,
        le=100,
        description="After so many false alarms of one rule at one place of a camera, things that stand there like them"
        " raise no more of its alerts; 0: never.",
    )
    suppress_within_s: Seconds = bounded(
        default=7 * 86_400.0,
        alias="suppress_within",
        ge=60,
        le=365 * 86_400,
        description="The false alarms must lie within this time.",
    )
    suppress_for_s: Seconds = bounded(
        default=14 * 86_400.0,
        alias="suppress_for",
        ge=60,
        le=365 * 86_400,
        description="A suppression area ends after this time, or when it is removed.",
    )
