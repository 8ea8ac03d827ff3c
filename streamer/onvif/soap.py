"""One question to a device's web service: SOAP 1.2 over HTTP, logged in by WS-UsernameToken, or by HTTP Digest where
the device wants that (ONVIF Core Specification, 5.9).

Neither sends the password itself. No proxy is asked, no redirect followed, and a refusal not tried again: devices lock
accounts.
"""

import base64
import hashlib
import http.client
import re
import secrets
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from streamer.onvif.errors import OnvifAnswerError, OnvifError, OnvifRefusedError
from streamer.onvif.xml import DEVICE, MEDIA, SCHEMA, SECURITY, SOAP, TOKEN_PROFILE, UTILITY, first, parse

#: Longer answers are none: a recorder with sixty profiles sends some 200 kB.
_LARGEST_ANSWER: Final = 2_000_000
_SILENCE_S: Final = 5.0
_DIGEST_PART: Final = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_NEXT_CHALLENGE: Final = re.compile(r",\s*(?=(?:basic|digest)\s)", re.I)
_HASHES: Final = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_NOT_AUTHORISED: Final = re.compile(
    r"NotAuthorized|FailedAuthentication|Sender not Authorized|not authori[sz]ed", re.I
)


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks. ``clock_ahead_s``: how far the device's clock is ahead of ours, for its token is good for moments."""

    user: str = ""
    password: str = field(default="", repr=False)
    clock_ahead_s: float = 0.0


