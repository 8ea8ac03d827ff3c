"""``ppewatch password``: what it prints opens the page, and what was typed is nowhere else."""

import io

import pytest

from config import load_site
from streamer.cli import main
from streamer.wiring import web_credentials_of

PASSWORD = "correct horse: bättery"


def test_the_hash_opens_the_page(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    assert main(["password"]) == 0
    told = capsys.readouterr()
    assert PASSWORD not in told.out + told.err
    site = tmp_path / "site.yaml"
    site.write_text(
        "site: {name: yard}\ncameras: {gate: {url: clip.mp4}}\n"
        f"http:\n  listen: 0.0.0.0:8787\n  user: operator\n  {told.out}"
    )
    settings = load_site(site)
    credentials = web_credentials_of(settings.http)
    assert credentials is not None
    assert credentials.password_hash.startswith("$argon2id$")
    assert credentials.password_hash in settings.secrets()


@pytest.mark.parametrize("typed", ["", "short\n", "a" * 2000 + "\n"])
def test_what_is_no_password_is_refused(monkeypatch, capsys, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert main(["password"]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert "10 to 1024 characters" in told.err
    assert not typed.strip() or typed.strip() not in told.err


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ("user: a, password_hash: x", "no Argon2 hash"),
        ("user: a, password: b, password_hash: x", "one is enough"),
        ("password_hash: x", "go together"),
        ("user: 'a:b', password: c", "no ':'"),
        ("hosts: ['a b']", "host name"),
        ("proxies: [proxy.example]", "IP address"),
        ("listen: ':80', password: b", "go together"),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path, capsys, http: str, said: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"site: {{name: yard}}\ncameras: {{gate: {{url: clip.mp4}}}}\nhttp: {{{http}}}\n")
    assert main(["check", str(site)]) == 2
    assert said in capsys.readouterr().err
