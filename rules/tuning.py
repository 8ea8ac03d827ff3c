"""The numbers of the rules that are no settings of a site. The records 0010 to 0017 in ``docs/adr`` say why."""

from dataclasses import dataclass, fields
from math import isfinite


@dataclass(frozen=True, slots=True)
class Tuning:
    """Starting points, to be moved by ``replay --truth``. Times in seconds, lengths in head heights.

    Looks and belief (ADR 0011):

    - ``fade_s``: time constant of the fading of belief and weight; never shorter than three looks apart.
    - ``look_logit``: bound of what one look adds to belief. ``weight_limit``: bound of the weight.
    - ``decide_weight``: weight from which a state is known. ``forget_weight``: below this it is unknown again.
    - ``decide_belief``: belief beyond which, on either side, the state changes; the band lies between.
    - ``decide_logit``: the average look has to say so too, by these log-odds: many looks that are each hardly better
      than a guess (they err alike) are no certainty.
    - ``look_spacing_s``: looks closer than this share the weight of one, once the state is known.

    Clocks (ADR 0012):

    - ``unknown_pause_s``: a longer spell of UNKNOWN starts the dwell over.
    - ``missed_look_s``: a person missed by the detector for no longer than this (or for one frame) was there.
    - ``outage_s``: frames farther apart than this (or than three times the usual) leave a hole that nobody saw.
    - ``camera_lost_s``: no frame for this long ends every episode of the camera.
    - ``clock_jump_s``: a step of the frames' time that is larger, with no time reported passed, is a clock set anew.
    - ``clock_settle_s``: how long after such a step the schedule still goes by the old clock.

    Tracks (ADR 0013):

    - ``start_score``: a detection that belongs to no track starts one from this score on.
    - ``high_score``: detections from this score on choose their track first; those from ``low_score`` take
      what is left.
    - ``confirm_looks``: sightings until a track is confirmed. ``tentative_s``: time it may be unseen before that.
    - ``lost_s``: a track unseen for longer is given up.
    - ``gate``: chi-square bound (4 degrees of freedom) of the Mahalanobis gate.
    - ``ambiguous_cost``: two tracks whose exchange would cost less than this cannot be told apart.
    - ``swap_s``: for this long after that, an episode may turn out to belong to the other one.
    - ``max_speed``: fastest that a head moves in the picture, head heights per second.

    Episodes (ADR 0014):

    - ``inherit_s``: a new track within this time and near may go on with the episode of one that is gone.
    - ``near``: how near that is at once, in head heights; it grows by half of ``max_speed``.
    - ``cooldown_near``: how near a new episode is to a closed one for ``cooldown_s`` to hold it back.
    - ``zone_margin``: a person leaves a zone only when farther outside than this part of their height.
    - ``zone_exit_s``: and for this long.
    - ``better_snapshot``: an update needs a snapshot score this many times the best so far.

    Static things (ADR 0015):

    - ``static_s``: a thing with no body that has kept still for this long is static.
    - ``static_sway``: what still means: the smoothed middle of the head stays within this many head heights.
    - ``static_memory_s``: the place of a static thing is remembered for this long unseen.

    Suppression areas (ADR 0088):

    - ``area_iou``: a head that fills an area overlaps its box by this much.
    """

    fade_s: float = 2.0
    look_logit: float = 3.0
    weight_limit: float = 4.0
    decide_weight: float = 2.0
    forget_weight: float = 1.0
    decide_belief: float = 2.0
    decide_logit: float = 1.1
    look_spacing_s: float = 0.2
    unknown_pause_s: float = 3.0
    missed_look_s: float = 0.6
    outage_s: float = 1.0
    camera_lost_s: float = 30.0
    clock_jump_s: float = 600.0
    clock_settle_s: float = 60.0
    start_score: float = 0.85
    high_score: float = 0.5
    low_score: float = 0.2
    confirm_looks: int = 2
    tentative_s: float = 1.0
    lost_s: float = 5.0
    gate: float = 18.5
    ambiguous_cost: float = 6.0
    swap_s: float = 10.0
    max_speed: float = 8.0
    inherit_s: float = 10.0
    near: float = 1.5
    cooldown_near: float = 3.0
    zone_margin: float = 0.05
    zone_exit_s: float = 1.0
    better_snapshot: float = 1.2
    static_s: float = 120.0
    static_sway: float = 0.25
    static_memory_s: float = 3600.0
    area_iou: float = 0.5

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (isfinite(value) and value > 0):
                raise ValueError(f"{field.name} must be above 0, got {value}")
        if not self.forget_weight < self.decide_weight < self.weight_limit:
            raise ValueError("forget_weight, decide_weight and weight_limit must rise in this order")
        if not self.decide_belief < self.look_logit * self.weight_limit:
            raise ValueError("decide_belief must be in reach of look_logit times weight_limit")
        if self.area_iou > 1:
            raise ValueError("area_iou may not exceed 1")
        if not self.low_score <= self.high_score <= 1:
            raise ValueError("low_score may not exceed high_score, nor that 1")
