"""Decoding on graphics devices, as far as a machine without any tells: what is found, what is believed, what happens
when a device fails. A decoder in software plays the device; its frames say that they lie there until they are fetched.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from ingest_clips import Collector, picture, write_clip

from streamer.ingest import device_decoding, hardware, video_source
from streamer.ingest.connection import run_connection
from streamer.ingest.counters import StreamCounters
from streamer.ingest.device_decoding import prepare
from streamer.ingest.device_examination import decoded, problem_with
from streamer.ingest.device_picture import DevicePicture, picture_of
from streamer.ingest.frame_skipping import FrameSkipping
from streamer.ingest.hardware import Hardware, examine
from streamer.ingest.libav import captured_log
from streamer.ingest.session import Session
from streamer.ingest.source import Source
from streamer.ingest.stream_decoder import StreamDecoder
from streamer.ingest.video_picture import VideoPicture


class DeviceFrame:
    """A frame as decoding hardware gives it: in NV12, and counted when it is fetched."""

    fetched = 0

    def __init__(self, frame: av.VideoFrame) -> None:
        nv12 = frame.reformat(format="nv12")
        nv12.pts, nv12.time_base = frame.pts, frame.time_base
        self.__dict__.update(_frame=nv12, _given=frame, sw_format=nv12.format)

    def __getattr__(self, name: str) -> object:
        of_decoder = name in ("key_frame", "is_corrupt", "interlaced_frame", "rotation")
        return getattr(self._given if of_decoder else self._frame, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._frame, name, value)

    def reformat(self, **options: object) -> av.VideoFrame:
        DeviceFrame.fetched += 1
        return self._frame.reformat(**options)


class Device:
    """A decoder that passes for a device's; after ``good`` packets it raises ``error``, or gives nothing."""

    def __init__(
        self, codec: str, *, good: int = 1_000_000, error: Exception | None = None, **declared
    ) -> None:
        self.context = av.CodecContext.create(codec, "r")
        prepare(self.context, **declared)
        self.good, self.error = good, error

    def __getattr__(self, name: str) -> object:
        return getattr(self.context, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "skip_frame":
            self.context.skip_frame = value
        self.__dict__[name] = value

    def decode(self, packet: av.Packet) -> list[DeviceFrame]:
        self.good -= 1
        if self.good >= 0:
            return [DeviceFrame(frame) for frame in self.context.decode(packet)]
        if self.error is not None:
            raise self.error
        return []


@pytest.fixture
def device(monkeypatch) -> Callable[..., None]:
    """Makes ``cuda`` decode as ``Device`` does."""

    def there(**behaviour) -> None:
        DeviceFrame.fetched = 0
        monkeypatch.setattr(
            device_decoding,
            "decoder_on",
            lambda _device, codec, **declared: Device(codec, **behaviour, **declared),
        )

    return there


def frames_of(
    clip: Path, *, skip_frame: str = "DEFAULT", fps: float | None = None, on: str | None = "cuda"
) -> tuple[list, StreamDecoder, StreamCounters]:
    """All good frames of a clip, from a decoder on a device."""
    counters = StreamCounters()
    frames = []
    with captured_log() as log, av.open(str(clip)) as container:
        stream = container.streams.video[0]
        decoder = StreamDecoder(
            stream,
            Source(str(clip), skip_frame=skip_frame),  # type: ignore[arg-type]
            counters,
            log,
            skipping=None if fps is None else FrameSkipping(fps),
            devices={} if on is None else {"h264": on, "hevc": on},  # type: ignore[dict-item]
        )
        for packet in container.demux(stream):
            frames += decoder.decode(packet)
            log.clear()
    return frames, decoder, counters


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", frames=40, gop=10, b_frames=2)


def test_a_machine_without_device_files_asks_nobody(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(hardware, "examine", lambda *_: pytest.fail("nothing is there to be asked"))
    assert Hardware(tmp_path).devices("auto") == {}
    assert Hardware(tmp_path).devices("off") == {}


def test_a_device_that_fails_is_asked_once_and_named(tmp_path, monkeypatch, caplog) -> None:
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is a device")
    caplog.set_level(logging.INFO)
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "dev/nvidia0").touch()
    (tmp_path / "dev/dri/renderD128").touch()
    asked = []
    monkeypatch.setattr(hardware, "examine", lambda *what: asked.append(what) or examine(*what))
    found = Hardware(tmp_path)
    assert (
        found.devices("auto") == found.devices("cuda") == found.devices("auto") == found.devices("off") == {}
    )
    assert [device for device, _codecs in asked if device == "cuda"] == ["cuda"]
    said = caplog.text
    assert "hardware decoding: h264 on cuda: [Errno 1] Operation not permitted" in said
    assert said.count("cuda is asked for and decodes nothing here") == 1
    if "vaapi" not in av.codec.hwaccel.hwdevices_available():
        assert "this build of libav has no vaapi" in said


def test_the_first_device_that_is_right_takes_a_codec(tmp_path, monkeypatch) -> None:
    (tmp_path / "dev/dri").mkdir(parents=True)
    (tmp_path / "dev/nvidia0").touch()
    (tmp_path / "dev/dri/renderD128").touch()
    monkeypatch.setattr(av.codec.hwaccel, "hwdevices_available", lambda: ["cuda", "vaapi"])
    answers = {"cuda": {"h264": None, "hevc": "no"}, "vaapi": {"h264": None, "hevc": None}}
    monkeypatch.setattr(hardware, "examine", lambda device, _codecs: answers[device])
    assert Hardware(tmp_path).devices("auto") == {"h264": "cuda", "hevc": "vaapi"}
    assert Hardware(tmp_path).devices("cuda") == {"h264": "cuda"}
    assert Hardware(tmp_path).devices("vaapi") == {"h264": "vaapi", "hevc": "vaapi"}


def test_a_driver_that_crashes_or_hangs_takes_only_its_own_process_along(tmp_path, monkeypatch) -> None:
    driver = tmp_path / "python"

    def driver_that(does: str) -> dict[str, str | None]:
        driver.write_text(f"#!/bin/sh\necho loading\n{does}\n")
        driver.chmod(0o755)
        return examine("cuda", ("h264", "hevc"))

    monkeypatch.setattr(hardware.sys, "executable", str(driver))
    assert driver_that("""echo '{"codec": "h264", "problem": null}'; kill -ABRT $$""") == {
        "h264": None,
        "hevc": "the examination ended with -6",
    }
    assert driver_that("exit 0")["h264"] == "the examination ended with 0"
    monkeypatch.setattr(hardware, "_EXAMINATION_TIMEOUT_S", 0.2)
    assert driver_that("exec sleep 20")["hevc"] == "no answer within 0.2 s"
    driver.unlink()
    assert examine("cuda", ("h264",)) == {"h264": "cannot be examined: No such file or directory"}


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_only_right_pictures_prove_a_device(codec: str) -> None:
    def software(packets):
        return decoded(av.CodecContext.create(codec, "r"), packets)

    def failing(_packets):
        raise av.error.ExternalError(5, "the driver is out of order")

    assert problem_with(codec, software) is None
    assert problem_with(codec, lambda packets: software(packets)[:-1]) == "23 frames came, not 24"
    assert problem_with(codec, lambda packets: software(packets)[::-1]).startswith("its pictures differ")
    assert "out of order" in problem_with(codec, failing)
    assert problem_with("vp9", software).startswith("there is no sample")


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_frames_of_a_device_are_those_of_software(tmp_path: Path, device, codec: str) -> None:
    device()
    clip = write_clip(tmp_path / "clip.mp4", codec=codec, frames=40, b_frames=3)
    (found, decoder, _), (expected, _, _) = frames_of(clip), frames_of(clip, on=None)
    assert decoder.device == "cuda"
    assert [frame.pts for frame in found] == [frame.pts for frame in expected]
    for ours, theirs in zip(found[::9], expected[::9], strict=True):
        np.testing.assert_array_equal(picture_of(ours).rgb(), picture_of(theirs).rgb())


def test_a_frame_is_fetched_when_it_is_looked_at_and_only_once(clip: Path, device) -> None:
    device()
    frames, _, _ = frames_of(clip)
    pictures = [picture_of(frame) for frame in frames]
    assert DeviceFrame.fetched == 0
    looked_at = pictures[20]
    assert isinstance(looked_at, DevicePicture)
    assert looked_at.image_hw == (120, 160)
    expected = VideoPicture(frames_of(clip, on=None)[0][20])
    np.testing.assert_array_equal(looked_at.rgb((60, 80)), expected.rgb((60, 80)))
    np.testing.assert_array_equal(looked_at.grey((30, 40)), expected.grey((30, 40)))
    np.testing.assert_array_equal(looked_at.crop_rgb((3, 5, 90, 70)), expected.crop_rgb((3, 5, 90, 70)))
    np.testing.assert_array_equal(
        looked_at.part_rgb((4, 6, 84, 66), (30, 40)), expected.part_rgb((4, 6, 84, 66), (30, 40))
    )
    assert DeviceFrame.fetched == 1


@pytest.mark.parametrize("error", [av.error.ExternalError(5, "the driver is gone"), MemoryError()])
def test_after_an_error_of_the_device_software_goes_on_from_a_key_frame(
    clip: Path, device, caplog, error: Exception
) -> None:
    device(good=15, error=error)
    frames, decoder, counters = frames_of(clip)
    assert decoder.device is None
    assert caplog.text.count("it goes on in software") == 1
    assert counters.decode_errors >= 1
    on_device = [frame for frame in frames if frame.sw_format is not None]
    in_software = [frame for frame in frames if frame.sw_format is None]
    assert 10 <= len(on_device) <= 15
    assert in_software[0].key_frame
    assert len(in_software) == 20
    expected = frames_of(clip, on=None)[0]
    np.testing.assert_array_equal(picture_of(in_software[-1]).rgb(), picture_of(expected[-1]).rgb())


def test_a_device_that_gives_nothing_is_left_too(clip: Path, device, caplog) -> None:
    device(good=0)
    frames, decoder, _ = frames_of(clip)
    assert decoder.device is None
    assert "nothing whole comes out of it" in caplog.text
    assert [frame.sw_format for frame in frames] == [None] * 10


def test_damage_alone_is_no_reason_to_leave_a_device(clip: Path, device, caplog) -> None:
    device(good=5, error=av.error.InvalidDataError(1, "damaged"))
    _, decoder, counters = frames_of(clip)
    assert counters.decode_errors >= 5
    assert "nothing whole" in caplog.text, "three key frames were damaged"
    assert decoder.device is None
    device(good=15, error=av.error.InvalidDataError(1, "damaged"))
    _, decoder, _ = frames_of(clip)
    assert decoder.device == "cuda", "two key frames were"


def test_a_device_that_cannot_be_opened_costs_a_line_in_the_log(clip: Path, caplog) -> None:
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is a device")
    frames, decoder, _ = frames_of(clip)
    assert decoder.device is None
    assert len(frames) == 40
    assert "decoding on cuda is not possible" in caplog.text


@pytest.mark.parametrize(("skip_frame", "fps"), [("NONREF", None), ("NONKEY", None), ("AUTO", 2.0)])
def test_a_device_leaves_out_the_frames_that_software_does(
    tmp_path: Path, device, skip_frame: str, fps: float | None
) -> None:
    device()
    clip = write_clip(tmp_path / "clip.mp4", frames=120, fps=20, gop=20, b_frames=2)
    found, expected = (
        [frame.pts for frame in frames_of(clip, skip_frame=skip_frame, fps=fps, on=on)[0]]
        for on in ("cuda", None)
    )
    assert found == expected
    assert len(found) < 100


def test_a_live_stream_outlives_its_device(rtsp_server, device, monkeypatch, caplog) -> None:
    class Found:
        def devices(self, choice: str) -> dict[str, str]:
            return {"h264": "cuda"} if choice == "auto" else {}

    class Enough(Collector):
        def frame(self, frame) -> None:
            super().frame(frame)
            if len(self.formats) == 2 and len(self.frames) >= 20:
                session.stop.set()

    monkeypatch.setattr(video_source, "HARDWARE", Found())
    device(good=10, error=av.error.ExternalError(5, "the driver is gone"))
    sink = Enough()
    session = Session("test", sink)
    source = Source(rtsp_server(codec="h264").url, hardware="auto", open_timeout_s=4.0, stall_s=4.0)
    assert run_connection(source, session) is None
    first, second = sink.formats
    assert (first.decoder, first.pixel_format) == ("h264 (cuda)", "nv12")
    assert str(first).endswith("decoded on cuda")
    assert (second.decoder, second.device) == ("h264 (software)", None)
    assert sink.frames[0].rgb((60, 80)).std() > 1
    assert "it goes on in software" in caplog.text


def test_recordings_are_decoded_in_software_and_keep_their_turn(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(video_source, "HARDWARE", None)
    clip = write_clip(tmp_path / "clip.mp4", frames=3, rotation=90)
    sink = Collector()
    run_connection(Source(str(clip), hardware="auto", paced=False), Session("test", sink))
    assert sink.frames[0].image_hw == (160, 120)
    assert np.abs(sink.frames[0].rgb().astype(int) - np.rot90(picture(0))).mean() < 8
