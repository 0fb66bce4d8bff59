"""A limit on the head of a request, which uvicorn sets only for its slower parser.

With httptools uvicorn keeps a head of any length in memory while it arrives. BentoML starts uvicorn
itself and passes no protocol on, so the limit is put into the protocol's class. This is the one
place that changes a library; ``tests/serving/doors/test_head_limit.py`` notices a uvicorn that has
a limit of its own.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"


def limit_heads(protocol: Any = HttpToolsProtocol) -> None:
    """Let connections end whose head is longer than ``MOST_HEAD_BYTES``."""
    begin, complete, received = (
        protocol.on_message_begin,
        protocol.on_headers_complete,
        protocol.data_received,
    )

    def on_message_begin(self: Any) -> None:
        self.head_bytes = 0
        begin(self)

    def on_headers_complete(self: Any) -> None:
        self.head_bytes = None
        complete(self)

    def data_received(self: Any, data: bytes) -> None:
        received(self, data)
        # Nothing but a head is awaited before the first byte and from one message to the next.
        if getattr(self, "head_bytes", 0) is not None:
            self.head_bytes = getattr(self, "head_bytes", 0) + len(data)
            if self.head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    protocol.on_message_begin = on_message_begin
    protocol.on_headers_complete = on_headers_complete
    protocol.data_received = data_received
