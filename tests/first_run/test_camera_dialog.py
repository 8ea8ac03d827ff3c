"""The conversation about cameras that ONVIF finds, with a real device and a real stream."""

import builtins
import getpass
from collections.abc import Iterable

import pytest
from peers.onvif_camera import OnvifCamera

from streamer.first_run.camera_dialog import CameraDialog
from streamer.first_run.console import Console
from streamer.first_run.pictures import Pictures
from streamer.onvif.discovery import discover

PASSWORD = "c4nary-of-the-camera"


class Typist:
    """Answers each question whose words are told with what is to be typed, in this order and no other."""

    def __init__(self, answers: Iterable[tuple[str, str]]) -> None:
        self._left = list(answers)

    def __call__(self, question: str) -> str:
        words, answer = self._left.pop(0)
        assert words in question
        return answer

    @property
    def is_done(self) -> bool:
        return not self._left


@pytest.fixture
def typing(monkeypatch):
    def start(*answers: tuple[str, str]) -> Typist:
        typist = Typist(answers)
        monkeypatch.setattr(builtins, "input", typist)
        monkeypatch.setattr(getpass, "getpass", typist)
        return typist

    return start


def test_a_camera_that_is_found_becomes_one_of_the_site(typing, rtsp_server, tmp_path, capsys):
    stream = rtsp_server(user="viewer", password=PASSWORD)
    typist = typing(
        ("Ask this network for ONVIF cameras", "y"),
        ("Address of the first camera, or its number above", "7"),
        ("Address of the first camera, or its number above", "1"),
        ("User at the camera", "viewer"),
        ("Password of viewer", "n0t-the-one"),
        ("Another user or password", "y"),
        ("User at the camera (- for none) [viewer]", ""),
        ("Password of viewer", PASSWORD),
        ("Which stream [1]", "2"),
        ("Is this the right picture", "y"),
        ("Name of this camera [North-gate]", ""),
        ("Required at North-gate", "2"),
        ("Where", "1"),
        ("Address of the next camera", "1"),
        ("The user and password of North-gate (viewer) for it too", "y"),
        ("Which stream [1]", ""),
        ("Is this the right picture", "y"),
        ("Name of this camera [North-gate-2]", "North-gate"),
        ("Name of this camera [North-gate-2]", "yard"),
        ("Required at yard", "4"),
        ("Address of the next camera", ""),
    )
    with (
        OnvifCamera(password=PASSWORD, rtsp=f"rtsp://10.9.9.9:{stream.port}/stream") as camera,
        Pictures() as pictures,
    ):

        def find() -> list:
            return discover(wait_s=0.8, target=camera.discovery, interfaces=("127.0.0.1",))

        cameras = CameraDialog(Console(), pictures, {}, find=find).ask_all()
    assert typist.is_done
    assert camera.refused == 1
    assert [(each.name, each.url, each.require) for each in cameras] == [
        ("North-gate", f"rtsp://127.0.0.1:{stream.port}/stream?profile=sub", ("face_mask",)),
        ("yard", f"rtsp://127.0.0.1:{stream.port}/stream?profile=main", ()),
    ]
    assert {each.password.value for each in cameras} == {PASSWORD}
    said = capsys.readouterr().out
    assert "1  127.0.0.1  North gate DS-2CD" in said
    assert "it refuses the user or password" in said
    assert "mainStream: H264 2560x1440, 25 frames a second  (recommended)" in said
    assert "another camera has this name" in said
    assert PASSWORD not in said


def test_a_network_where_nobody_answers_is_said(typing, tmp_path, capsys):
    (tmp_path / "clip.mp4").write_text("no video")
    typist = typing(
        ("Ask this network for ONVIF cameras", "y"),
        ("Address of the first camera", ""),
        ("Address of the first camera", str(tmp_path / "clip.mp4")),
        ("What now", "2"),
        ("Name of this camera [clip]", ""),
        ("Required at clip", "1"),
        ("Where", "2"),
        ("Address of the next camera (Enter: no more)", ""),
    )
    with Pictures() as pictures:
        (camera,) = CameraDialog(Console(), pictures, {}, find=list).ask_all()
    assert typist.is_done
    assert (camera.url, camera.zone_later, camera.seen) == (str(tmp_path / "clip.mp4"), True, "")
    said = capsys.readouterr().out
    assert "nobody answers" in said
    assert "a site has at least one camera" in said
    assert "is no video" in said
