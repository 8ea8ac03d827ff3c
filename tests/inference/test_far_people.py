"""The detector that ships, and somebody who is too far away for it: seen in tiles, or by a closer look."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from config import SiteSettings, load_site
from models.errors import WeightsError
from models.letterbox import input_hw_for
from models.loading import load_default_detector, weights_paths
from models.pictures import ArrayPicture
from models.tiles import detect_views, grid_views
from streamer import wiring
from streamer.demo.site import CLIP
from streamer.followed import FollowedHeads
from streamer.judging.alert_ids import repeatable_alert_id
from streamer.judging.camera_judge import CameraJudge
from streamer.replay.recording import replay

SITE = """\
site: {{name: yard}}
cameras: {{hall: {{url: "rtsp://10.0.0.1/stream", input_size: {size}, fps: 3, models: retinaface, tiles: {tiles}}}}}
rules: [{{name: masks, where: [hall], require: [face_mask], dwell: 1.5s, clear: 3s}}]
"""
#: The demo's scene in the middle of a wide view of 1080p; its bare face is some 21 pixels high.
DRAWN_PX = 220
FPS = 5


@pytest.fixture(scope="module")
def detector():
    try:
        weights_paths()
    except WeightsError as error:
        pytest.skip(f"needs the shipped weights: {error}")
    return load_default_detector(device="cpu", score_threshold=0.2, models=["retinaface"])


@pytest.fixture(scope="module")
def far_pictures() -> list[np.ndarray]:
    """Five seconds of somebody without a mask, far away."""
    wide = (
        np.full((1080, 1920, 3), 118, np.uint8) + (np.arange(1920) % 37 // 4).astype(np.uint8)[None, :, None]
    )
    found = []
    with av.open(str(CLIP)) as container:
        for frame in container.decode(video=0):
            if 2.5 + len(found) / FPS <= frame.time < 7.5:
                size_wh = (DRAWN_PX, DRAWN_PX * frame.height // frame.width)
                small = cv2.resize(frame.to_ndarray(format="rgb24"), size_wh, interpolation=cv2.INTER_AREA)
                drawn = wide.copy()
                drawn[500 : 500 + small.shape[0], 1200 : 1200 + DRAWN_PX] = small
                found.append(drawn)
    return found


@pytest.fixture(scope="module")
def far_clip(far_pictures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("far") / "far.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.options = {"crf": "18", "preset": "veryfast"}
        for number, rgb in enumerate(far_pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_somebody_who_is_missed_at_640_is_found_in_tiles_once_and_in_the_right_place(detector, far_pictures):
    pictures = [ArrayPicture(rgb) for rgb in far_pictures[5:20:5]]
    input_hw = input_hw_for((1080, 1920), 640)
    assert all(not len(seen) for seen in detector.detect(pictures, input_hw))
    views = grid_views((1080, 1920), columns=3, rows=3, overlap=0.2)
    for seen in detect_views(detector, pictures, [views] * len(pictures), input_hw):
        assert len(seen) == 1
        x1, y1, x2, y2 = seen.boxes_xyxy[0]
        assert 1200 < x1 < x2 < 1200 + DRAWN_PX
        assert 500 < y1 < y2 < 640
        assert 14 < y2 - y1 < 32
        assert seen.input_scales[0] > 2.5 * seen.input_scale
        assert seen.face_mask_probs[0].argmax() == 1, "without a mask"


def replayed(site: SiteSettings, clip: Path, detector) -> tuple[list[bytes], list]:
    camera = site.cameras["hall"]
    judge = CameraJudge(
        wiring.engine_of(site, "hall"), wiring.view_of(site, "hall"), new_alert_id=repeatable_alert_id
    )
    heads = FollowedHeads() if camera.tiles.follow else None
    alerts = list(
        replay(
            clip,
            detector=detector,
            judge=judge,
            camera_id="hall",
            fps=camera.fps,
            longest_side_px=camera.input_size_px,
            tiling=wiring.tiling_of(camera, heads),
            heads=heads,
            start_epoch_s=0.0,
        )
    )
    return [alert.to_json() for alert in alerts], alerts


def test_a_closer_look_alerts_where_the_scene_alone_says_too_little_twice_the_same(
    detector, far_clip, tmp_path
):
    def site(**options: object) -> SiteSettings:
        (tmp_path / "site.yaml").write_text(SITE.format(**options))
        return load_site(tmp_path / "site.yaml")

    _, without = replayed(site(size=960, tiles="{}"), far_clip, detector)
    assert without == []
    following = site(size=960, tiles="{follow: true}")
    lines, alerts = replayed(following, far_clip, detector)
    assert [alert.composed.alert.type for alert in alerts] == ["new", "end"]
    assert alerts[0].at <= 3.5
    assert replayed(following, far_clip, detector)[0] == lines
