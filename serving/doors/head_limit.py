"""A limit on the head of a request, which uvicorn sets only for its slower parser.

With httptools uvicorn keeps a head of any length in memory while it arrives, and the trailers of a
chunked body, which are read like a head, even of a request that was refused. BentoML starts uvicorn
itself and passes no protocol on, so the limit is put into the protocol's class. This is the one
place that changes a library; ``tests/serving/doors/test_head_limit.py`` notices a uvicorn that has
a limit of its own.
"""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 64 * 1024
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"


def limit_heads(protocol: Any = HttpToolsProtocol) -> None:
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
            if not getattr(self, "in_body", False):
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    protocol.data_received = data_received


def _reached(callback: Callable[..., None], *, in_body: bool) -> Callable[..., None]:
    """Return a callback of the parser that also begins to count anew.

    What arrives while none of them is called belongs to a head or to trailers.
    """

    def reached(self: Any, *given: bytes) -> None:
        self.head_bytes, self.in_body = 0, in_body
        callback(self, *given)

    return reached
