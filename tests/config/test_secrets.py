"""Secrets come from where they stand, and never show."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ConfigError
from config.urls import parse_stream_url

CANARY = "hunter2-CANARY"


def gate(password: str, url: str = "rtsp://10.0.0.1/stream", user: str = "viewer") -> str:
    head = "site: {name: yard}\ncameras:\n  gate:\n"
    return f"{head}    url: {url}\n    user: {user}\n    password: {password}\n"


def shown(settings) -> str:
    camera = settings.cameras["gate"]
    parts = [
        repr(settings),
        str(settings),
        str(settings.model_dump()),
        settings.model_dump_json(by_alias=True),
    ]
    return "\n".join([*parts, repr(camera), str(camera.url), repr(camera.url), str(camera.full_url)])


@pytest.mark.parametrize(
    "written",
    [CANARY, "${PW}", "hunter2-${PART}", "${NONE:-hunter2-CANARY}", "file:pw.txt", "credential:gate"],
)
def test_every_way_to_give_a_secret(load, tmp_path, written):
    (tmp_path / "pw.txt").write_text(CANARY + "\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "gate").write_text(CANARY)
    environ = {"PW": CANARY, "PART": "CANARY", "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    settings = load(gate(f'"{written}"'), environ)
    assert settings.cameras["gate"].credentials == ("viewer", CANARY)
    assert settings.secrets() == {CANARY}
    assert "CANARY" not in shown(settings)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0123", "0123"),
        ("1.50", "1.50"),
        ('"$${x}"', "${x}"),
        ("pa$$word", "pa$$word"),
        ("on", "on"),
        ('"~"', "~"),
    ],
)
def test_passwords_are_taken_as_they_are_written(load, written, expected):
    assert load(gate(written)).cameras["gate"].credentials == ("viewer", expected)


@pytest.mark.parametrize("written", ["", "~", '""', "null"])
def test_an_empty_password_is_none(load, written):
    settings = load(gate(written))
    assert settings.cameras["gate"].password is None
    assert settings.cameras["gate"].full_url.get_secret_value() == "rtsp://viewer@10.0.0.1/stream"


@pytest.mark.parametrize(
    ("written", "environ", "message"),
    [
        ("${GATE_PW}", {}, "the environment variable GATE_PW is not set"),
        ("${GATE_PW}", {"GATE_PW": ""}, "the environment variable GATE_PW is empty"),
        (
            '"CANARY${"',
            {},
            "holds a '${' that starts no '${NAME}'; write '$${' for the two characters themselves",
        ),
        ('"${1CANARY}"', {}, "holds a '${' that starts no '${NAME}'"),
        ("file:nothing", {}, "the secret file {tmp}/nothing cannot be read: no such file or directory"),
        ('"file:"', {}, "the secret file {tmp} cannot be read: is a directory"),
        ("file:empty", {}, "the secret file {tmp}/empty is empty"),
        ("file:latin", {}, "the secret file {tmp}/latin is not UTF-8 text"),
        ("file:large", {}, "the secret file {tmp}/large is longer than 16384 bytes"),
        ("credential:gate", {}, "the credential 'gate' needs $CREDENTIALS_DIRECTORY"),
        ("credential:../x", {"CREDENTIALS_DIRECTORY": "/"}, "takes the name of a credential, not a path"),
        (
            "credential:no",
            {"CREDENTIALS_DIRECTORY": "{tmp}"},
            "the credential {tmp}/no cannot be read: no such file",
        ),
        ("true", {}, "should be text; put it in quotes"),
        ("[CANARY]", {}, "should be text"),
        ("{CANARY: 1}", {}, "should be text"),
    ],
)
def test_a_missing_secret_is_named_by_its_key(errors_of, tmp_path: Path, written, environ, message):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"CANARY\xe9")
    (tmp_path / "large").write_text("CANARY" * 5000)
    environ = {name: value.replace("{tmp}", str(tmp_path)) for name, value in environ.items()}
    errors = errors_of(gate(written), environ)
    assert len(errors) == 1
    assert errors[0].startswith("site.yaml:6:15: cameras.gate.password: ")
    assert message.replace("{tmp}", str(tmp_path)) in errors[0]
    assert "CANARY" not in errors[0]


@pytest.mark.parametrize(
    ("url", "user", "password", "address"),
    [
        ("rtsp://viewer:CANARY@h/s", "viewer", "CANARY", "rtsp://h/s"),
        ("rtsp://site.viewer:CANARY@h:8554/s?a=b", "site.viewer", "CANARY", "rtsp://h:8554/s?a=b"),
        ("rtsp://user@corp:CANARY@h/s", "user@corp", "CANARY", "rtsp://h/s"),
        ("rtsp://v:CANARY%40%2F@h/s", "v", "CANARY@/", "rtsp://h/s"),
        ("rtsp://v:p@CANARY@h/s", "v", "p@CANARY", "rtsp://h/s"),
        ("rtsp://:CANARY@h", "", "CANARY", "rtsp://h"),
        ("http://CANARY@h/s", "CANARY", "", "http://h/s"),
        ("rtsps://v:CANARY@[fe80::1]:322/s", "v", "CANARY", "rtsps://[fe80::1]:322/s"),
    ],
)
def test_credentials_are_moved_out_of_the_url(load, url, user, password, address):
    settings = load(f'site: {{name: yard}}\ncameras:\n  gate: {{url: "{url}"}}\n')
    camera = settings.cameras["gate"]
    assert camera.credentials == (user, password)
    assert str(camera.url) == address
    assert settings.secrets() == {password or user}
    assert "CANARY" not in shown(settings)
    again, *credentials = parse_stream_url(camera.full_url.get_secret_value())
    assert (again, tuple(credentials)) == (camera.url, camera.credentials)


def test_secrets_in_the_query_are_hidden_and_known(load):
    url = "http://h/video.cgi?username=a&pwd=CANARY1&Password=CANARY%232&token=CANARY3;x&size=hd"
    settings = load(f'site: {{name: yard}}\ncameras:\n  gate: {{url: "{url}"}}\n')
    assert (
        str(settings.cameras["gate"].url)
        == "http://h/video.cgi?username=a&pwd=***&Password=***&token=***&size=hd"
    )
    assert settings.secrets() == {"CANARY1", "CANARY%232", "CANARY#2", "CANARY3;x"}
    assert settings.cameras["gate"].full_url.get_secret_value() == url
    assert "CANARY" not in shown(settings)


def test_variables_inside_a_url(load):
    text = 'site: {name: yard}\ncameras:\n  gate: {url: "rtsp://${U}:${P}@h/s"}\n'
    settings = load(text, {"U": "viewer", "P": "CANARY"})
    assert settings.cameras["gate"].credentials == ("viewer", "CANARY")
    assert "CANARY" not in shown(settings)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "rtsp://v:CAN/ARY@h/s",
            "no port; a password with '/', '?' or '#' in it belongs under the key 'password'",
        ),
        ("rtsp://v:CANARY#@h/s", "belongs under the key 'password'"),
        ("rtsp:///CANARY", "names no host"),
        ("rtsp://h:0/CANARY", "the port should lie in 1 to 65535"),
        ("rtsp://h:99999/CANARY", "the port should lie in 1 to 65535"),
        ("rtps://v:CANARY@h/", "'rtps://' is not supported"),
        ("ftp://v:CANARY@h/", "'ftp://' is not supported"),
    ],
)
def test_wrong_urls_are_explained_without_being_shown(errors_of, url, message):
    errors = errors_of(f'site: {{name: yard}}\ncameras:\n  gate: {{url: "{url}"}}\n')
    assert len(errors) == 1
    assert errors[0].startswith("site.yaml:3:15: cameras.gate.url: ")
    assert message in errors[0]
    assert "CANARY" not in errors[0]
    assert "ARY" not in errors[0]


def test_a_misspelt_scheme_gets_a_suggestion(errors_of):
    (error,) = errors_of('site: {name: yard}\ncameras:\n  gate: {url: "rstp://h/"}\n')
    assert error.endswith("did you mean 'rtsp'?")


def test_credentials_that_rtsp_would_cut_off_are_refused(errors_of, load):
    assert load(gate("x" * 119)).cameras["gate"].password
    (error,) = errors_of(gate("x" * 120))
    assert error.startswith(
        "site.yaml:6:15: cameras.gate.password: user and password together are longer than"
    )
    assert load(gate("x" * 120, url="http://h/")).cameras["gate"].password


def test_credentials_given_twice_are_refused(errors_of):
    (error,) = errors_of(gate("CANARY1", url="rtsp://viewer:CANARY2@h/", user=""))
    assert (
        error == "site.yaml:6:15: cameras.gate.password: the password is given twice: here and inside the url"
    )


def test_other_problems_of_the_same_camera_do_not_show_the_secret(errors_of):
    text = gate(CANARY, url=f"rtsp://{CANARY}@h/", user="") + f"    priority: {CANARY}\n    fps: {CANARY}\n"
    text += (
        f"    zones: {CANARY}\nrules: [{{name: x, where: [{CANARY}], require: {CANARY}, dwell: {CANARY}}}]\n"
    )
    assert CANARY not in "\n".join(errors_of(text))


def test_the_error_holds_on_to_no_secret(load):
    with pytest.raises(ConfigError) as caught:
        load(gate(CANARY) + "    fps: fast\n")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None
    assert CANARY.encode() not in pickle.dumps(caught.value.problems)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30),
)
@settings(deadline=None)
def test_credentials_survive_the_way_into_a_url_and_back(user, password):
    bare, _, _ = parse_stream_url("rtsp://camera:8554/stream?channel=1")
    full = bare.with_credentials(user, password).get_secret_value()
    assert parse_stream_url(full) == (bare, user, password)


@pytest.mark.parametrize(
    "address",
    [
        "rtsp:/viewer:s3cr3t@camera/1",
        "RTSPS:viewer:s3cr3t@camera",
        "http;//viewer:s3cr3t@camera",
        " rtsp://viewer:s3cr3t@camera",
        "my camera rtsp://viewer:s3cr3t@camera",
    ],
)
def test_an_address_with_a_slip_is_not_taken_for_a_file(address):
    # as a path it would be shown wherever the camera is named
    with pytest.raises(ValueError, match="should begin with its scheme") as caught:
        parse_stream_url(address)
    assert "s3cr3t" not in str(caught.value)
