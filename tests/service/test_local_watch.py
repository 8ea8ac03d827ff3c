"""What watches the cameras on one machine, without any that answers."""

from config import SiteSettings
from streamer.local_watch import LocalWatch
from streamer.service.heartbeats import Heartbeats
from streamer.site_watch import WatchEvents


def site_of(*cameras: str, fps: float = 5) -> SiteSettings:
    return SiteSettings.model_validate(
        {
            "site": {"name": "yard"},
            "cameras": {
                name: {"url": f"rtsp://127.0.0.1:9/{name}", "enabled": False, "fps": fps} for name in cameras
            },
        }
    )


def nothing(*_: object) -> None:
    """Tells nobody."""


def test_cameras_keep_the_order_of_the_settings_when_some_change() -> None:
    events = WatchEvents(
        on_alert=nothing, on_held=nothing, on_look=nothing, on_camera=nothing, on_models=nothing
    )
    watch = LocalWatch(site_of("gate", "door", "yard"), Heartbeats(), events, lambda _camera: ())
    shown = watch.stations
    try:
        watch.reload(site_of("gate", "door", "yard"), ["gate", "door", "yard"])
        assert [*shown] == ["gate", "door", "yard"]
        watch.reload(site_of("gate", "door", "yard", fps=2), ["gate"])
        assert [*shown] == ["gate", "door", "yard"]
        watch.reload(site_of("hall", "door", "gate"), ["hall"])
        assert [*shown] == ["hall", "door", "gate"]
    finally:
        for station in shown.values():
            station.stop(10)
