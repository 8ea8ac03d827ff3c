"""What watches the cameras on one machine, without any that answers."""

import time
from contextlib import ExitStack

from peers.dead_ends import HangingPort

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


def watch_of(site: SiteSettings) -> LocalWatch:
    events = WatchEvents(
        on_alert=nothing, on_held=nothing, on_look=nothing, on_camera=nothing, on_models=nothing
    )
    return LocalWatch(site, Heartbeats(), events, lambda _camera: ())


def nothing(*_: object) -> None:
    """Tells nobody."""


def test_cameras_keep_the_order_of_the_settings_when_some_change() -> None:
    watch = watch_of(site_of("gate", "door", "yard"))
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


def test_a_reload_does_not_wait_for_one_camera_after_the_other() -> None:
    with ExitStack() as closing:
        ports = [closing.enter_context(HangingPort()).port for _ in range(10)]

        def site(fps: float) -> SiteSettings:
            cameras = {f"c{port}": {"url": f"rtsp://127.0.0.1:{port}/", "fps": fps} for port in ports}
            return SiteSettings.model_validate({"site": {"name": "yard"}, "cameras": cameras})

        watch = watch_of(site(5))
        watch.reload(site(5), [*site(5).cameras])
        time.sleep(0.5)  # all have connected and wait for an answer
        begun_s = time.monotonic()
        watch.reload(site(2), [*site(2).cameras])
        # each lets go after some 1.5 s
        assert time.monotonic() - begun_s < 7
        for station in watch.stations.values():
            assert station.demand.fps == 2
            station.request_stop()
