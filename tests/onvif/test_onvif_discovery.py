"""WS-Discovery against a camera's responder on loopback, and against everybody else who may answer."""

import socket
import threading
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peers.onvif_camera import ENVELOPE, OnvifCamera

from streamer.onvif.discovery import at_host, device_of, discover, probe_message
from streamer.onvif.errors import OnvifAnswerError
from streamer.onvif.xml import parse

LOOPBACK = ("127.0.0.1",)


def test_a_camera_is_found_once_at_the_address_that_answers():
    with OnvifCamera() as camera:
        found = discover(wait_s=1.0, target=camera.discovery, interfaces=LOOPBACK)
    assert [(device.host, device.service) for device in found] == [("127.0.0.1", camera.service)]
    assert str(found[0]) == "127.0.0.1  North gate DS-2CD"


def test_what_comes_in_the_meantime_harms_nothing():
    """Somebody who answers with rubbish, with answers to others' questions and without an end."""
    answers = [
        b"",
        b"\xff\xfe<",
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>" * 20_000,
        answer("http://10.0.0.1/", about="urn:uuid:somebody-else's"),
    ]
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
        noisy.bind((*LOOPBACK, 0))
        noisy.settimeout(0.1)

        def talk() -> None:
            asker = None
            while not stop.is_set():
                try:
                    asker = noisy.recvfrom(65_536)[1]
                except TimeoutError:
                    continue
                for number in range(3000):
                    noisy.sendto(answers[number % len(answers)][:60_000], asker)

        thread = threading.Thread(target=talk)
        thread.start()
        began = time.monotonic()
        found = discover(wait_s=1.0, target=noisy.getsockname(), interfaces=LOOPBACK)
        took = time.monotonic() - began
        stop.set()
        thread.join(30)
    assert found == []
    # it does not go on for as long as somebody talks
    assert took < 30


def test_the_question_is_soap_with_its_own_number():
    root = parse(probe_message("urn:uuid:1", "tds:Device"))
    assert [element.tag.partition("}")[2] for element in root.iter()] == [
        *("Envelope", "Header", "Action", "MessageID", "ReplyTo", "Address", "To", "Body", "Probe", "Types")
    ]


MATCH = (
    "<d:ProbeMatches><d:ProbeMatch><d:Scopes>{scopes}</d:Scopes><d:XAddrs>{addresses}</d:XAddrs></d:ProbeMatch>"
    "</d:ProbeMatches>"
)


def answer(addresses: str, scopes: str = "", about: str = "urn:uuid:1") -> bytes:
    header = f"<a:RelatesTo>{about}</a:RelatesTo>"
    return ENVELOPE.format(header=header, body=MATCH.format(addresses=addresses, scopes=scopes)).encode()


@pytest.mark.parametrize(
    ("addresses", "service"),
    [
        ("http://10.0.0.9/onvif/device_service", "http://10.0.0.9/onvif/device_service"),
        ("http://10.0.0.9:8080/x http://169.254.1.1/y", "http://10.0.0.9:8080/x"),
        ("https://10.0.0.9/s http://10.0.0.9/p", "http://10.0.0.9/p"),
        # nobody speaks for others: their addresses are taken for places at the one that answers
        ("http://10.0.0.1/onvif/device_service", "http://10.0.0.9/onvif/device_service"),
        ("http://bank.example/transfer?to=me", "http://10.0.0.9/transfer"),
        ("http://[fe80::1]/onvif/device_service", "http://10.0.0.9/onvif/device_service"),
        ("file:///etc/passwd gopher://10.0.0.9/", None),
        ("http://10.0.0.9:99999/", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_service_is_at_the_address_that_answered(addresses, service):
    found = device_of(answer(addresses), "10.0.0.9", {"urn:uuid:1"})
    assert (found.service if found else None) == service


def test_names_are_for_people():
    scopes = "onvif://www.onvif.org/name/Gate%1b%5b31m%0A2 onvif://www.onvif.org/hardware/" + "x" * 500
    found = device_of(answer("http://10.0.0.9/", scopes), "10.0.0.9", {"urn:uuid:1"})
    assert found.name == "Gate?[31m?2"
    assert len(found.hardware) == 64


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_or_no_device(data):
    with suppress(OnvifAnswerError):
        assert device_of(data, "10.0.0.9", {"urn:uuid:1"}) is None


@given(addresses=st.text(max_size=80), scopes=st.text(max_size=80), host=st.sampled_from(["10.0.0.9", "::1"]))
def test_any_text_in_an_answer_leads_nowhere_else(addresses, scopes, host):
    data = answer(addresses, scopes)
    try:
        found = device_of(data, host, {"urn:uuid:1"})
    except OnvifAnswerError:
        return
    if found is not None:
        shown = f"[{host}]" if ":" in host else host
        assert found.service.partition("://")[2].startswith(shown)
        assert str(found).isprintable()


@given(st.text(max_size=200))
def test_no_address_becomes_one_elsewhere(url):
    service = at_host(url, "10.0.0.9")
    if service is not None:
        assert service.partition("://")[2].partition("/")[0].partition(":")[0] == "10.0.0.9"
        assert service.isprintable()
