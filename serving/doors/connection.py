"""What a connection may do to the service that uvicorn does not limit with its fast parser.

With httptools uvicorn keeps a head of any length in memory while it arrives, and the trailers of a
chunked body, which it reads like a head and puts among the request's headers; and it keeps what it
wrote to somebody who takes nothing, for as long as that connection lasts. BentoML starts uvicorn
itself and passes no protocol on, so the limits are put into the protocol's class.
``tests/serving/doors/test_connection.py`` notices a uvicorn that has limits of its own.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.doors.no_request import head_too_large, not_http, refuse

MOST_HEAD_BYTES = 64 * 1024
MOST_UNTAKEN_BYTES = 16 * 1024
UNTAKEN_SECONDS = 30.0
"""Who leaves more than ``MOST_UNTAKEN_BYTES`` of what was written for so long is left."""


def limit_connections(protocol: Any = HttpToolsProtocol) -> None:
    """Put every limit, and the one dialect of refusals, into a protocol's class."""
    _speak_one_dialect(protocol)
    _take_up_no_upgrade(protocol)
    _limit_heads(protocol)
    _forget_trailers(protocol)
    _leave_who_takes_nothing(protocol)


def _speak_one_dialect(protocol: Any) -> None:
    """Refuse what the parser cannot read as everything else is refused."""

    def send_400_response(self: Any, _words: str) -> None:
        refuse(self, not_http())

    protocol.send_400_response = send_400_response
    # Of a connection on which nothing began that the parser knows.
    protocol.in_body, protocol.url = False, b""


def _take_up_no_upgrade(protocol: Any) -> None:
    """Let what asks for another protocol be a request as any (RFC 9110, 7.8).

    uvicorn hands a handshake to its library for WebSockets, which refuses some of them by itself:
    without a header of ours, uncounted and in no log.
    """
    protocol._should_upgrade_to_ws = lambda _: False
    # What the gate writes of the request is enough; this would advise to install the library.
    protocol._unsupported_upgrade_warning = lambda _: None


def _limit_heads(protocol: Any) -> None:
    """Let connections end whose head, or trailers, are longer than ``MOST_HEAD_BYTES``.

    What arrives together, at most 256 KB, is read before its length is looked at.
    """
    protocol.on_message_begin = _reached(protocol.on_message_begin, in_body=False)
    protocol.on_headers_complete = _reached(protocol.on_headers_complete, in_body=True)
    protocol.on_body = _reached(protocol.on_body, in_body=True)
    protocol.on_message_complete = _reached(protocol.on_message_complete, in_body=False)
    received = protocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        self.head_bytes = getattr(self, "head_bytes", 0) + len(data)
        received(self, data)
        if self.head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            # In a body, whose request may have been answered, nobody waits for another answer.
            if self.in_body:
                self.transport.close()
            else:
                refuse(self, head_too_large(MOST_HEAD_BYTES))

    protocol.data_received = data_received


def _reached(callback: Callable[..., None], *, in_body: bool) -> Callable[..., None]:
    """Return a callback of the parser that also begins to count anew.

    What arrives while none of them is called belongs to a head or to trailers. A head that the
    callback itself cannot read, as that of CONNECT, has no body.
    """

    def reached(self: Any, *given: bytes) -> None:
        callback(self, *given)
        self.head_bytes, self.in_body = 0, in_body

    return reached


def _forget_trailers(protocol: Any) -> None:
    """Let no trailer be a header: a proxy in front looked at the head alone (RFC 9110, 6.5.1)."""
    on_header = protocol.on_header

    def on_header_of_a_head(self: Any, name: bytes, value: bytes) -> None:
        if not self.in_body:
            on_header(self, name, value)

    protocol.on_header = on_header_of_a_head


def _leave_who_takes_nothing(protocol: Any) -> None:
    """Let connections end whose answers are not taken for ``UNTAKEN_SECONDS``.

    What the system keeps for the other side does not count. To close such a connection would wait
    for the other side again, so it is cut off.
    """
    connected, lost = protocol.connection_made, protocol.connection_lost
    paused, resumed = protocol.pause_writing, protocol.resume_writing

    def connection_made(self: Any, transport: Any) -> None:
        self.untaken = None
        connected(self, transport)
        transport.set_write_buffer_limits(MOST_UNTAKEN_BYTES)

    def pause_writing(self: Any) -> None:
        loop = asyncio.get_running_loop()
        self.untaken = loop.call_later(UNTAKEN_SECONDS, self.transport.abort)
        paused(self)

    def taken(callback: Callable[..., None]) -> Callable[..., None]:
        def done(self: Any, *given: Any) -> None:
            if self.untaken is not None:
                self.untaken.cancel()
                self.untaken = None
            callback(self, *given)

        return done

    protocol.connection_made, protocol.pause_writing = connection_made, pause_writing
    protocol.connection_lost, protocol.resume_writing = taken(lost), taken(resumed)
