"""An open loop: a stall makes late whatever falls due in it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import numpy as np
import paced_load
import pytest
from paced_load import CONNECTIONS, Met, PacedLoad, precise_loop

Answer = Callable[[int], Awaitable[bytes]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers each request by its number; yields its address and the bodies it was sent."""
    bodies: list[bytes] = []

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
                number = len(bodies)
                bodies.append(await reader.readexactly(length))
                said = await answer(number)
                if not said:
                    break
                writer.write(said)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the load has ended
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", bodies
    listening.close()
    await asyncio.gather(*serving)


def met(answer: Answer, rate: float, seconds: float) -> tuple[Met, list[bytes]]:
    async def run() -> tuple[Met, list[bytes]]:
        async with server(answer) as (url, bodies):
            load = PacedLoad(url, "/v1/assess", "secret", [b"a", b"bb", b"ccc"])
            await load.run(rate, seconds)
            load.close()
            return load.taken(), bodies

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        return runner.run(run())


async def at_once(number: int) -> bytes:
    return OK


def test_every_request_is_sent_once_and_every_answer_counted() -> None:
    seen, bodies = met(at_once, rate=200, seconds=1)
    assert (len(seen.latencies), seen.errors, len(bodies)) == (200, 0, 200)
    assert sorted(bodies) == sorted([b"a", b"bb", b"ccc"] * 66 + [b"a", b"bb"])


def test_a_stall_makes_late_whatever_falls_due_in_it() -> None:
    """400 ms of silence at 500 requests a second: 200 are late, by 0 to 400 ms."""
    silent_until = 0.0

    async def stalling(number: int) -> bytes:
        nonlocal silent_until
        loop = asyncio.get_running_loop()
        if number == 100:
            silent_until = loop.time() + 0.4
        await asyncio.sleep(max(0.0, silent_until - loop.time()))
        return OK

    seen, _ = met(stalling, rate=500, seconds=1)
    late = np.array(seen.latencies)
    assert (len(late), seen.errors) == (500, 0)
    assert (late > 50).sum() >= 150, "more than were under way, 64, or one a connection"
    assert (late > 50).sum() > 2 * CONNECTIONS
    assert late.max() >= 390


def test_refusals_and_broken_connections_are_errors_and_no_latencies() -> None:
    async def faulty(number: int) -> bytes:
        if number in (10, 20):
            return b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
        return b"" if number == 30 else OK

    seen, _ = met(faulty, rate=200, seconds=0.5)
    assert (len(seen.latencies), seen.errors) == (97, 3)


def test_what_is_never_answered_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paced_load, "LONGEST_WAIT_SECONDS", 0.2)

    async def silent_at_last(number: int) -> bytes:
        if number >= 90:
            await asyncio.sleep(0.5)
            return b""
        return OK

    seen, _ = met(silent_at_last, rate=500, seconds=0.2)
    assert (len(seen.latencies), seen.errors) == (90, 10)
