"""One request while it is being answered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from secrets import token_hex

from starlette.types import Message, Receive, Scope

from serving.doors.problem import RequestRefused

JSON = "application/json"
NDJSON = "application/x-ndjson"
COMPRESSIONS = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"})
"""What a client may mean by ``content-encoding``; some write the text's encoding there."""
BRIEF_JSON = "application/vnd.cart-risk.brief+json"


@dataclass(slots=True)
class Visit:
    """A request, its caller, and the id under which it stands in every log line."""

    scope: Scope
    receive: Receive
    caller: str = ""
    """The id of the key or the hashed subject of the token."""
    parameter: str = ""
    """What stood in the place of the name in the path."""
    request_id: str = field(default_factory=lambda: token_hex(16), init=False)
    """Made here, never taken from the caller: it stands in logs."""
    headers: dict[bytes, bytes] = field(init=False)
    """By their names in small letters; of several the last."""
    body_awaited: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Sort the headers by name."""
        self.headers = dict(self.scope["headers"])

    def header(self, name: bytes) -> str:
        """Return a header as text, empty where it was not sent."""
        return self.headers.get(name, b"").decode("latin-1")

    def only(self, name: bytes) -> str:
        """Return a header as :meth:`header` does, of one that may stand there once.

        Raises
        ------
        RequestRefused
            400, if it stands there more often: a proxy in front may have looked at another one.
        """
        repeated = len(self.headers) < len(self.scope["headers"])
        if repeated and sum(one == name for one, _ in self.scope["headers"]) > 1:
            detail = f"send one header {name.decode()}"
            raise RequestRefused(HTTPStatus.BAD_REQUEST, detail)
        return self.header(name)

    def media_type(self, accepted: tuple[str, ...]) -> str:
        """Return the media type of the body; without a header, the first that is accepted.

        Raises
        ------
        RequestRefused
            415, if the type is not accepted, its text is not UTF-8 or it is compressed.
        """
        if COMPRESSIONS & self._content_codings():
            raise RequestRefused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "send the body as it is, not compressed",
                headers={"accept-encoding": "identity"},
            )
        sent = self.header(b"content-type")
        if not sent:
            return accepted[0]
        media_type, *parameters = (part.strip().lower() for part in sent.split(";"))
        charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
        if media_type not in accepted or set(charsets) - {"utf-8", "utf8"}:
            raise unsupported(accepted)
        return media_type

    def _content_codings(self) -> set[str]:
        codings = self.header(b"content-encoding").lower().split(",")
        return {coding.strip() for coding in codings}

    async def body(self, most_bytes: int) -> bytes:
        """Return the body, or stop reading once it is too large.

        Raises
        ------
        RequestRefused
            413, before anything is read if the announced length is already too large.
        """
        announced = self.header(b"content-length")
        if announced.isdecimal() and int(announced[:20]) > most_bytes:
            raise too_large("body", most_bytes)
        received = bytearray()
        async for chunk in self.chunks():
            received += chunk
            if len(received) > most_bytes:
                raise too_large("body", most_bytes)
        return bytes(received)

    async def chunks(self, idle_seconds: float | None = None) -> AsyncIterator[bytes]:
        """Yield the body as it arrives.

        Raises
        ------
        RequestRefused
            408, if nothing arrives for ``idle_seconds``; 400, if the caller leaves.
        """
        more = True
        self.body_awaited = True
        while more:
            message = await self._next(idle_seconds)
            if message["type"] == "http.disconnect":
                raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body broke off")
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk
        self.body_awaited = False

    @asynccontextmanager
    async def heard_of(self) -> AsyncIterator[Callable[[], None]]:
        """Listen, once the body was read, whether the caller is still there.

        What is yielded raises RequestRefused once the caller has left: nobody would read the rest.
        """
        heard = asyncio.ensure_future(self.receive())

        def expect_caller() -> None:
            if heard.done() and heard.result()["type"] == "http.disconnect":
                raise RequestRefused(HTTPStatus.BAD_REQUEST, "the caller left")

        try:
            yield expect_caller
        finally:
            heard.cancel()

    async def _next(self, idle_seconds: float | None) -> Message:
        if idle_seconds is None:
            return await self.receive()
        try:
            async with asyncio.timeout(idle_seconds):
                return await self.receive()
        except TimeoutError:
            raise too_slow() from None


def unsupported(accepted: tuple[str, ...]) -> RequestRefused:
    """Return the refusal of a body in another media type, or not in UTF-8."""
    detail = f"send the body as {' or '.join(accepted)}, in UTF-8"
    return RequestRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)


def too_slow() -> RequestRefused:
    """Return the refusal of a body that does not arrive."""
    detail = "the body did not arrive in time"
    return RequestRefused(HTTPStatus.REQUEST_TIMEOUT, detail, headers={"connection": "close"})


def too_large(what: str, most_bytes: int) -> RequestRefused:
    """Return the refusal of a body or a line above its limit."""
    detail = f"the {what} may have at most {most_bytes} bytes"
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
