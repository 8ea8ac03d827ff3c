"""One post against servers, proxies and networks that do all that goes wrong, and those that are not trusted."""

import base64
import logging
import ssl
import time
from pathlib import Path

import pytest
from peers.authority import Authority
from peers.connect_proxy import ConnectProxy
from peers.mosquitto import free_port
from peers.tcp_proxy import TcpProxy
from peers.webhook_server import TAKEN, Reply, WebhookServer
from webhooks.couriers import target_at

from streamer.webhooks.backoff import MOST_RETRY_AFTER_S, Backoff, retry_after_s
from streamer.webhooks.posting import Answer, Poster, Verdict
from streamer.webhooks.signing import signature, webhook_headers
from streamer.webhooks.target import TargetTls


def post(url: str, **changes: object) -> Answer:
    return Poster(target_at(url, **changes), user_agent="ppewatch/test").post(b"{}", {"webhook-id": "one"})


def test_the_signature_is_that_of_the_published_vector():
    # test vector of the reference libraries, https://github.com/standard-webhooks/standard-webhooks
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    told = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert "webhook-signature" not in webhook_headers((), "one", 1, b"")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED), (204, Verdict.DELIVERED), (299, Verdict.DELIVERED),
        (301, Verdict.REDIRECT), (307, Verdict.REDIRECT), (308, Verdict.REDIRECT),
        (400, Verdict.REJECTED), (422, Verdict.REJECTED), (413, Verdict.TOO_LARGE),
        (401, Verdict.UNAUTHORISED), (403, Verdict.UNAUTHORISED), (410, Verdict.GONE),
        (429, Verdict.BUSY), (503, Verdict.BUSY), (404, Verdict.FAILED), (500, Verdict.FAILED),
    ],
)  # fmt: skip
def test_what_a_status_means(status, verdict):
    with WebhookServer(lambda _posted: Reply(status, {"location": "/elsewhere"})) as server:
        answer = post(server.url)
        assert (answer.verdict, answer.status) == (verdict, status)
        assert len(server.posted) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\nx: " + b"y" * 4000, id="headers without an end"),
        pytest.param(b"H" * 4000, id="a status without an end"),
    ],
)
def test_an_answer_that_comes_drop_by_drop_is_cut_off(raw):
    with WebhookServer(lambda _posted: Reply(raw=raw, pause_s=0.05)) as server:
        began_s = time.monotonic()
        answer = post(server.url, timeout_s=1.0)
        # by itself it would take 200 s
        assert time.monotonic() - began_s < 60
    assert (answer.verdict, answer.detail) == (Verdict.TIMEOUT, "no answer within 1 s")


def test_a_handshake_that_comes_drop_by_drop_is_cut_off(tmp_path: Path):
    authority = Authority(tmp_path)
    with WebhookServer(tls=server_context(authority)) as server, TcpProxy(server.port) as proxy:
        proxy.down.bytes_per_s = 20.0
        began_s = time.monotonic()
        answer = post(
            f"https://127.0.0.1:{proxy.port}/hook", timeout_s=1.0, tls=TargetTls(ca_file=authority.ca)
        )
        assert time.monotonic() - began_s < 60
    assert answer.verdict is Verdict.TIMEOUT


def test_a_server_that_says_nothing_and_a_connection_that_is_half_open():
    with WebhookServer() as server, TcpProxy(server.port) as proxy:
        proxy.up.swallow = proxy.down.swallow = True
        assert post(f"http://127.0.0.1:{proxy.port}/hook", timeout_s=1.0).verdict is Verdict.TIMEOUT
        proxy.heal()
        assert post(f"http://127.0.0.1:{proxy.port}/hook").verdict is Verdict.DELIVERED


