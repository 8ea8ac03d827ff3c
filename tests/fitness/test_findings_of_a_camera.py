"""One camera's findings as they are told: states, changes, times, and in ONVIF's words."""

import json
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from config.camera_sections import FitnessCode
from models.pictures import ArrayPicture
from streamer.dialects.onvif_fitness import TOPICS, onvif_states
from streamer.fitness.camera_fitness import CameraFitness, FitnessPolicy, StreamCondition, codes_named
from streamer.fitness.findings import Code, FindingChange, FitnessReport, FitnessState
from streamer.fitness.wording import detail_of
from streamer.fitness_trial.defects import Grey, noisy, shown
from streamer.fitness_trial.material import drawn
from streamer.ingest.status import StreamState, StreamStatus
from streamer.status.announcer import camera_status_json
from streamer.status.fitness import OnvifProperties, change_json

ONLINE = StreamCondition(is_online=True, is_wanted=True, fps=25.0, declared_fps=25.0)
EPOCH = 1_700_000_000.0


class Camera:
    """A camera that is attended once a second; its clock begins at 1000."""

    def __init__(self, **policy: object) -> None:
        self.fitness = CameraFitness("gate", FitnessPolicy(wanted_fps=5.0, **policy))
        self.mono_s = 1000.0
        self.fitness.connected(self.mono_s)

    def run(
        self, pictures: Iterator[Grey] | None, seconds: int, stream: StreamCondition = ONLINE
    ) -> list[FindingChange]:
        changes = []
        for _ in range(seconds):
            self.mono_s += 1
            if pictures is not None:
                rgb = np.repeat(next(pictures)[..., None], 3, axis=2)
                self.fitness.frame(ArrayPicture(rgb), self.mono_s)
            changes += self.fitness.attend(stream, mono_s=self.mono_s, at=EPOCH + self.mono_s)
        return changes

    @property
    def codes(self) -> list[Code]:
        return [finding.code for finding in self.fitness.report().findings]


def yard() -> Iterator[Grey]:
    return map(shown, drawn(1))


def night() -> Iterator[Grey]:
    while True:
        yield noisy(np.full((360, 640), 6.0, np.float32), 2.0)


def test_it_learns_is_fit_then_dark_and_fit_again_with_the_times_at_which_that_was() -> None:
    camera, pictures = Camera(), yard()
    assert camera.fitness.report().state is FitnessState.UNKNOWN
    assert camera.run(pictures, 5) == []
    assert camera.fitness.report().state is FitnessState.LEARNING
    assert camera.run(pictures, 40) == []
    assert camera.fitness.report().state is FitnessState.FIT
    (began,) = camera.run(night(), 40)
    assert (began.finding.code, began.ended_at) == (Code.DARK, None)
    assert began.finding.since == EPOCH + 1046
    assert camera.fitness.report().state is FitnessState.UNFIT
    (ended,) = camera.run(pictures, 30)
    assert ended.finding.since == began.finding.since
    assert ended.ended_at == EPOCH + 1086
    assert camera.fitness.report() == FitnessReport(FitnessState.FIT)


def test_streams_that_are_lost_slow_or_late() -> None:
    camera = Camera()
    slow = StreamCondition(is_online=True, is_wanted=True, fps=1.0, declared_fps=25.0)
    gone = StreamCondition(is_online=False, is_wanted=True, fps=0.0, declared_fps=25.0)
    off = StreamCondition(is_online=False, is_wanted=False, fps=0.0, declared_fps=25.0)
    camera.run(None, 12)
    assert [change.finding.code for change in camera.run(None, 25, slow)] == [Code.LOW_FPS]
    assert camera.run(None, 15) != []
    assert [change.finding.code for change in camera.run(None, 12, gone)] == [Code.SIGNAL_LOSS]
    assert [change.ended_at is not None for change in camera.run(None, 12)] == [True]
    # a camera that was switched off is not lost
    assert camera.run(None, 60, off) == []
    assert camera.fitness.report().state is FitnessState.UNKNOWN


def test_clocks_are_heeded_where_a_camera_keeps_them() -> None:
    for is_live, codes in ((True, [Code.CLOCK_DRIFT, Code.CLOCK_OFFSET]), (False, [])):
        camera = Camera(is_live=is_live)
        for second in range(420):
            received_s = camera.mono_s + 1
            camera.fitness.packet(received_s + second * 0.002, received_s, -90.0)
            camera.run(None, 1)
        assert camera.codes == codes


def test_what_is_ignored_is_not_told() -> None:
    camera = Camera(ignored=codes_named(["dark", "signal_loss"]))
    camera.run(night(), 40)
    gone = StreamCondition(is_online=False, is_wanted=True, fps=0.0, declared_fps=None)
    assert camera.run(None, 40, gone) == []
    with pytest.raises(ValueError, match="blurry"):
        codes_named(["blurry"])


def test_settings_know_every_code_by_the_same_word() -> None:
    assert [str(code) for code in FitnessCode] == [str(code) for code in Code]
    assert all(detail_of(code, 0.5, (0.1, 0.0)) for code in Code)


def test_the_words_of_a_status_and_of_an_event() -> None:
    camera = Camera()
    (change,) = camera.run(night(), 30)
    event = json.loads(change_json("yard", "gate", change))
    assert (event["type"], event["camera"], event["code"]) == ("new", "gate", "dark")
    assert (event["since"], event["ended_at"]) == ("2023-11-14T22:30:01.000Z", None)
    ended = json.loads(change_json("yard", "gate", FindingChange(change.finding, EPOCH)))
    assert (ended["type"], ended["ended_at"]) == ("end", "2023-11-14T22:13:20.000Z")


def test_onvif_tells_each_property_with_the_time_at_which_it_changed() -> None:
    assert set(onvif_states("gate", [])) == {f"onvif-ej/{topic}/&gate" for topic in TOPICS}
    properties = OnvifProperties()
    camera = Camera()
    first = properties.messages("gate", camera.fitness.report(), EPOCH)
    camera.run(night(), 30)
    topic = "onvif-ej/VideoSource/ImageTooDark/AnalyticsService/&gate"
    assert json.loads(first[topic]) == {
        "UtcTime": "2023-11-14T22:13:20.000Z",
        "Source": {"Source": "gate"},
        "Data": {"State": False},
    }
    later = properties.messages("gate", camera.fitness.report(), EPOCH + 60)
    again = properties.messages("gate", camera.fitness.report(), EPOCH + 90)
    assert json.loads(later[topic])["Data"] == {"State": True}
    assert json.loads(later[topic])["UtcTime"] == "2023-11-14T22:14:20.000Z"
    assert again == later
    same = "onvif-ej/VideoSource/SignalLoss/&gate"
    assert later[same] == first[same]


def test_the_status_says_off_where_nobody_looks_after_the_camera() -> None:
    stream = StreamStatus(StreamState.ONLINE, "ok", "h264", EPOCH, 25.0, 0.1, 0)
    status = json.loads(camera_status_json("gate", stream, None))
    assert status["fitness"] == {"state": "off", "findings": []}
    assert status["heads"] == []


def test_pictures_of_cameras_smaller_than_what_is_examined_are_not_enlarged() -> None:
    camera = Camera()
    small = (cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for picture in yard())
    assert camera.run(small, 60) == []
    assert camera.fitness.report().state is FitnessState.FIT
