"""Every number at which something is called wrong, or right again, with its reason. Measured: docs/adr/0084."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from streamer.fitness.findings import Code


@dataclass(frozen=True, slots=True)
class Limit:
    """When a finding begins and ends: from ``enter`` on for ``hold_s``, from ``leave`` back for ``clear_s``.

    What lies between the two changes nothing. ``enter`` below ``leave``: small values are the bad ones.
    """

    enter: float
    leave: float
    hold_s: float
    clear_s: float

    def is_bad(self, value: float) -> bool:
        """Whether a value is beyond ``enter``."""
        return value >= self.enter if self.enter > self.leave else value <= self.enter

    def is_good(self, value: float) -> bool:
        """Whether a value is back at ``leave``."""
        return value <= self.leave if self.enter > self.leave else value >= self.leave


LIMITS: Final[Mapping[Code, Limit]] = MappingProxyType(
    {
        # Part of the learned view that is gone. A lorry before the lens or a crowd hides half of it, and moves on; less
        # than a fifth of the view left is no view. Half a minute: what stands there that long hides people that long.
        Code.COVERED: Limit(0.8, 0.5, hold_s=20.0, clear_s=5.0),
        # The same part, while the whole view or quarters of it agree better elsewhere. Nobody who walks by does so:
        # less is enough, and sooner.
        Code.MOVED: Limit(0.4, 0.3, hold_s=10.0, clear_s=5.0),
        # Blur of the sharpest edges over what is usual. Undisturbed clips stay within 1.1; a head of 24 pixels at the
        # network's input loses its features at about twice the usual blur. Autofocus that hunts is over in seconds.
        Code.DEFOCUSED: Limit(1.6, 1.35, hold_s=20.0, clear_s=10.0),
        # Level (0 to 255) below which 95 of 100 pixels lie. Infrared light leaves far more than a twentieth of the
        # picture above; a lamp in a dark yard too.
        Code.DARK: Limit(45.0, 60.0, hold_s=20.0, clear_s=10.0),
        # Part of the picture that is white. Sky and snow seldom fill six tenths without any grey.
        Code.BRIGHT: Limit(0.6, 0.4, hold_s=20.0, clear_s=10.0),
        # Part of the picture that was another one within ``frozen_after``: a burnt-in clock covers less than the first.
        # One fresh picture is proof of life.
        Code.FROZEN: Limit(0.06, 0.12, hold_s=0.0, clear_s=0.0),
        # Parts per million by which the stream's clock runs fast or slow: 500 are 43 s a day. Quartz keeps 100.
        Code.CLOCK_DRIFT: Limit(500.0, 300.0, hold_s=60.0, clear_s=60.0),
        # Seconds between the camera's clock and ours. Networks delay by less than the second.
        Code.CLOCK_OFFSET: Limit(10.0, 5.0, hold_s=30.0, clear_s=30.0),
        # Frames that come over those that the rules want, see ``frame_rate``. Dwell times are kept at two looks a
        # second as at five (docs/adr/0014-episodes.md), so a third less is no finding yet.
        Code.LOW_FPS: Limit(0.6, 0.8, hold_s=20.0, clear_s=10.0),
        # No stream (1) or one (0). Most cameras are back within seconds after a lost connection.
        Code.SIGNAL_LOSS: Limit(1.0, 0.0, hold_s=10.0, clear_s=0.0),
    }
)

#: A picture that has not changed for so long is frozen. Longer than key frames are apart in cameras that save
#: bandwidth; each of them shows the sensor's noise anew.
FROZEN_AFTER_S: Final = 60.0

#: Pictures are examined this often: changes of seconds are told, and it costs less than 1 % of a core for each camera.
EXAMINE_EVERY_S: Final = 1.0

#: Beyond these nothing is told: such a clock measures no time of day, such time stamps no time.
MOST_CLOCK_OFFSET_S: Final = 86_400.0
MOST_CLOCK_DRIFT_PPM: Final = 100_000.0
