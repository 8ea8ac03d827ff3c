"""XML of strangers: bounded, without entities, document types and processing of either."""

from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from models.printable import printable
from streamer.onvif.errors import OnvifAnswerError

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
DISCOVERY: Final = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
NETWORK: Final = "http://www.onvif.org/ver10/network/wsdl"
SCHEMA: Final = "http://www.onvif.org/ver10/schema"
#: OASIS, Web Services Security: SOAP Message Security 1.0 and UsernameToken Profile 1.0.
SECURITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
UTILITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
TOKEN_PROFILE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"  # noqa: S105

_MOST_ELEMENTS: Final = 20_000
_LONGEST_TEXT: Final = 8192


def parse(data: bytes) -> Element:
    """The root element. Raises ``OnvifAnswerError`` for what is no XML, declares a document type, or has too much."""
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        # its message may quote what came
        raise OnvifAnswerError(f"the answer is no XML that can be used ({type(error).__name__})") from None
    for number, _element in enumerate(root.iter()):
        if number >= _MOST_ELEMENTS:
            raise OnvifAnswerError("the answer has more elements than any device sends")
    return root


def texts(root: Element, *path: tuple[str, str]) -> Iterator[str]:
    """The texts of all elements at ``path`` (namespace, name) anywhere below ``root``, stripped, printable, bounded."""
    for element in elements(root, *path):
        if text := short(element.text):
            yield text


def elements(root: Element, *path: tuple[str, str]) -> Iterator[Element]:
    """The elements at ``path`` anywhere below ``root``, in their order."""
    steps = "/".join(f"{{{namespace}}}{name}" for namespace, name in path)
    yield from root.iterfind(f".//{steps}")


def first(root: Element, *path: tuple[str, str]) -> str:
    """The first of ``texts``, or an empty one."""
    return next(texts(root, *path), "")


def short(text: str | None) -> str:
    """Text of a stranger's, for people: one line, bounded."""
    return printable(" ".join((text or "")[: 4 * _LONGEST_TEXT].split()))[:_LONGEST_TEXT]
