"""Frames that the models fail on: the models are suspected first, then the cameras, and the others are looked at."""

from faulty_detectors import POISON_RED, BrightnessDetector, is_poison
from test_worker import running

from streamer.inference.poison import Blame, PoisonWatch
from streamer.inference.worker_status import WorkerReason, WorkerState


def many(watch: PoisonWatch, *cameras: str, now_s: float) -> set[Blame]:
    return {watch.failed(cameras[n % len(cameras)], now_s) for n in range(8)}


def test_a_few_frames_at_fault_are_just_that():
    watch = PoisonWatch()
    assert {watch.failed("a", float(now)) for now in range(0, 700, 10)} == {Blame.NOBODY}
    assert many(watch, "a", now_s=1000.0) == {Blame.NOBODY, Blame.MODELS}


def test_what_fails_with_new_models_too_and_for_some_cameras_alone_is_the_cameras_fault():
    watch = PoisonWatch(try_every_s=10.0)
    assert Blame.MODELS in many(watch, "a", "b", now_s=0.0)
    watch.built()
    assert not watch.fine("c")
    assert Blame.CAMERAS in many(watch, "a", "b", now_s=5.0)
    assert watch.aside == ("a", "b")
    assert [watch.may_try("a", now_s) for now_s in (6.0, 14.0, 15.0, 16.0, 25.0)] == [0, 0, 1, 0, 1]
    assert watch.failed("a", 15.0) is Blame.NOBODY, "a try that fails changes nothing"
    assert watch.may_try("c", 6.0)
    assert watch.fine("a")
    assert watch.may_try("a", 16.0)
    assert watch.keep_only({"a", "c"})
    assert watch.aside == ()


def test_models_that_fail_for_everybody_are_at_fault_again():
    watch = PoisonWatch()
    assert Blame.MODELS in many(watch, "a", "b", now_s=0.0)
    watch.built()
    assert Blame.MODELS in many(watch, "a", "b", now_s=5.0), "no other camera proves them good"
    watch.built()
    watch.fine("c")
    assert Blame.MODELS in many(watch, "a", now_s=100.0), "it is long since they were suspected"


def test_a_camera_whose_pictures_fail_costs_the_others_one_rebuild():
    built = []

    def load(*, device):
        def fault(pictures, input_hw, calls):
            if any(is_poison(picture) for picture in pictures):
                raise RuntimeError("cannot take this picture")

        built.append(device)
        return BrightnessDetector(fault=fault)

    told = []
    with running(load, cameras=("bad", "good"), try_aside_every_s=0.3, on_status=told.append) as rig:

        def both(condition, red=POISON_RED):
            def step(status):
                rig.put("bad", red=red)
                rig.put("good")
                return condition(status)

            return rig.until(step, 20.0)

        status = both(lambda status: status.reason is WorkerReason.PICTURES_FAIL)
        assert (status.state, status.cameras_aside) == (WorkerState.DEGRADED, ("bad",))
        looks_before, poison_before = status.frames, status.poison_frames
        status = both(lambda status: status.frames >= looks_before + 200)
        assert status.poison_frames - poison_before <= 40, "a try now and then, not each frame"
        assert built == ["cpu", "cpu"]
        status = both(lambda status: status.state is WorkerState.READY, red=10)
        assert status.cameras_aside == ()
    assert [status.reason for status in told].count(WorkerReason.PICTURES_FAIL) == 1


def test_a_camera_that_is_set_aside_and_taken_away_is_forgotten():
    def fault(pictures, input_hw, calls):
        if any(is_poison(picture) for picture in pictures):
            raise RuntimeError("cannot take this picture")

    with running(lambda device: BrightnessDetector(fault=fault), cameras=("bad", "good")) as rig:

        def feed(status):
            if "bad" in rig.mailboxes:
                rig.put("bad", red=POISON_RED)
            rig.put("good")
            return status

        rig.until(lambda status: feed(status).reason is WorkerReason.PICTURES_FAIL, 20.0)
        rig.batcher.remove_camera("bad")
        del rig.mailboxes["bad"]
        rig.until(lambda status: feed(status).state is WorkerState.READY, 20.0)
