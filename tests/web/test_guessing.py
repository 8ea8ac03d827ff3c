"""How often passwords can be tried, and that nobody else is locked out by whoever tries."""

import base64
import hmac
import threading
import time
from itertools import count

import pytest
from http_client import ask
from hypothesis import given, settings
from hypothesis import strategies as st
from web_site import Site

from streamer.web.access import AccessControl
from streamer.web.app import create_app
from streamer.web.credentials import Credentials, hash_of
from streamer.web.guessing import (
    BURST,
    DEVICE_COOKIE,
    REFILL_S,
    DeviceCookies,
    GuessLimiter,
    client_of_address,
)
from streamer.web.server import WebServer

PASSWORD = "correct horse"
USER = Credentials("operator", PASSWORD)


def basic(password: str, user: str = "operator") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def guarded(site: Site):
    app = create_app(site, site_name="yard", version="1", credentials=USER)
    with WebServer(app, "127.0.0.1", 0) as running:
        yield running


def test_after_a_few_wrong_passwords_none_is_looked_at_any_more(guarded: WebServer) -> None:
    seen = [ask(guarded, "/api/alerts", authorization=basic(f"guess {n}")).status for n in range(BURST + 5)]
    assert seen[:BURST] == [401] * BURST
    assert 429 in seen[BURST:]
    refused = ask(guarded, "/api/alerts", authorization=basic("guess"))
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    # not even the right one, or guessing would go on
    assert ask(guarded, "/api/alerts", authorization=basic(PASSWORD)).status == 429
    assert ask(guarded, "/healthz").status == 200


def test_who_was_logged_in_before_is_not_locked_out_by_a_guesser_at_the_same_address(
    guarded: WebServer,
) -> None:
    first = ask(guarded, "/", authorization=basic(PASSWORD))
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"{DEVICE_COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    value = cookie.partition(";")[0]
    for number in range(BURST + 3):
        ask(guarded, "/api/alerts", authorization=basic(f"guess {number}"))
    assert ask(guarded, "/api/alerts", authorization=basic(PASSWORD)).status == 429
    for _ in range(3 * BURST):
        answer = ask(guarded, "/api/alerts", authorization=basic(PASSWORD), cookie=value)
        assert answer.status == 200
        assert "set-cookie" not in answer.headers
    # the cookie alone is worth nothing, and guesses with it take from it
    assert ask(guarded, "/api/alerts", cookie=value).status == 401
    with_cookie = [
        ask(guarded, "/api/alerts", authorization=basic(f"guess {n}"), cookie=value).status
        for n in range(BURST + 3)
    ]
    assert 429 in with_cookie


def test_refusals_are_counted_in_the_metrics(guarded: WebServer) -> None:
    for number in range(BURST + 3):
        ask(guarded, "/api/alerts", authorization=basic(f"guess {number}"), cookie="ppewatch_device=made.up")
    ask(guarded, "/")
    cookie = ask(guarded, "/").headers.get("set-cookie", "")
    assert not cookie
    registry = guarded._app.state.counters  # as /metrics would say, which this address may not ask for now
    told = {sample.labels["reason"]: sample.value for sample in next(iter(registry.collect())).samples}
    assert told["credentials"] >= BURST + 2
    assert told["guessing"] >= 1
    assert set(told) == {"credentials", "guessing", "host", "foreign", "body", "connections", "slow"}


def test_an_allowance_comes_back_with_time() -> None:
    now = 0.0
    limiter = GuessLimiter(burst=2, refill_s=10.0, clock=lambda: now)
    assert [limiter.take("a") for _ in range(3)] == [0.0, 0.0, 10.0]
    assert limiter.take("b") == 0.0
    now = 5.0
    assert limiter.take("a") == pytest.approx(5.0)
    now = 10.0
    assert limiter.take("a") == 0.0
    assert limiter.take("a") > 0.0
    limiter.give_back("a")
    assert limiter.take("a") == 0.0


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 2**32 - 1), max_size=300))
def test_memory_is_bounded_whatever_comes(addresses: list[int]) -> None:
    limiter = GuessLimiter(most_clients=64)
    for address in addresses:
        limiter.take(str(address))
        assert len(limiter) <= 64


def test_those_who_guess_nothing_take_no_memory() -> None:
    limiter = GuessLimiter()
    for number in range(100):
        assert limiter.take(str(number)) == 0.0
        limiter.give_back(str(number))
    assert len(limiter) == 0


