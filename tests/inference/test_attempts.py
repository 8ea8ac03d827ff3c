import numpy as np
import pytest
from faulty_detectors import POISON_RED, BrightnessDetector, frame, is_poison
from hypothesis import given
from hypothesis import strategies as st

from streamer.inference.attempts import blank_picture, detect_with_care, is_out_of_memory

HW = (64, 64)


def test_a_working_detector_is_called_once():
    detector = BrightnessDetector()
    outcome = detect_with_care(detector, [frame("a", red=51), frame("b", red=102)], HW)
    assert detector.calls == 1
    assert not outcome.errors
    assert [found.scores[0] for found in outcome.detections] == pytest.approx([0.2, 0.4])


def test_a_passing_fault_costs_one_retry_and_no_frame():
    def fault(pictures, input_hw, calls):
        if calls == 1:
            raise RuntimeError("passing")

    outcome = detect_with_care(BrightnessDetector(fault=fault), [frame("a"), frame("b")], HW)
    assert len(outcome.errors) == 1
    assert None not in outcome.detections
    assert (outcome.broken, outcome.poison, outcome.too_large) == (None, [], None)


@given(st.lists(st.booleans(), min_size=1, max_size=9))
def test_exactly_the_poison_frames_are_lost(bad):
    def fault(pictures, input_hw, calls):
        if any(is_poison(picture) for picture in pictures):
            raise ValueError("cannot take this picture")

    frames = [frame(str(i), red=POISON_RED if poison else i) for i, poison in enumerate(bad)]
    outcome = detect_with_care(BrightnessDetector(fault=fault), frames, HW)
    assert outcome.poison == [i for i, poison in enumerate(bad) if poison]
    assert outcome.broken is None
    assert outcome.too_large is None
    for i, found in enumerate(outcome.detections):
        assert (found is None) == bad[i]
        assert found is None or found.scores[0] == pytest.approx(i / 255)


def test_a_detector_that_fails_on_a_blank_picture_too_is_broken_and_not_asked_frame_by_frame():
    def fault(pictures, input_hw, calls):
        raise RuntimeError("device lost")

    detector = BrightnessDetector(fault=fault)
    outcome = detect_with_care(detector, [frame(str(i)) for i in range(8)], HW)
    assert str(outcome.broken) == "device lost"
    assert outcome.poison == []
    assert detector.calls == 3  # the batch, its retry, the blank picture


def test_a_batch_too_large_for_memory_is_halved_without_a_retry_and_loses_nothing():
    def fault(pictures, input_hw, calls):
        if len(pictures) > 2:
            raise MemoryError("unable to allocate")

    detector = BrightnessDetector(fault=fault)
    outcome = detect_with_care(detector, [frame(str(i)) for i in range(8)], HW)
    assert None not in outcome.detections
    assert outcome.too_large == 2
    assert outcome.out_of_memory
    assert detector.batch_sizes == [8, 1, 4, 2, 2, 4, 2, 2]


def test_want_of_memory_for_a_single_picture_is_a_broken_detector():
    def fault(pictures, input_hw, calls):
        raise MemoryError

    assert isinstance(detect_with_care(BrightnessDetector(fault=fault), [frame("a")], HW).broken, MemoryError)


def test_a_detector_that_answers_with_too_few_results_is_broken():
    class Short(BrightnessDetector):
        def detect(self, pictures, input_hw, models=None):
            return super().detect(pictures, input_hw, models)[1:]

    outcome = detect_with_care(Short(), [frame("a"), frame("b")], HW)
    assert "1 results for 2 pictures" in str(outcome.errors[0])
    assert outcome.broken is not None


def test_out_of_memory_is_told_from_other_errors_by_what_the_libraries_raise():
    class ResourceExhaustedError(Exception):
        """Named as tensorflow.errors.ResourceExhaustedError."""

    wrapped = RuntimeError("detect failed")
    wrapped.__cause__ = ResourceExhaustedError("OOM when allocating tensor")
    assert is_out_of_memory(wrapped)
    assert is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 GiB"))
    with pytest.raises(MemoryError) as numpy_error:
        np.empty(1 << 60, np.uint8)
    assert is_out_of_memory(numpy_error.value)
    assert not is_out_of_memory(ValueError("shapes do not match"))


def test_the_blank_picture_has_the_networks_size():
    assert blank_picture((96, 160)).rgb().shape == (96, 160, 3)
