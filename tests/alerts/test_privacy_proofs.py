"""What is hidden cannot be seen again: in the pixels that are encoded, in the files, and in free pages."""

import itertools
import json
import re
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
from alert_factory import CONFIRMED_AT, make_alert
from alerts.feedback_site import DAY_S, FeedbackSite, example
from alerts.stored_files import FILES
from hypothesis import given, settings
from hypothesis import strategies as st

import streamer
from models.pictures import ArrayPicture
from models.structures import Category, Detections, Gear
from rules import CameraEngine, Rule
from streamer.alerts.outbox import Outbox
from streamer.alerts.outbox_history import OutboxLimits
from streamer.alerts.privacy import Blur, black_out, made_private
from streamer.alerts.snapshot import SnapshotAnnotations, make_snapshot
from streamer.feedback import reader
from streamer.feedback.erase import erase
from streamer.frame import Frame
from streamer.history.store import ComplianceHistory
from streamer.judging.camera_judge import CameraJudge
from streamer.judging.view import CameraView, SnapshotStyle
from streamer.live.drawing import draw_live

HW = (360, 640)
#: With a quarter more on each side 120 x 120 pixels: 3 x 3 cells of 40 x 40.
HEAD = (200.0, 100.0, 280.0, 180.0)
CELLS = (3, 3)
CELL_PX = 40
LEFT, TOP = 180, 80


def textured(seed: int = 0) -> np.ndarray:
    """A frame whose every pixel is chance."""
    return np.random.default_rng(seed).integers(0, 256, (*HW, 3), dtype=np.uint8)


def shuffled_within_cells(frame: np.ndarray, seed: int) -> np.ndarray:
    """The same frame with the pixels of each cell of the blurred head in another order: another face."""
    rng = np.random.default_rng(seed)
    other = frame.copy()
    for row, column in itertools.product(*map(range, CELLS)):
        top, left = TOP + row * CELL_PX, LEFT + column * CELL_PX
        cell = other[top : top + CELL_PX, left : left + CELL_PX]
        cell[:] = rng.permutation(cell.reshape(-1, 3)).reshape(cell.shape)
    return other


def seen(head=HEAD) -> Detections:
    return Detections(
        image_hw=HW,
        boxes_xyxy=[head],
        scores=[0.99],
        class_ids=[Category.FACE_WITHOUT_MASK],
        input_scale=2.0,
        landmarks_xy=np.zeros((1, 5, 2), np.float32),
        face_mask_probs=[[0.01, 0.98, 0.01]],
        sharpness=[1.0],
    )


def judge(*, blur: Blur = Blur.EVERYONE, polygons=()) -> CameraJudge:
    rules = [Rule("masks", (Gear.FACE_MASK,), dwell_s=1.0)]
    view = CameraView(
        camera_id="gate",
        site="yard",
        topic_prefix="p",
        config_revision="sha256:abc",
        snapshots=SnapshotStyle(max_bytes=5_000_000, quality=100, blur=blur),
        privacy_polygons=polygons,
        keeps_examples=True,
    )
    engine = CameraEngine("gate", zones=[], rules=rules, timezone="UTC")
    return CameraJudge(engine, view, new_alert_id=lambda violation: violation.violation_id.replace("/", "-"))


def opened(frame: np.ndarray, **style):
    """The alert of somebody who stands there, with its picture and its kept frame; and the live picture."""
    one = judge(**style)
    for number in range(30):
        shown = Frame("gate", number, number / 5, CONFIRMED_AT + number / 5, 0.0, ArrayPicture(frame))
        alerts = one.look(shown, seen())
        if alerts:
            return alerts[0], draw_live(shown, seen(), one.tracks, one.view)
    raise AssertionError("nobody was alarmed")


def pictures_of(frame: np.ndarray, **style) -> dict[str, bytes]:
    alert, live = opened(frame, **style)
    return {"snapshot": alert.jpeg, "example": alert.example.jpeg, "live": live.jpeg}


