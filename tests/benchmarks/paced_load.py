"""Requests at a constant rate, whether or not those before were answered.

Each request is due at a time of its own, and its latency counts from then: a service that stalls
makes all of them late that fall due meanwhile, and none is left out ("coordinated omission").
"""

import asyncio
import selectors
from array import array
from collections import deque
from dataclasses import dataclass, field
from itertools import cycle

import httptools

CONNECTIONS = 64
LONGEST_WAIT_SECONDS = 30.0
"""For answers that are still due when the last request was sent."""


@dataclass
class Met:
    """What the requests met since this was last taken: latencies in milliseconds, and failures."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    lateness: "array[float]" = field(default_factory=lambda: array("d"))
    """How much too late this client itself was; part of the latencies."""
    errors: int = 0


class PacedLoad:
    """A pool of connections to one address, each used in turn."""

    def __init__(self, url: str, path: str, key: str, bodies: list[bytes]) -> None:
        """Write every request down; nothing is sent yet.

        Parameters
        ----------
        url
            ``http://host:port``.
        """
        host, port = url.removeprefix("http://").split(":")
        self._place = (host, int(port))
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\nauthorization: Bearer {key}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )
        requests = [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]
        self._requests = cycle(requests)
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[float] = deque()
        self._due = 0
        self._ended = 0
        self._open: set[_Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._closing = False
        self._met = Met()

    def taken(self) -> Met:
        """Return what was met since the last call."""
        met, self._met = self._met, Met()
        return met

    async def run(self, rate: float, seconds: float) -> None:
        """Send ``rate`` requests a second; afterwards what was never answered is an error."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await self._connect()
        begun = loop.time()
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._met.lateness.append(1000 * (loop.time() - due))
            self._ask(due)
        await self._settle()

    def _ask(self, due: float) -> None:
        self._due += 1
        if self._idle:
            self._idle.popleft().send(next(self._requests), due)
        else:
            self._waiting.append(due)

    async def _settle(self) -> None:
        until = asyncio.get_running_loop().time() + LONGEST_WAIT_SECONDS
        while self._ended < self._due and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        self._met.errors += self._due - self._ended

    def close(self) -> None:
        """Close every connection; what happens to them from now on is not counted."""
        self._closing = True
        for connection in self._open:
            connection.transport.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), *self._place)
        self._open.add(connection)
        self._next(connection)

    def _next(self, connection: "_Connection") -> None:
        if self._waiting:
            connection.send(next(self._requests), self._waiting.popleft())
        else:
            self._idle.append(connection)

    def answered(self, connection: "_Connection", status: int, due: float) -> None:
        """Count an answer, and use its connection again."""
        self._ended += 1
        if status == 200:
            latency = asyncio.get_running_loop().time() - due
            self._met.latencies.append(1000 * latency)
        else:
            self._met.errors += 1
        self._next(connection)

    def lost(self, connection: "_Connection", *, asked: bool) -> None:
        """Count what a lost connection still had to answer, and open another."""
        self._open.discard(connection)
        if self._closing:
            return
        if asked:
            self._ended += 1
            self._met.errors += 1
        else:
            self._idle.remove(connection)
        opening = asyncio.get_running_loop().create_task(self._connect())
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)


class _Connection(asyncio.Protocol):
    """One connection with at most one request under way."""

    transport: asyncio.Transport

    def __init__(self, load: PacedLoad) -> None:
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        due, self._due = self._due, None
        assert due is not None
        self._load.answered(self, self._parser.get_status_code(), due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self, asked=self._due is not None)


def precise_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that sleeps to some 0.1 ms; epoll and libuv count whole ones."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
