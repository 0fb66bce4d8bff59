"""Standard output for which nobody waits.

Whoever reads the lines of the service may stop reading: a pager, a collector whose disk is full. A
pipe holds 64 KB; written to as usual, it would stop every worker some hundred answers later. Here
lines wait for their reader in memory, up to a limit; what does not fit there is counted and told of
once somebody reads again.
"""

import io
import os
import select
import threading
from datetime import UTC, datetime

import orjson

MOST_WAITING_BYTES = 1024 * 1024
_AT_ONCE_BYTES = select.PIPE_BUF
"""A pipe that takes anything takes so much without waiting, and writes it in one piece (POSIX)."""


class StandardOutput(io.TextIOBase):
    """A text stream that takes whole lines and never waits; any thread may write."""

    def __init__(self, descriptor: int) -> None:
        """Write to an open descriptor."""
        self._descriptor = descriptor
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)
        self._waiting = bytearray()
        self._lost = 0
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Take lines; :meth:`flush` sends them on."""
        content = text.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._lost and not self._waiting:
                self._waiting += _lost_line(self._lost)
                self._lost = 0
            if self._lost or len(self._waiting) + len(content) > MOST_WAITING_BYTES:
                self._lost += content.count(b"\n")
            else:
                self._waiting += content
        return len(text)

    def flush(self) -> None:
        """Send on as much as the reader takes at once."""
        with self._lock:
            while self._waiting and self._ready.poll(0):
                end = self._waiting.rfind(b"\n", 0, _AT_ONCE_BYTES) + 1 or _AT_ONCE_BYTES
                try:
                    sent = os.write(self._descriptor, self._waiting[:end])
                except OSError:  # nobody is there any more, or a full disk: told of if that ends
                    sent = len(self._waiting)
                    self._lost += self._waiting.count(b"\n")
                del self._waiting[:sent]

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def writable(self) -> bool:
        """Say that it takes text."""
        return True


def _lost_line(lines: int) -> bytes:
    said = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "warning",
        "logger": __name__,
        "message": f"nobody read this output for a time: {lines} lines are missing here",
    }
    return orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE)