def decode(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


# -- blurred heads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_every_way_out_gives_the_same_bytes_for_faces_that_agree_in_nine_mean_colours(seed):
    """So a published picture is a function of 3 x 3 cells in 3 channels, and of nothing else of the face."""
    frame = textured(seed)
    other = shuffled_within_cells(frame, seed + 100)
    inside = np.s_[TOP : TOP + 120, LEFT : LEFT + 120]
    assert np.abs(frame[inside].astype(int) - other[inside]).mean() > 60
    assert pictures_of(frame) == pictures_of(other)
    # without the blur they differ, so the comparison can fail
    first, second = pictures_of(frame, blur=Blur.NONE), pictures_of(other, blur=Blur.NONE)
    assert all(first[name] != second[name] for name in first)


def test_decoded_pixels_of_a_blurred_head_hold_no_more_than_27_numbers():
    """What the JPEG shows is a mixture of nine fixed patterns per channel, up to the encoder's own noise."""
    shown = decode(pictures_of(textured())["example"])[TOP : TOP + 120, LEFT : LEFT + 120].astype(float)
    patterns = np.stack(
        [
            cv2.resize(np.eye(9)[cell].reshape(CELLS), (120, 120), interpolation=cv2.INTER_LINEAR).ravel()
            for cell in range(9)
        ],
        axis=1,
    )
    inner = np.zeros((120, 120), bool)
    # the encoder mixes blocks of 16 pixels with what is beside the head
    inner[16:-16, 16:-16] = True
    for channel in range(3):
        values = shown[:, :, channel][inner]
        found, *_ = np.linalg.lstsq(patterns[inner.ravel()], values, rcond=None)
        assert np.abs(patterns[inner.ravel()] @ found - values).max() < 6
    beside = decode(pictures_of(textured())["example"])[TOP : TOP + 120, 400:520, 0].astype(float)
    found, *_ = np.linalg.lstsq(patterns, beside.ravel(), rcond=None)
    assert np.abs(patterns @ found - beside.ravel()).max() > 60


@settings(max_examples=60)
@given(
    x=st.floats(-80, 640),
    y=st.floats(-80, 360),
    width=st.floats(1, 300),
    ratio=st.floats(0.6, 2.0),
)
def test_no_head_keeps_finer_cells_than_a_third_of_it(x, y, width, ratio):
    """Also where the picture's border cuts it: distinct colours in a row of blurred pixels come from few cells."""
    head = (x, y, x + width, y + ratio * width)
    frame = textured()
    hidden = made_private(frame, heads_xyxy=[head], polygons=())
    changed = np.argwhere((hidden != frame).any(axis=2))
    if not len(changed):
        return
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0) + 1
    part = hidden[top:bottom, left:right].astype(int)
    cell_px = max(1.0, 1.5 * min(width, ratio * width) / 3)
    if cell_px < 8:
        return
    # between two cells the colours change evenly: the second difference vanishes but at the cells' middles
    bends = (np.abs(np.diff(part, n=2, axis=1)).max(axis=(0, 2)) > 3).sum()
    assert bends <= 4 * (part.shape[1] / cell_px + 2)


def test_a_head_at_the_border_is_as_coarse_as_a_whole_one():
    frame = textured()
    cut = made_private(frame, heads_xyxy=[(-70.0, 100.0, 10.0, 180.0)], polygons=())[80:200, :30]
    # 30 of 120 pixels are left: one column of three cells
    assert np.abs(cut.astype(int) - cut[:, :1]).max() <= 1
    assert (np.abs(np.diff(cut[:, 0, 0].astype(int), n=2)) > 3).sum() <= 10


# -- polygons --------------------------------------------------------------------------------------

