"""What a connection tells of a camera to who looks after it: from a real RTSP server, and from recordings."""

from pathlib import Path

from ingest_clips import Collector, write_clip

from models.structures import Picture
from streamer.ingest.connection import run_connection
from streamer.ingest.session import Session
from streamer.ingest.source import Source


class Watch:
    """Remembers everything, and ends the connection after so many pictures."""

    def __init__(self, session: Session | None = None, most: int = 0) -> None:
        self.session, self.most = session, most
        self.connections: list[float] = []
        self.packets: list[tuple[float, float, float | None]] = []
        self.pictures: list[tuple[int, int]] = []

    def connected(self, mono_s: float) -> None:
        self.connections.append(mono_s)

    def packet(self, stamp_s: float, received_mono_s: float, ahead_s: float | None) -> None:
        self.packets.append((stamp_s, received_mono_s, ahead_s))

    def frame(self, picture: Picture, received_mono_s: float) -> None:
        self.pictures.append(picture.image_hw)
        if self.session is not None and len(self.pictures) >= self.most:
            self.session.stop.set()


def test_a_live_camera_tells_its_clocks(rtsp_server) -> None:
    camera = rtsp_server(fps=20, gop=10)
    watch = Watch(most=30)
    watch.session = Session("gate", Collector(), fps=10, watch=watch)
    assert run_connection(Source(camera.url, open_timeout_s=10, stall_s=10), watch.session) is None
    assert len(watch.connections) == 1
    assert set(watch.pictures) == {(240, 320)}
    stamps = [stamp for stamp, _, _ in watch.packets]
    assert stamps == sorted(stamps)
    assert len(stamps) >= 2 * (len(watch.pictures) - 1)
    ahead = [offset for *_, offset in watch.packets if offset is not None]
    # the server's sender reports carry this machine's time of day; it may have been busy
    assert ahead
    assert max(ahead) < 1
    assert min(ahead) > -30


def test_a_recording_has_pictures_and_no_clock(tmp_path: Path) -> None:
    watch = Watch()
    session = Session("gate", Collector(), fps=None, watch=watch)
    run_connection(Source(str(write_clip(tmp_path / "clip.mp4", frames=12)), paced=False), session)
    assert (len(watch.connections), len(watch.pictures), watch.packets) == (1, 12, [])
