"""``ppewatch probe`` against real cameras, files, and what is neither."""

import json

import cv2
import pytest
from command_line import CANARY, one_line_of, ppewatch

from streamer.demo.site import CLIP


def test_a_camera_with_a_password_given_in_every_way(tmp_path, rtsp_server):
    camera = rtsp_server(user="viewer", password=CANARY, gop=5, fps=10)
    secret = tmp_path / "secret"
    secret.write_text(CANARY + "\n")
    with_password = camera.url.replace("://", f"://viewer:{CANARY}@")
    with_reference = camera.url.replace("://", "://viewer:${CAMERA_PASSWORD}@")
    sample = tmp_path / "new" / "sample.jpg"
    for arguments in (
        (with_password, "--picture", sample),
        (with_reference,),
        (camera.url, "--user", "viewer", "--password", f"file:{secret}"),
        (camera.url, "--user", "viewer", "--password", "${CAMERA_PASSWORD}"),
    ):
        done = ppewatch("probe", *arguments, "--seconds", "1.5", "--json", CAMERA_PASSWORD=CANARY)
        assert (done.code, done.err) == (0, ""), done
        facts = json.loads(done.out)
        assert facts["source"] == camera.url
        assert (facts["codec"], facts["size"]) == ("h264", "320x240")
        assert facts["measured_fps"] == pytest.approx(10, rel=0.2)
        assert facts["keyframe_interval_s"] == pytest.approx(0.5, rel=0.2)
        assert CANARY not in done.said
    assert cv2.imread(str(sample)).shape == (240, 320, 3)


def test_a_refused_password_is_told_and_not_shown(rtsp_server):
    camera = rtsp_server(user="viewer", password="another")
    done = ppewatch("probe", camera.url.replace("://", f"://viewer:{CANARY}@"))
    assert done.code == 1
    assert "refuses the user or password (401)" in one_line_of(done)
    assert CANARY not in done.said
    done = ppewatch("probe", camera.url, "--debug")
    assert done.code == 1
    assert "asks for a user and password" in done.err


def test_a_password_in_clear_is_used_and_warned_of(rtsp_server):
    camera = rtsp_server(user="viewer", password=CANARY)
    done = ppewatch("probe", camera.url, "--user", "viewer", "--password", CANARY, "--seconds", "0.5")
    assert done.code == 0, done
    assert done.err == (
        "warning: the password stays in the shell's history; ${NAME} or file:/path keep it out\n"
    )
    assert CANARY not in done.said


def test_a_recording(tmp_path):
    sample = tmp_path / "sample.png"
    done = ppewatch("probe", CLIP, "--picture", sample)
    assert (done.code, done.err) == (0, "")
    head, *facts = done.out.splitlines()
    assert head == str(CLIP)
    told = {line.split("  ")[1]: line.split()[-1] for line in facts}
    assert told["codec"] == "h264"
    assert told["size"] == "1280x720"
    assert told["picture"] == str(sample)
    assert cv2.imread(str(sample)).shape == (720, 1280, 3)


def test_names_of_files_are_not_taken_for_addresses(tmp_path):
    clip = tmp_path / "08:15 gate %03d.mp4"
    clip.write_bytes(CLIP.read_bytes())
    done = ppewatch("probe", clip, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["source"] == str(clip)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.mp4", b"just some words\n" * 100, "no video"),
        ("empty.mp4", b"", "no video"),
        ("cut.mp4", CLIP.read_bytes()[:2000], ""),
        ("missing.mp4", None, "does not exist"),
    ],
)
def test_what_is_no_video(tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = ppewatch("probe", path)
    assert done.code == 1
    line = one_line_of(done)
    assert line.startswith(f"ppewatch probe: {path}: ")
    assert said in line


def test_a_picture_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = ppewatch("probe", CLIP, "--picture", tmp_path / "file" / "sample.jpg")
    assert done.code == 1
    assert f"{tmp_path / 'file'}" in one_line_of(done)
