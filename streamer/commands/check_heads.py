"""The part of ``ppewatch check --connect`` that looks for heads and says whether they are large enough."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from config import SiteSettings
    from models.combined_detector import CombinedDetector
    from streamer.detect.heads_seen import HeadsSeen
    from streamer.fitness.head_sizes import ZoneHeads

#: Each camera is looked at for so long.
_LOOKED_S: Final = 6.0


def heads_of(site: "SiteSettings", cameras: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What is seen of heads at these cameras, by zone, one camera after the other. Cannot fail: what cannot be looked
    at says why.
    """
    from models.errors import ModelError
    from streamer.commands.background import in_background
    from streamer.errors import StreamerError

    detector: CombinedDetector | None = None
    for name in cameras:
        try:
            if detector is None:
                detector = in_background(lambda: _loaded(site)).result()
            seen = in_background(partial(_seen, site, name, detector)).result()
        except (StreamerError, ModelError) as error:
            from streamer.redaction import redact

            yield {"camera": name, "zone": None, "said": f"not looked at: {redact(str(error))}"}
            continue
        yield from (_told(name, zone, seen) for zone in _of_interest(seen))


def _loaded(site: "SiteSettings") -> "CombinedDetector":
    from typing import cast

    from streamer import wiring
    from streamer.detector_loading import Device, load_detector

    return load_detector(
        device=cast(Device, str(site.inference.device)),
        weights=wiring.weights_of(site),
        models=wiring.all_models_of(site),
        precision=site.inference.precision.value,
    )


def _seen(site: "SiteSettings", name: str, detector: "CombinedDetector") -> "HeadsSeen":
    from streamer import wiring
    from streamer.detect.heads_seen import heads_seen

    camera = site.cameras[name]
    return heads_seen(
        wiring.source_of(camera),
        detector=detector,
        demand=wiring.demand_of(site, name),
        engine=wiring.engine_of(site, name),
        zones=tuple(camera.zones),
        seconds=_LOOKED_S,
    )


def _of_interest(seen: "HeadsSeen") -> tuple["ZoneHeads", ...]:
    """The zones, or the whole picture of a camera that has none."""
    return seen.zones[1:] or seen.zones[:1]


def _told(name: str, heads: "ZoneHeads", seen: "HeadsSeen") -> dict[str, Any]:
    from streamer.detect.heads_seen import advice_for
    from streamer.fitness.head_sizes import LARGE_ENOUGH_PX, TOO_SMALL_PX

    advice = list(advice_for(heads, seen))
    told: dict[str, Any] = {
        "camera": name,
        "zone": heads.zone,
        "input_px": seen.input_px,
        "looks": seen.looks,
        "heads": heads.looks,
        "median_px": None if heads.median_px is None else round(heads.median_px, 1),
        "too_small": round(heads.too_small, 3),
        "small": round(heads.small, 3),
        "advice": advice,
    }
    if heads.median_px is None:
        return {**told, "said": f"nobody was seen in {seen.looks} looks, {seen.seconds:.0f} s"}
    said = (
        f"{heads.looks} heads in {seen.looks} looks, median {heads.median_px:.0f} px at the network's input of"
        f" {seen.input_px}; {heads.too_small:.0%} below {TOO_SMALL_PX:.0f} px, where nothing can be told,"
        f" {heads.small:.0%} below {LARGE_ENOUGH_PX:.0f}"
    )
    if advice:
        said += f"; {' or '.join(advice)} would show them at {LARGE_ENOUGH_PX:.0f}"
    elif heads.median_px < LARGE_ENOUGH_PX:
        said += "; the camera itself shows them too small: it should be nearer, or longer in focal length"
    return {**told, "said": said}