corner = st.tuples(st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=80)
@given(
    polygon=st.tuples(corner, corner, corner),
    hw=st.sampled_from([(90, 160), (160, 90), (41, 213), (200, 17), (7, 7)]),
)
def test_every_pixel_that_a_polygon_touches_is_black(polygon, hw):
    image = np.full((*hw, 3), 255, np.uint8)
    black_out(image, [polygon])
    # points of the triangle, and of its sides
    shares = np.random.default_rng(0).dirichlet((1, 1, 1), 300)
    ends = np.linspace(0, 1, 60)
    sides = [np.stack([ends, 1 - ends, 0 * ends], 1)[:, order] for order in ([0, 1, 2], [1, 2, 0], [2, 0, 1])]
    points = np.concatenate([shares, *sides]) @ np.asarray(polygon)
    columns = np.minimum((points[:, 0] * hw[1]).astype(int), hw[1] - 1)
    rows = np.minimum((points[:, 1] * hw[0]).astype(int), hw[0] - 1)
    assert not image[rows, columns].any()


@pytest.mark.parametrize("quarter_turns", range(4))
def test_polygons_hide_the_same_part_of_every_way_out_at_any_shape_of_frame(quarter_turns):
    secret = np.zeros((*HW, 3), np.uint8)
    secret[40:120, 400:560] = 255
    frame = np.ascontiguousarray(np.rot90(secret, quarter_turns))
    height, width = frame.shape[:2]
    rows, columns = np.nonzero(frame[:, :, 0])
    x1, x2 = columns.min() / width, (columns.max() + 1) / width
    y1, y2 = rows.min() / height, (rows.max() + 1) / height
    polygon = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    notes = SnapshotAnnotations(
        violator_xyxy=(0.0, 0.0, width, height),
        # as large as the frame: no close-up is laid over anything
        head_xyxy=(0.0, 0.0, width, height),
        blur=Blur.NONE,
        missing={"face_mask": "missing"},
        camera="gate",
        rule="masks",
        at=CONFIRMED_AT,
        timezone=None,
        privacy_polygons=[polygon],
    )
    snapshot = decode(make_snapshot(frame, notes, quality=95, max_bytes=5_000_000))
    assert snapshot[rows.min() : rows.max(), columns.min() : columns.max()].max() < 16
    shown = Frame("gate", 0, 0.0, CONFIRMED_AT, 0.0, ArrayPicture(frame))
    nobody = Detections.empty((height, width), 1.0)
    live = decode(draw_live(shown, nobody, (), judge(polygons=(polygon,)).view).jpeg)
    assert live.max() < 16


#: Where frames of cameras are encoded, and the function that makes them private first.
ENCODERS = {
    "alerts/snapshot.py": "made_private(",
    "feedback/example.py": "made_private(",
    "live/drawing.py": "made_private(",
    "commands/probe.py": "made_private(",
    "detect/outputs.py": "self._hide(",
    # a finished snapshot again, smaller
    "alerts/shrink.py": "",
    "web/thumbnails.py": "",
    # the first picture of a camera, for whoever sets it up and has no polygons yet: shown, and gone at the end
    "first_run/trying.py": "",
    "first_run/terminal_picture.py": "",
}


def test_pictures_are_encoded_at_places_that_are_known_and_nowhere_else():
    """A new way out for pixels has to be thought of here."""
    folder = Path(streamer.__file__).parent
    ours = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
        # drawn clips and pictures, of nobody
        if path.relative_to(folder).parts[0] not in {"bench", "demo", "soak"}
    }
    encoding = re.compile(r"\b(imencode|imwrite|add_stream|from PIL|tofile)\b")
    found = {name for name, text in ours.items() if encoding.search(text)}
    assert found == set(ENCODERS)
    assert all(hide in ours[name] for name, hide in ENCODERS.items())


# -- files -----------------------------------------------------------------------------------------

_SEGMENTS = {0xE0: b"JFIF\0", 0xDB: None, 0xC0: None, 0xC4: None, 0xDD: None}


def test_pictures_hold_no_exif_no_thumbnail_and_no_comment():
    for name, jpeg in pictures_of(textured()).items():
        assert jpeg.count(b"\xff\xd8\xff") == 1, name
        place = 2
        while jpeg[place + 1] != 0xDA:
            marker, size = jpeg[place + 1], int.from_bytes(jpeg[place + 2 : place + 4], "big")
            assert jpeg[place] == 0xFF
            assert marker in _SEGMENTS, f"{name}: segment {marker:02x}"
            if marker == 0xE0:
                # no room for a thumbnail in it
                assert jpeg[place + 4 : place + 9] == _SEGMENTS[marker]
                assert size == 16
                assert jpeg[place + 16 : place + 18] == b"\0\0"
            place += 2 + size


