"""A WebSocket handshake, answered as the GET that it is.

An upgrade that a server does not take up is a request as any (RFC 9110 section 7.8): it gets the
same answer with the same headers, is counted and stands in the log. BentoML's own refusal has none
of this.
"""

from starlette.types import Message, Receive, Scope, Send


def as_plain_request(scope: Scope, send: Send) -> tuple[Scope, Receive, Send]:
    """Return scope, receive and send of a GET without a body, from those of a handshake.

    The server must know ``websocket.http.response`` of ASGI, as uvicorn does.
    """

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def answer(message: Message) -> None:
        told = {**message, "type": f"websocket.{message['type']}"}
        if message["type"] == "http.response.start":
            told["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(told)

    return {**scope, "type": "http", "method": "GET"}, receive, answer
