"""An answer as JSON, and an answer of unknown length that is sent while it is made."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.doors.visit import JSON

IDLE_SECONDS = 30.0
"""A caller who takes nothing for so long is left."""


def json_answer(data: object, media_type: str = JSON) -> Response:
    """Return data as JSON, or as a media type that is JSON."""
    return Response(orjson.dumps(data), media_type=media_type)


class StreamedAnswer(Response):
    """Sends each chunk as it is made; nothing is gathered in memory."""

    def __init__(
        self, chunks: AsyncGenerator[bytes, None], media_type: str, ended: Callable[[], None]
    ) -> None:
        """Announce the chunks, not their length; ``ended`` hears when the answer is over."""
        super().__init__(media_type=media_type)
        self.raw_headers = [(n, v) for n, v in self.raw_headers if n != b"content-length"]
        self._chunks = chunks
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head at once, then every chunk."""
        try:
            head = {"type": "http.response.start", "status": self.status_code}
            await send(head | {"headers": self.raw_headers})
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    async with asyncio.timeout(IDLE_SECONDS):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._ended()