def stored_site(state_dir: Path, frame: np.ndarray) -> tuple[FeedbackSite, str]:
    """A site with one alert of that frame, all that can be stored of it, and counts of people."""
    site = FeedbackSite(state_dir)
    alert, _ = opened(frame)
    site.outbox.enqueue(alert.alert, alert.jpeg, at=site.now, trace=alert.trace)
    site.desk.keep(alert.alert.alert_id, alert.example)
    site.desk.acknowledge(alert.alert.alert_id, b"Jane")
    site.desk.judge(alert.alert.alert_id, b'{"verdict": "false_alarm", "note": "a poster by the door"}')
    site.outbox.put_state("publisher.retained", ["cameras/gate/status"])
    return site, alert.alert.alert_id


def files_of(state_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(state_dir)): path.read_bytes()
        for path in sorted(state_dir.rglob("*"))
        if path.is_file()
    }


def test_no_file_of_the_state_holds_the_face_in_any_form(tmp_path):
    """Neither pictures anywhere in any file (database, journal, free pages), nor raw rows of pixels."""
    frame = textured(7)
    site, _ = stored_site(tmp_path / "state", frame)
    face = frame[105:175, 210:270]
    row = face[40].tobytes()
    grey = face.mean(axis=2)
    found = 0
    for moment in ("open", "closed"):
        if moment == "closed":
            site.outbox.close()
        for name, content in files_of(tmp_path / "state").items():
            assert row[:24] not in content, name
            assert face[40, :8, ::-1].tobytes() not in content, name
            for start in (match.start() for match in re.finditer(b"\xff\xd8\xff", content)):
                picture = cv2.imdecode(np.frombuffer(content[start:], np.uint8), cv2.IMREAD_COLOR)
                if picture is None or picture.shape[0] < 200:
                    continue
                found += 1
                shown = picture[105:175, 210:270].mean(axis=2)
                assert abs(np.corrcoef(shown.ravel(), grey.ravel())[0, 1]) < 0.3, name
                beside = picture[105:195, 410:470].mean(axis=2)
                assert np.corrcoef(beside.ravel(), frame[105:195, 410:470].mean(axis=2).ravel())[0, 1] > 0.8
    # the snapshot and the kept frame, twice
    assert found == 4


COLUMNS = {
    "messages": "seq alert_id type camera body trace snapshot snapshot_bytes created_at acked_at",
    "counters": "name value",
    "feed": "seq alert_id camera zone rule confirmed_at",
    "state": "key value",
    "alert_notes": "alert_id kind at said_by note verdict what camera rule confirmed_at head area_id",
    "examples": "alert_id camera frame_time stored_at picture bytes facts",
    "suppression_areas": "area_id camera rule head alerts made_at expires_at held last_held_at",
    "held_episodes": "number area_id zone at track_id score trace",
    "sqlite_sequence": "name seq",
    "webhook_targets": "name dropped",
    "webhook_entries": "number target event_id seq type subject body created_at",
    "person_seconds": "starts_at camera zone gear worn_s missing_s incorrect_s unknown_s",
}
MESSAGE = {
    *(
        "schema",
        "type",
        "alert_id",
        "seq",
        "site",
        "camera",
        "zone",
        "rule",
        "missing",
        "severity",
        "track_id",
    ),
    *(
        "score",
        "box",
        "head",
        "person_count",
        "frame_size",
        "started_at",
        "confirmed_at",
        "ended_at",
        "end_reason",
    ),
    *("published_at", "delayed", "evidence", "snapshot", "models", "config_revision"),
}
FACTS = {
    *("rule", "zone", "missing", "score", "box", "head", "evidence", "frame_size", "hidden", "polygons"),
    *("models", "detections"),
}
DETECTION = {"category", "box", "score", "face_mask_probs", "polygons"}


