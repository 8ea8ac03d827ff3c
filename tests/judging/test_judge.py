"""The thread that judges all cameras: order, time without frames, removal, and a camera whose rules fail."""

import threading
import time

from judging.site_of_one import IMAGE_HW, camera_judge, face, frame

from models.structures import Detections
from rules import EndReason
from streamer.attention import Attention
from streamer.inference.results import InferenceResult, LookTimings, ResultQueue
from streamer.judging.judge import Judge

TIMINGS = LookTimings(0.0, 0.0, 1, 0.0)


class Beats:
    def __init__(self):
        self.count = 0
        self.threads: set[str] = set()

    def beat(self):
        self.count += 1
        self.threads.add(threading.current_thread().name)


def make(alerts: list) -> tuple[Judge, ResultQueue, Beats]:
    results, beats = ResultQueue(), Beats()
    judge = Judge(
        results=results, on_alert=alerts.append, model_digests=lambda: {"retinaface": "sha256:2"}, pulse=beats
    )
    return judge, results, beats


def look(results: ResultQueue, at_s: float, *, camera_id: str = "gate") -> None:
    seen = frame(at_s, camera_id=camera_id, mono_s=time.monotonic())
    results.put(InferenceResult(seen, face(at_s), TIMINGS))


def wait_until(condition, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def test_looks_become_alerts_and_stopping_ends_the_episode():
    alerts: list = []
    judge, results, beats = make(alerts)
    judge.set_camera("gate", camera_judge())
    judge.start()
    for number in range(12):
        look(results, number / 5)
    wait_until(lambda: alerts)
    assert judge.tracks()["gate"]
    assert judge.compliance()["gate"]
    judge.stop()
    assert [alert.alert.type for alert in alerts if alert.alert.type != "update"] == ["new", "end"]
    assert alerts[-1].alert.end_reason == "shutdown"
    assert alerts[0].alert.models == {"retinaface": "sha256:2"}
    assert beats.count > 0


def test_a_camera_taken_away_gives_no_sign_of_life_of_the_rules():
    alerts: list = []
    judge, results, beats = make(alerts)
    judge.set_camera("gate", camera_judge())
    judge.start()
    for number in range(12):
        look(results, number / 5)
    wait_until(lambda: alerts)
    judge.remove_camera("gate", EndReason.RELOAD)
    judge.stop()
    assert alerts[-1].alert.end_reason == "reload"
    assert beats.threads == {"judge"}


def test_what_waits_in_the_queue_is_judged_before_the_end():
    alerts: list = []
    judge, results, _ = make(alerts)
    judge.set_camera("gate", camera_judge())
    for number in range(12):
        look(results, number / 5)
    judge.start()
    judge.stop()
    assert alerts[0].alert.type == "new"


def test_new_rules_and_removal_end_episodes_with_their_reasons():
    alerts: list = []
    judge, results, _ = make(alerts)
    judge.set_camera("gate", camera_judge())
    judge.start()
    for number in range(12):
        look(results, number / 5)
    wait_until(lambda: alerts)
    judge.set_camera("gate", camera_judge())
    assert alerts[-1].alert.end_reason == "reload"
    judge.remove_camera("gate", EndReason.RELOAD)
    judge.remove_camera("gate", EndReason.RELOAD)
    look(results, 3.0)  # a frame that was with the models when its camera went
    judge.stop()
    assert judge.tracks() == {}
    assert judge.failures == 0


def test_a_camera_whose_rules_fail_leaves_the_others_alone(caplog):
    alerts: list = []
    judge, results, _ = make(alerts)
    broken = camera_judge()
    broken.look = lambda _frame, _detections: 1 / 0  # type: ignore[method-assign]
    judge.set_camera("broken", broken)
    judge.set_camera("gate", camera_judge())
    judge.start()
    for number in range(12):
        look(results, number / 5, camera_id="broken")
        look(results, number / 5)
    wait_until(lambda: alerts)
    judge.stop()
    assert judge.failures == 12
    assert {alert.alert.camera for alert in alerts} == {"gate"}
    assert "camera broken: a look could not be judged" in caplog.text


def test_a_slow_receiver_does_not_lose_order():
    seen: list = []
    gate = threading.Event()

    def slow(alert) -> None:
        gate.wait(2)
        seen.append(alert)

    results = ResultQueue()
    judge = Judge(results=results, on_alert=slow, model_digests=dict, pulse=Beats())
    judge.set_camera("gate", camera_judge())
    judge.start()
    for number in range(20):
        look(results, number / 5)
    gate.set()
    judge.stop()
    confirmed = [alert.alert.confirmed_at for alert in seen]
    assert seen[0].alert.type == "new"
    assert confirmed == sorted(confirmed)


def test_the_gate_hears_of_somebody_and_of_their_leaving():
    alerts: list = []
    judge, results, _ = make(alerts)
    attention = Attention()
    judge.set_camera("gate", camera_judge(), attention)
    judge.start()
    look(results, 0.0)
    wait_until(lambda: attention.wanted)
    for number in range(1, 60):
        at_s = number / 2
        results.put(
            InferenceResult(frame(at_s, mono_s=time.monotonic()), Detections.empty(IMAGE_HW), TIMINGS)
        )
    wait_until(lambda: not attention.wanted)
    judge.stop()
