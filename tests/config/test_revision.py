import re

from config import config_revision

TEXT = """\
site: {name: yard}
fps: 5
cameras:
  gate: {url: "rtsp://h/s?token=${T}", user: a, password: "${PW}"}
rules: [{name: r, where: gate, require: [face_mask], dwell: 2s}]
"""
ENVIRON = {"T": "token-1", "PW": "password-1"}


def test_the_same_settings_have_the_same_revision(load):
    revision = config_revision(load(TEXT, ENVIRON))
    assert re.fullmatch("sha256:[0-9a-f]{64}", revision)
    reordered = "\n".join(["# a comment", *TEXT.splitlines()[4:], *TEXT.splitlines()[:4]])
    same = reordered.replace("dwell: 2s", "dwell: 2000ms, clear: 5").replace("[face_mask]", "face_mask")
    assert config_revision(load(same, ENVIRON)) == revision


def test_secrets_and_the_state_dir_do_not_enter(load):
    revision = config_revision(load(TEXT, ENVIRON))
    others = {"T": "token-2", "PW": "password-2", "STATE_DIRECTORY": "/elsewhere"}
    assert config_revision(load(TEXT, others)) == revision


def test_every_other_change_shows(load):
    changes = [
        ("yard", "dock"),
        ("fps: 5", "fps: 6"),
        ("h/s", "h/t"),
        ("2s", "3s"),
        (', password: "${PW}"', ""),
    ]
    revisions = {config_revision(load(TEXT.replace(old, new), ENVIRON)) for old, new in changes}
    assert len(revisions | {config_revision(load(TEXT, ENVIRON))}) == len(changes) + 1