def test_what_is_stored_is_on_the_list_and_holds_no_identity(tmp_path):
    site, alert_id = stored_site(tmp_path / "state", textured())
    ComplianceHistory(tmp_path / "state").add(())
    for name in files_of(tmp_path / "state"):
        assert FILES.fullmatch(name), name
    for database in (tmp_path / "state").glob("*.sqlite3"):
        with sqlite3.connect(database) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
                assert columns == COLUMNS[table].split(), table
            bodies = [json.loads(row[0]) for row in db.execute("SELECT body FROM messages")]
            facts = [json.loads(row[0]) for row in db.execute("SELECT facts FROM examples")]
        db.close()
    assert bodies
    assert all(set(body) <= MESSAGE for body in bodies)
    # numbers of a face are the three states of its mask and its place: too few to know anybody by
    (told,) = facts
    assert set(told) == FACTS
    assert all(set(row) <= DETECTION for row in told["detections"])
    assert all(len(row["face_mask_probs"]) == 3 for row in told["detections"])
    assert reader.notes_of(tmp_path / "state", alert_id)
    site.outbox.close()


# -- retention and erasure -------------------------------------------------------------------------


def test_after_their_time_nothing_of_alerts_is_left_on_the_disk(tmp_path):
    """Pictures, rows and what free pages held; the clock is the test's."""
    site, _ = stored_site(tmp_path / "state", textured())
    site.outbox.acknowledge(1, at=site.now)
    (tmp_path / "state" / "outbox.sqlite3.damaged-1").write_bytes(b"an older database")
    limits = OutboxLimits(acked_age_s=30 * DAY_S)
    site.outbox._limits = limits
    later = site.now + 30 * DAY_S
    assert site.outbox.enforce_limits(at=later - 1) == 0
    site.housekeep(at=later - 1)
    names = [name for name in files_of(tmp_path / "state") if name.endswith(".jpg")]
    assert len(names) == 2
    assert site.outbox.enforce_limits(at=later + 2 * DAY_S) == 1
    site.housekeep(at=later + 2 * DAY_S)
    site.outbox.close()
    left = files_of(tmp_path / "state")
    assert set(left) <= {"outbox.sqlite3", "outbox.lock", "outbox.reserved", "outbox.last"}
    content = left["outbox.sqlite3"]
    for word in (b"Jane", b"poster by the door", b"face_mask", b"masks", b"2026-11-21"):
        assert word not in content, word


def test_erasing_one_alert_leaves_the_others_and_no_trace_of_it(tmp_path):
    state_dir = tmp_path / "state"
    site, alert_id = stored_site(state_dir, textured())
    site.outbox.enqueue(make_alert("A1"), at=site.now)
    site.desk.keep("A1", example())
    with pytest.raises(Exception, match="stop ppewatch first"):
        erase(state_dir, alert_ids=[alert_id])
    site.outbox.close()
    done = erase(state_dir, alert_ids=[alert_id, "A9"])
    assert (done.messages, done.pictures, done.notes) == (1, 2, 2)
    content = b"".join(files_of(state_dir).values())
    for word in (alert_id.encode(), b"Jane", b"poster by the door"):
        assert word not in content, word
    with Outbox(state_dir) as outbox:
        assert [message.alert_id for message in outbox.pending()] == ["A1"]
        assert outbox.enqueue(make_alert("A2"), at=site.now) == 3
        assert outbox.examples.count == 1


def test_erasing_all_before_a_time(tmp_path):
    state_dir = tmp_path / "state"
    site, _ = stored_site(state_dir, textured())
    site.outbox.enqueue(make_alert("A1"), at=site.now + 100)
    site.outbox.close()
    done = erase(state_dir, before=site.now + 50)
    assert (done.alerts, done.messages) == (1, 1)
    assert not list(state_dir.rglob("*.jpg"))
    with Outbox(state_dir) as outbox:
        assert [message.alert_id for message in outbox.pending()] == ["A1"]