def test_a_host_has_one_allowance_however_many_addresses_it_has() -> None:
    assert client_of_address("192.0.2.7") == "192.0.2.7"
    assert client_of_address("::ffff:192.0.2.7") == "192.0.2.7"
    assert client_of_address("2001:db8:1:2::1") == client_of_address("2001:db8:1:2:ffff::9")
    assert client_of_address("2001:db8:1:2::1") != client_of_address("2001:db8:1:3::1")
    assert client_of_address("fe80::1%eth0") == "fe80::/64"
    assert client_of_address("") == client_of_address("no address") == "unknown"


@pytest.mark.parametrize("value", [None, "", ".", "a.b", "é.x", "a" * 5000, "a." + "b" * 43])
def test_cookies_that_we_did_not_make_are_nobodys(value: str | None) -> None:
    assert DeviceCookies().client(value) is None


def test_cookies_are_worth_nothing_elsewhere() -> None:
    ours = DeviceCookies()
    assert ours.client(ours.make()) is not None
    assert ours.client(DeviceCookies().make()) is None


def test_a_hash_in_place_of_the_password(site: Site) -> None:
    credentials = Credentials("operator", password_hash=hash_of(PASSWORD))
    assert not credentials.is_quick
    app = create_app(site, site_name="yard", version="1", credentials=credentials)
    with WebServer(app, "127.0.0.1", 0) as running:
        for wrong in (basic("wrong"), basic(PASSWORD, "other"), basic(""), "Basic x", "Bearer x"):
            assert ask(running, "/api/alerts", authorization=wrong).status == 401
        assert ask(running, "/api/alerts", authorization=basic(PASSWORD)).status == 200
        assert credentials.is_quick
        assert ask(running, "/api/alerts", authorization=basic(PASSWORD)).status == 200
        assert ask(running, "/api/alerts", authorization=basic("wrong")).status == 401
    assert PASSWORD not in repr(credentials)
    assert credentials.password_hash not in repr(credentials)


def test_what_is_no_hash_is_refused() -> None:
    for wrong in ({"password_hash": "$2b$12$abc"}, {"password": "a", "password_hash": hash_of("a")}, {}):
        with pytest.raises(ValueError, match="hash"):
            Credentials("operator", **wrong)


def test_credentials_are_compared_as_digests_of_one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """No comparison sees anything of which the attacker decides the length."""
    lengths: set[tuple[int, int]] = set()
    real = hmac.compare_digest

    def noted(a: bytes, b: bytes) -> bool:
        lengths.add((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr("streamer.web.credentials.hmac.compare_digest", noted)
    for password in ("", "c", PASSWORD, PASSWORD * 50):
        Credentials("operator", PASSWORD).match(basic(password))
    assert lengths == {(32, 32)}


def test_many_at_once_are_no_more_than_many_in_a_row(site: Site) -> None:
    """What is taken before the hash is computed cannot be had twice."""
    credentials = Credentials("operator", password_hash=hash_of(PASSWORD))
    app = create_app(site, site_name="yard", version="1", credentials=credentials)
    statuses: list[int] = []
    numbers = count()
    with WebServer(app, "127.0.0.1", 0) as running:

        def guess() -> None:
            statuses.append(ask(running, "/api/alerts", authorization=basic(f"g{next(numbers)}")).status)

        threads = [threading.Thread(target=guess) for _ in range(20)]
        begun_s = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s = time.monotonic() - begun_s
    # allowances come back while the hashes are computed, for which a busy machine takes its time
    assert statuses.count(429) >= len(threads) - BURST - int(took_s / REFILL_S)


def test_a_proxys_clients_have_allowances_of_their_own(site: Site) -> None:
    app = create_app(site, site_name="yard", version="1", credentials=USER)
    with WebServer(app, "127.0.0.1", 0, proxies=("127.0.0.1",)) as running:
        for number in range(BURST + 5):
            ask(running, "/", authorization=basic(f"{number}"), x_forwarded_for="198.51.100.1")
        assert ask(running, "/", authorization=basic("x"), x_forwarded_for="198.51.100.1").status == 429
        assert ask(running, "/", authorization=basic(PASSWORD), x_forwarded_for="198.51.100.2").status == 200


def test_nobody_else_is_believed_who_he_says_he_is(guarded: WebServer) -> None:
    seen = [
        ask(guarded, "/", authorization=basic(f"{n}"), x_forwarded_for=f"198.51.100.{n}").status
        for n in range(BURST + 5)
    ]
    assert 429 in seen


def test_an_open_page_names_its_hosts() -> None:
    with pytest.raises(ValueError, match="host names"):
        AccessControl(
            lambda *_: None,  # type: ignore[arg-type, return-value]
            credentials=None,
            allowed_hosts=None,
            counters=None,  # type: ignore[arg-type]
        )
