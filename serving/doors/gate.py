"""What holds for every request, whatever it asks.

The gate stands in front of everything else, also of BentoML's own routes: so there is one dialect
of refusals, one set of security headers, and no status that was not decided here.
"""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from traceback import extract_tb

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.doors.door import Door, Doors
from serving.doors.fhir_dialect import refused
from serving.doors.guard import Guard
from serving.doors.logs import RequestLines
from serving.doors.metrics import count_answer
from serving.doors.problem import RequestRefused
from serving.doors.unread_body import refuse_unread_body
from serving.doors.visit import Visit, too_slow

DEADLINE_SECONDS = 4.0
MOST_IN_FLIGHT = 512
NOWHERE = "(unknown)"
ROUTE = "cart_risk.route"
"""Where the route's template stands in a request's ASGI scope once its door is found."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "strict-transport-security": "max-age=31536000",
}
_RAW_SECURITY_HEADERS = [(n.encode(), v.encode()) for n, v in SECURITY_HEADERS.items()]
_log = logging.getLogger("cart_risk.requests")


class Gate:
    """An ASGI application: finds the door, asks the guard, keeps time, and tells what happened."""

    def __init__(
        self,
        doors: Doors,
        guard: Guard,
        deadline_seconds: float = DEADLINE_SECONDS,
        most_in_flight: int = MOST_IN_FLIGHT,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Stand before the doors."""
        self._doors = doors
        self._guard = guard
        self._deadline_seconds = deadline_seconds
        self._most_in_flight = most_in_flight
        self._in_flight = 0
        self._clock = clock
        self._lines = RequestLines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = self._clock()
        visit = Visit(scope, receive)
        route = NOWHERE
        self._in_flight += 1
        try:
            try:
                refuse_unread_body(visit)
                door, visit.parameter = self._doors.find(scope["method"], scope["path"])
                route = scope[ROUTE] = door.path
                response = await self._answer(door, visit)
            except RequestRefused as refusal:
                response = refused(refusal, scope["path"])
            except Exception as error:
                response = _failure(error, visit)
            response.raw_headers += _RAW_SECURITY_HEADERS
            response.raw_headers.append((b"x-request-id", visit.request_id.encode()))
            await response(scope, receive, send)
        finally:
            self._in_flight -= 1
        method = scope["method"] if scope["method"] in METHODS else "other"
        seconds = self._clock() - started
        count_answer(route, method, response.status_code, seconds)
        self._lines.add(
            {
                "route": route,
                "method": method,
                "status": response.status_code,
                "milliseconds": round(1000 * seconds, 3),
                "request_id": visit.request_id,
                "caller": visit.caller,
            }
        )

    async def _answer(self, door: Door, visit: Visit) -> Response:
        if door.scope is not None:
            authorization = visit.only(b"authorization")
            visit.caller = self._guard.let_pass(authorization, door.scope).id
            if self._in_flight > self._most_in_flight:
                raise busy("too many requests at a time")
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await door.handler(visit)
        except TimeoutError:
            if visit.body_awaited:
                raise too_slow() from None
            detail = f"no answer within {self._deadline_seconds:g} s"
            raise RequestRefused(HTTPStatus.GATEWAY_TIMEOUT, detail) from None


def busy(detail: str, retry_after: int = 1) -> RequestRefused:
    """Return the refusal of a service that will be able to answer soon."""
    headers = {"retry-after": str(retry_after)}
    return RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers)


def _failure(error: Exception, visit: Visit) -> Response:
    """Answer a fault of our own; the log names its kind and place, and no value."""
    place = extract_tb(error.__traceback__)[-1]
    _log.error(
        "failed",
        extra={
            "request_id": visit.request_id,
            "error": type(error).__name__,
            "at": f"{place.filename.rpartition('/')[2]}:{place.lineno}",
        },
    )
    detail = "the service failed; its log names the place under this request's id"
    refusal = RequestRefused(HTTPStatus.INTERNAL_SERVER_ERROR, detail)
    return refused(refusal, visit.scope["path"])
