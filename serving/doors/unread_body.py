"""A body that the HTTP parser does not read, because its head asks for another protocol.

httptools takes whatever follows such a head for the other protocol (``Upgrade``, RFC 9110 section
7.8). None is spoken here, so the body would be lost, and what of it arrives later be taken for a
request of its own, which behind a shared proxy would be answered in the place of somebody else's.
Java's HttpClient and ``curl --http2`` ask so of every address without TLS.
"""

from http import HTTPStatus

from serving.doors.problem import RequestRefused
from serving.doors.visit import Visit


def refuse_unread_body(visit: Visit) -> None:
    """Let a request pass whose body, if it has one, can be read.

    Raises
    ------
    RequestRefused
        400, and the connection ends: what follows on it cannot be told apart.
    """
    sent = visit.headers
    has_body = b"transfer-encoding" in sent or sent.get(b"content-length", b"0") != b"0"
    # Of several headers ``connection`` any would count, so none of them is looked at.
    if b"upgrade" in sent and has_body:
        raise not_read()


def not_read() -> RequestRefused:
    """Return the refusal that ends the connection."""
    detail = "send a body without the header upgrade, as plain HTTP/1.1: it was not read"
    return RequestRefused(HTTPStatus.BAD_REQUEST, detail, headers={"connection": "close"})
