"""What holds for every request, whatever it asks.

The gate stands in front of everything else, also of BentoML's own routes: so there is one dialect
of refusals, one set of security headers, and no status that was not decided here.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
"""Requests that are answered at a time; one that is being sent, or has no key, takes no place."""
MOST_OF_A_CALLER = 128
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
        most_of_a_caller: int = MOST_OF_A_CALLER,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Stand before the doors."""
        self._doors = doors
        self._guard = guard
        self._deadline_seconds = deadline_seconds
        self._most_in_flight = most_in_flight
        self._most_of_a_caller = most_of_a_caller
        self._in_flight: Counter[str] = Counter()
        self._clock = clock
        self._lines = RequestLines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = self._clock()
        visit = Visit(scope, receive)
        route = NOWHERE
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
        told = "broken off"
        try:
            await response(scope, receive, send)
            told = "answered"
        except RequestRefused:
            # A caller who left, or sent no more, while answers to a batch were being sent: what
            # is not complete when this returns, uvicorn ends with its connection.
            pass
        finally:
            self._tell(told, route, visit, response.status_code, self._clock() - started)

    def _tell(self, told: str, route: str, visit: Visit, status: int, seconds: float) -> None:
        sent = visit.scope["method"]
        method = sent if sent in METHODS else "other"
        count_answer(route, method, status, seconds)
        self._lines.add(
            {
                "message": told,
                "route": route,
                "method": method,
                "status": status,
                "milliseconds": round(1000 * seconds, 3),
                "request_id": visit.request_id,
                "caller": visit.caller,
            }
        )

    async def _answer(self, door: Door, visit: Visit) -> Response:
        if door.scope is None:
            return await self._in_time(door, visit)
        authorization = visit.only(b"authorization")
        visit.caller = self._guard.let_pass(authorization, door.scope).id
        with self._place(visit.caller):
            return await self._in_time(door, visit)

    @contextmanager
    def _place(self, caller: str) -> Iterator[None]:
        """Take a place among those who are answered, of which a caller has only some."""
        if self._in_flight[caller] >= self._most_of_a_caller:
            detail = f"{self._most_of_a_caller} requests of this key or token are being answered"
            retry = {"retry-after": "1"}
            raise RequestRefused(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=retry)
        if self._in_flight.total() >= self._most_in_flight:
            raise busy("too many requests at a time")
        self._in_flight[caller] += 1
        try:
            yield
        finally:
            self._in_flight[caller] -= 1
            if not self._in_flight[caller]:
                del self._in_flight[caller]

    async def _in_time(self, door: Door, visit: Visit) -> Response:
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await door.handler(visit)
        except TimeoutError:
            if visit.body_awaited:
                raise too_slow() from None
            raise too_late(self._deadline_seconds) from None


def busy(detail: str, retry_after: int = 1) -> RequestRefused:
    """Return the refusal of a service that will be able to answer soon."""
    headers = {"retry-after": str(retry_after)}
    return RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=headers)


def too_late(seconds: float) -> RequestRefused:
    """Return the refusal of a request that could not be answered in time."""
    return RequestRefused(HTTPStatus.GATEWAY_TIMEOUT, f"no answer within {seconds:g} s")


def failed() -> RequestRefused:
    """Return the refusal of a request at which the service itself failed."""
    detail = "the service failed; its log names the place under this request's id"
    return RequestRefused(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


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
    return refused(failed(), visit.scope["path"])