def test_servers_that_are_not_there_or_break_off():
    assert post(f"http://127.0.0.1:{free_port()}/hook").verdict is Verdict.UNREACHABLE
    assert post("http://no-such-host.invalid/hook").verdict in {Verdict.UNREACHABLE, Verdict.TIMEOUT}
    with WebhookServer(lambda _posted: Reply(0)) as server:
        assert post(server.url).verdict is Verdict.LOST
    with WebhookServer(lambda _posted: Reply(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as server:
        assert post(server.url).verdict in {Verdict.LOST, Verdict.FAILED}


def test_of_a_long_answer_little_is_read():
    body = b"x" * 50_000_000
    with WebhookServer(lambda _posted: Reply(200, body=body)) as server:
        began_s = time.monotonic()
        assert post(server.url).verdict is Verdict.DELIVERED
        assert time.monotonic() - began_s < 60


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with WebhookServer() as server:
        assert post(server.url).verdict is Verdict.DELIVERED


def test_a_proxy_of_the_settings_is_used():
    # a proxy is asked for the whole address; this one answers by itself
    with WebhookServer() as proxy:
        answer = post("http://hooks.example/one", proxy=f"http://127.0.0.1:{proxy.port}")
        assert answer.verdict is Verdict.DELIVERED
        assert proxy.posted[0].path == "http://hooks.example/one"
    gone = post("http://hooks.example/one", proxy=f"http://127.0.0.1:{free_port()}")
    assert gone.verdict is Verdict.UNREACHABLE


def server_context(
    authority: Authority, *names: str, expired: bool = False, clients: Authority | None = None
) -> ssl.SSLContext:
    identity = authority.issue("server", *names, expired=expired)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    if clients is not None:
        context.load_verify_locations(clients.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_certificates_are_checked(tmp_path: Path):
    ours, another = Authority(tmp_path), Authority(tmp_path, "another")
    trusted = TargetTls(ca_file=ours.ca)
    with WebhookServer(tls=server_context(ours)) as server:
        assert post(server.url, tls=trusted).verdict is Verdict.DELIVERED
        assert post(server.url).verdict is Verdict.TLS, "the system's store does not know it"
        unknown = post(server.url, tls=TargetTls(ca_file=another.ca))
        assert (unknown.verdict, "certificate" in unknown.detail) == (Verdict.TLS, True)
        assert post(server.url, tls=TargetTls(verify=False)).verdict is Verdict.DELIVERED
        missing = post(server.url, tls=TargetTls(ca_file=tmp_path / "none.pem"))
        assert (missing.verdict, missing.detail) == (
            Verdict.TLS,
            "a certificate file: no such file or directory",
        )
    with WebhookServer(tls=server_context(ours, "hooks.example")) as server:
        assert post(server.url, tls=trusted).verdict is Verdict.TLS
    with WebhookServer(tls=server_context(ours, expired=True)) as server:
        assert post(server.url, tls=trusted).verdict is Verdict.TLS


def test_a_client_certificate_is_shown_where_it_is_asked_for(tmp_path: Path):
    ours, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    identity = clients.issue("site", "site.example")
    with WebhookServer(tls=server_context(ours, clients=clients)) as server:
        bare = post(server.url, tls=TargetTls(ca_file=ours.ca))
        assert bare.verdict in {Verdict.TLS, Verdict.LOST}
        shown = TargetTls(ca_file=ours.ca, cert_file=identity.cert, key_file=identity.key)
        assert post(server.url, tls=shown).verdict is Verdict.DELIVERED


def test_nothing_of_the_address_is_logged_or_told(caplog: pytest.LogCaptureFixture):
    secret = "s3cret-path-of-a-hook"
    told = []
    with (
        caplog.at_level(logging.DEBUG),
        WebhookServer(lambda _posted: Reply(raw=b"no\r\n: x\r\n\r\n")) as server,
    ):
        for base in (server.url, f"http://127.0.0.1:{free_port()}"):
            told.append(post(f"{base}/{secret}?token={secret}", token=secret))
    with caplog.at_level(logging.DEBUG), WebhookServer(lambda _posted: TAKEN) as server:
        target = target_at(f"{server.url}/{secret}", token=secret)
        told.append(Poster(target, user_agent="x").post(b"{}", {}))
        assert secret not in repr(target)
    assert secret not in caplog.text + repr(told)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("", None), ("soon", None), ("-5", None), ("120", 120.0), ("0", 0.0),
        ("99999999999", MOST_RETRY_AFTER_S), ("²", None), ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Fri, 99 Foo 1970 00:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_in_both_forms(value, seconds):
    assert retry_after_s(value, at=100.0) == seconds


def test_waits_grow_and_are_never_shorter_than_asked():
    least, most = Backoff(jitter=lambda: 0.0), Backoff(jitter=lambda: 1.0)
    assert [most.delay_s(n) for n in (1, 2, 3, 9, 50)] == [1, 2, 4, 256, 300]
    assert [least.delay_s(n) for n in (1, 2, 50)] == [0.5, 1, 150]
    assert least.delay_s(1, retry_after_s=77.0) == 77.0


def reach(url: str, **changes: object) -> Answer:
    return Poster(target_at(url, **changes), user_agent="ppewatch/test").reach()


def test_the_way_to_a_server_is_tried_and_nothing_is_posted(tmp_path: Path):
    authority = Authority(tmp_path)
    with WebhookServer() as plain, WebhookServer(tls=server_context(authority)) as encrypted:
        trusted = TargetTls(ca_file=authority.ca)
        assert reach(plain.url) == Answer(Verdict.DELIVERED)
        assert reach(encrypted.url, tls=trusted) == Answer(Verdict.DELIVERED)
        untrusted = reach(encrypted.url)
        assert (untrusted.verdict, "certificate" in untrusted.detail) == (Verdict.TLS, True)
        assert plain.posted == encrypted.posted == []
    assert reach(f"http://127.0.0.1:{free_port()}/hook").verdict is Verdict.UNREACHABLE
    assert reach("http://no-such-host.invalid/hook").verdict in {Verdict.UNREACHABLE, Verdict.TIMEOUT}


def test_a_certificate_that_is_missing_is_told_after_the_handshake(tmp_path: Path):
    ours, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    identity = clients.issue("site", "site.example")
    with WebhookServer(tls=server_context(ours, clients=clients)) as server:
        bare = reach(server.url, tls=TargetTls(ca_file=ours.ca))
        assert bare.verdict in {Verdict.TLS, Verdict.LOST}
        shown = TargetTls(ca_file=ours.ca, cert_file=identity.cert, key_file=identity.key)
        assert reach(server.url, tls=shown).verdict is Verdict.DELIVERED


def test_the_way_through_a_proxy(tmp_path: Path):
    authority = Authority(tmp_path)
    trusted = TargetTls(ca_file=authority.ca)
    with WebhookServer(tls=server_context(authority)) as server:
        with ConnectProxy() as proxy:
            assert reach(server.url, tls=trusted, proxy=proxy.url).verdict is Verdict.DELIVERED
            assert [line.split()[:2] for line in proxy.asked] == [["CONNECT", f"127.0.0.1:{server.port}"]]
            # what is posted takes the same way
            assert post(server.url, tls=trusted, proxy=proxy.url).verdict is Verdict.DELIVERED
            assert len(server.posted) == 1
            assert reach("http://hooks.example/one", proxy=proxy.url).verdict is Verdict.DELIVERED
            assert len(proxy.asked) == 2, "of http:// nothing but the proxy is asked, and that nothing"
        with ConnectProxy(refuses=True) as proxy:
            refused = reach(server.url, tls=trusted, proxy=proxy.url)
            assert (refused.verdict, refused.detail) == (
                Verdict.UNREACHABLE,
                "the proxy does not let us through",
            )
    gone = reach("https://hooks.example/one", proxy=f"http://127.0.0.1:{free_port()}")
    assert gone.verdict is Verdict.UNREACHABLE


def test_a_way_that_leads_nowhere_is_given_up_in_time(tmp_path: Path):
    authority = Authority(tmp_path)
    with WebhookServer(tls=server_context(authority)) as server, TcpProxy(server.port) as proxy:
        proxy.up.swallow = proxy.down.swallow = True
        answer = reach(f"https://127.0.0.1:{proxy.port}/hook", timeout_s=1.0)
    assert (answer.verdict, answer.detail) == (Verdict.TIMEOUT, "no answer within 1 s")
