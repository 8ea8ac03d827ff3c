"""Webhooks in a site's file: what is taken, what is refused and why, and what is never shown."""

from pathlib import Path

import pytest

from config import ConfigError, load_site, signing_key
from config.advice import site_warnings
from streamer.webhook_wiring import webhook_targets_of

SITE = """
site: {name: x}
cameras:
  gate: {url: /a.mp4, zones: {apron: {coordinates: "0,0, 1,0, 1,1"}}}
  dock: {url: /b.mp4}
rules:
  - {name: hats, where: ["*"], require: hard_hat}
webhooks:
  desk:
"""
ENVIRON = {"HOOK": "https://hooks.example/services/T0pS3cret?code=Zm9vYmFy", "KEY": "whsec_" + "QUJD" * 8}


def load(tmp_path: Path, *lines: str):
    path = tmp_path / "site.yaml"
    path.write_text(SITE + "".join(f"    {line}\n" for line in lines))
    path.chmod(0o644)
    return path, load_site(path, ENVIRON)


def test_a_webhook_is_read_and_its_secrets_are_known(tmp_path: Path):
    _, site = load(
        tmp_path, "url: ${HOOK}", "secret: ${KEY}", "token: t0ken", "where: [gate/apron, dock]", "events: new"
    )
    (target,) = webhook_targets_of(site)
    assert target.url == ENVIRON["HOOK"]
    assert (target.shown, target.keys) == ("https://hooks.example:443", (b"ABC" * 8,))
    assert target.types == {"alert.new"}
    assert target.places == {("gate", "apron"), ("dock", None)}
    assert {ENVIRON["HOOK"], "T0pS3cret", "t0ken", ENVIRON["KEY"], "QUJD" * 8} <= site.secrets()
    shown = repr(site) + repr(target) + site.model_dump_json()
    assert not any(secret in shown for secret in ("T0pS3cret", "Zm9vYmFy", "QUJD", "t0ken"))


def test_one_that_is_switched_off_is_no_target(tmp_path: Path):
    _, site = load(tmp_path, "url: https://a.example/", "enabled: false")
    assert webhook_targets_of(site) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["url: ftp://a.example/S3cret"], "should begin with https:// or http://"),
        (["url: https://u:S3cret@a.example/"], "takes no user or password"),
        (["url: 'https:///S3cret'"], "names no host"),
        (["url: 'https://a.example/S3cret x'"], "without blanks"),
        (["url: 'https://a.example/S3cret#x'"], "after '#'"),
        (["url: https://a.example:99999/S3cret"], "is no address"),
        (["url: ${NONE}"], "NONE is not set"),
        (["secret: S3cret"], "this key is required"),
        (["url: https://a.example", "secret: S3cret"], "24 to 64 bytes"),
        (["url: https://a.example", "secret: whsec_S3cret!"], "should be base64"),
        (["url: https://a.example", f"old_secret: {'S3cret' * 5}"], "is of no use without 'secret'"),
        (["url: https://a.example", 'token: "S3cret\\n\\rX: y"'], "no header may hold"),
        (["url: https://a.example", "snapshot: link"], "needs the dashboard's address"),
        (["url: https://a.example", "where: [gate/yard]"], "has no zone 'yard'"),
        (["url: https://a.example", "rules: [hat]"], "there is no rule 'hat'; did you mean 'hats'?"),
        (["url: https://a.example", "events: []"], "at least 1"),
        (["url: https://a.example", "timeout: 1h"], "60"),
    ],
)
def test_what_is_wrong_is_said_without_secrets(tmp_path: Path, lines, message):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, *lines)
    assert message in str(caught.value)
    assert "S3cret" not in str(caught.value)


def test_what_is_hardly_meant_is_warned_of(tmp_path: Path):
    path, site = load(tmp_path, "url: http://a.example/T0pS3cret")
    told = "\n".join(map(str, site_warnings(path, site)))
    assert "can be read and changed on the way" in told
    assert "nothing tells the other side" in told
    assert "can be read by other users" in told
    assert "T0pS3cret" not in told


def test_keys_in_both_forms():
    assert signing_key("x" * 24) == b"x" * 24
    assert signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")[:2] == b"1\xf2"