def ask(service: str, body: str, login: Login, *, until_s: float) -> Element:
    """The answer's root; ``body`` is the content of the SOAP body, with the prefixes ``tds``, ``trt`` and ``tt``.

    ``until_s`` is the monotonic time by which it must be there. Raises ``OnvifError``.
    """
    envelope = _envelope(body, login).encode()
    status, challenges, data = _post(service, envelope, {}, until_s)
    if status == 401 and login.user:
        path = urlsplit(service).path or "/"
        answers = (_digest_answer(challenge, path, login) for challenge in challenges)
        answer = next((answer for answer in answers if answer is not None), None)
        if answer is not None:
            status, _, data = _post(service, envelope, {"Authorization": answer}, until_s)
    if status in {401, 403}:
        raise _refused(login)
    if status // 100 == 3:
        raise OnvifAnswerError(f"it answers with a redirect ({status})")
    try:
        root = parse(data)
    except OnvifAnswerError:
        if status != 200:
            raise OnvifAnswerError(f"it answers with HTTP status {status}") from None
        raise
    _check_fault(root, login)
    return root


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Base64 of SHA-1 over nonce, time and password: OASIS, UsernameToken Profile 1.0, 3.1."""
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()  # noqa: S324


def _envelope(body: str, login: Login) -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}" xmlns:tds="{DEVICE}"'
        f' xmlns:trt="{MEDIA}" xmlns:tt="{SCHEMA}"><s:Header>{_token(login) if login.user else ""}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )


def _token(login: Login) -> str:
    nonce = secrets.token_bytes(16)
    now = datetime.now(UTC) + timedelta(seconds=login.clock_ahead_s)
    created = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    return (
        f'<wsse:Security s:mustUnderstand="1" xmlns:wsse="{SECURITY}" xmlns:wsu="{UTILITY}"><wsse:UsernameToken>'
        f"<wsse:Username>{escape(login.user)}</wsse:Username>"
        f'<wsse:Password Type="{TOKEN_PROFILE}#PasswordDigest">{password_digest(nonce, created, login.password)}'
        f"</wsse:Password><wsse:Nonce>{base64.b64encode(nonce).decode()}</wsse:Nonce>"
        f"<wsu:Created>{created}</wsu:Created></wsse:UsernameToken></wsse:Security>"
    )


def _post(service: str, data: bytes, headers: dict[str, str], until_s: float) -> tuple[int, list[str], bytes]:
    """Status, challenges to log in (a device may send several, in headers of their own or in one), body."""
    parts = urlsplit(service)
    silence_s = min(_SILENCE_S, max(0.1, until_s - time.monotonic()))
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=silence_s)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=silence_s)
    )
    try:
        kind = {"Content-Type": "application/soap+xml; charset=utf-8", "Connection": "close"}
        connection.request("POST", parts.path or "/", data, {**kind, **headers})
        # an answer that is given up keeps its socket, whatever becomes of the connection
        with connection.getresponse() as response:
            return response.status, _challenges(response), _read(response, until_s)
    except TimeoutError:
        raise OnvifError(f"no answer within {silence_s:.0f} s") from None
    except ssl.SSLCertVerificationError as error:
        raise OnvifError(f"its certificate is not trusted: {error.verify_message}") from None
    except ConnectionRefusedError:
        raise OnvifError("nothing listens there") from None
    except OSError as error:
        raise OnvifError((error.strerror or type(error).__name__).lower()) from None
    except (http.client.HTTPException, ValueError) as error:
        raise OnvifAnswerError(f"the answer is no HTTP that can be used ({type(error).__name__})") from None
    finally:
        connection.close()


def _challenges(response: http.client.HTTPResponse) -> list[str]:
    headers = response.headers.get_all("www-authenticate", [])
    return [challenge for header in headers for challenge in _NEXT_CHALLENGE.split(header)]


def _read(response: http.client.HTTPResponse, until_s: float) -> bytes:
    data = b""
    while piece := response.read1(65_536):
        data += piece
        if len(data) > _LARGEST_ANSWER:
            raise OnvifAnswerError("the answer is longer than any device's")
        if time.monotonic() > until_s:
            raise OnvifError("the answer takes too long")
    return data


def _check_fault(root: Element, login: Login) -> None:
    if root.find(f".//{{{SOAP}}}Fault") is None:
        return
    codes = " ".join(element.text or "" for element in root.iter(f"{{{SOAP}}}Value"))
    reason = first(root, (SOAP, "Reason"), (SOAP, "Text"))
    if _NOT_AUTHORISED.search(codes) or _NOT_AUTHORISED.search(reason):
        raise _refused(login)
    raise OnvifAnswerError(f"it refuses: {reason[:200] or 'it does not say why'}")


def _refused(login: Login) -> OnvifRefusedError:
    if login.user:
        return OnvifRefusedError("it refuses the user or password")
    return OnvifRefusedError("it asks for a user and password")


def _digest_answer(challenge: str, path: str, login: Login) -> str | None:
    """What answers a challenge of HTTP Digest (RFC 7616, with and without ``auth``); None: it is another."""
    scheme, _, rest = challenge.partition(" ")
    given = {name.lower(): quoted or bare for name, quoted, bare in _DIGEST_PART.findall(rest[:4096])}
    algorithm = given.get("algorithm", "MD5").upper()
    hashed = _HASHES.get(algorithm)
    if scheme.lower() != "digest" or hashed is None or "nonce" not in given:
        return None
    quality = "auth" if "auth" in re.split(r"[\s,]+", given.get("qop", "")) else ""
    if given.get("qop") and not quality:
        return None

    def digest(*parts: str) -> str:
        return hashed(":".join(parts).encode()).hexdigest()

    realm, nonce, client_nonce, count = (
        given.get("realm", ""),
        given["nonce"],
        secrets.token_hex(8),
        "00000001",
    )
    secret, asked = digest(login.user, realm, login.password), digest("POST", path)
    middle = (nonce, count, client_nonce, quality) if quality else (nonce,)
    answer = {
        "username": _quoted(login.user),
        "realm": f'"{realm}"',
        "nonce": f'"{nonce}"',
        "uri": f'"{path}"',
        "response": f'"{digest(secret, *middle, asked)}"',
        "algorithm": algorithm,
    }
    if quality:
        answer |= {"qop": quality, "nc": count, "cnonce": f'"{client_nonce}"'}
    if "opaque" in given:
        answer["opaque"] = f'"{given["opaque"]}"'
    text = "Digest " + ", ".join(f"{name}={value}" for name, value in answer.items())
    return text if text.isprintable() else None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
