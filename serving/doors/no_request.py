"""What arrives and is no request: refused in the dialect of everything else.

The parser fails before there is a request that the gate could answer: at a method that it does not
know, at lengths of a body that contradict each other, at a head without end. uvicorn would answer
in plain text, without the headers of every other answer.
"""

import logging
from http import HTTPStatus
from secrets import token_hex
from typing import Any

from serving.doors.fhir_dialect import refused
from serving.doors.gate import NOWHERE, SECURITY_HEADERS
from serving.doors.metrics import REQUESTS
from serving.doors.problem import RequestRefused

_METHOD = "other"
_log = logging.getLogger("cart_risk.requests")


def not_http() -> RequestRefused:
    """Return the refusal of what cannot be read as a request."""
    detail = (
        "not a request of HTTP/1.1 that can be read in one way: look at its method, its address, "
        "and that one header says how long its body is"
    )
    return RequestRefused(HTTPStatus.BAD_REQUEST, detail)


def head_too_large(most_bytes: int) -> RequestRefused:
    """Return the refusal of a head above its limit."""
    detail = f"the head of a request may have at most {most_bytes} bytes"
    return RequestRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)


def refuse(protocol: Any, refusal: RequestRefused) -> None:
    """Answer on a connection of uvicorn's, if somebody waits for an answer there, and end it."""
    if _waits_for_an_answer(protocol):
        protocol.transport.write(_answer(protocol, refusal))
    protocol.transport.close()


def _waits_for_an_answer(protocol: Any) -> bool:
    """Tell whether the next thing to be written would be the answer to what cannot be read.

    It would stand in an answer that is being sent, or be taken for that of an earlier request.
    """
    cycle = protocol.cycle
    if cycle is None:
        return True
    return not cycle.response_started if protocol.in_body else bool(cycle.response_complete)


def _answer(protocol: Any, refusal: RequestRefused) -> bytes:
    request_id = token_hex(16)
    response = refused(refusal, protocol.url.decode("latin-1").partition("?")[0])
    response.headers.update(SECURITY_HEADERS)
    response.headers.update({"x-request-id": request_id, "connection": "close"})
    _tell(response.status_code, request_id)
    headers = [*protocol.server_state.default_headers, *response.raw_headers]
    lines = [
        f"HTTP/1.1 {response.status_code} {refusal.status.phrase}".encode(),
        *[name + b": " + value for name, value in headers],
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body)


def _tell(status: int, request_id: str) -> None:
    """Count it, and write its line; how long it took nobody knows, for it never began."""
    REQUESTS.labels(NOWHERE, _METHOD, status).inc()
    told = {"route": NOWHERE, "method": _METHOD, "status": status, "request_id": request_id}
    _log.info("answered", extra=told)
