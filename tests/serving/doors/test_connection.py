"""What a connection may do is limited, and only because uvicorn does not limit it."""

import asyncio
import inspect
import re
import socket
import time
from contextlib import ExitStack

import orjson
import pytest
import uvicorn

from serving.doors import connection as limits
from serving.doors.connection import MOST_HEAD_BYTES, limit_connections
from serving.doors.gate import MOST_IN_FLIGHT
from serving.openapi import EXAMPLE_PATIENT
from tests.running_service import Running

LINE = b"x-filler: " + b"a" * 990 + b"\r\n"


def connected(running: Running) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def flood(connection: socket.socket, head: bytes, rest: bytes = b"x: " + b"a" * 1_000_000) -> None:
    connection.sendall(head)
    for _ in range(100):
        connection.sendall(rest)


def whole_answer(connection: socket.socket) -> bytes:
    """Read until the JSON object of the body ends; head and body may arrive apart."""
    received = b""
    while not received.endswith(b"}"):
        part = connection.recv(10_000)
        assert part
        received += part
    return received


@pytest.mark.parametrize("head", [b"GET /livez HTTP/1.1\r\nhost: a\r\n", b"GET /"])
def test_a_head_without_end_is_cut_off_and_not_kept(running: Running, head: bytes) -> None:
    before = running.memory()
    with connected(running) as connection, pytest.raises(OSError, match=r"Broken pipe|reset"):
        flood(connection, head)
    assert running.memory() - before < 20_000_000
    assert running.client.get("/readyz").status_code == 200


TRAILERS = [b"x: " + b"a" * 1000 + b"\r\n", b"x: a\r\n" * 200, b"a" * 1000]


@pytest.mark.parametrize("trailers", TRAILERS, ids=["long", "many", "one"])
@pytest.mark.parametrize("path", ["/nowhere", "/v1/assess", "/v1/assess/batch"])
def test_trailers_without_end_are_cut_off_and_not_kept(
    running: Running, trailers: bytes, path: str
) -> None:
    """They follow the last chunk of a body, and nobody asks for a key before them."""
    before = running.memory()
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {running.key}\r\n"
    last_chunk = b"transfer-encoding: chunked\r\n\r\n0\r\nx: "
    with connected(running) as connection, pytest.raises(OSError, match=r"Broken pipe|reset"):
        flood(connection, head.encode() + last_chunk, trailers * 1000)
    assert running.memory() - before < 20_000_000
    assert running.client.get("/readyz").status_code == 200


def test_trailers_within_the_limit_are_taken(running: Running) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    with connected(running) as connection:
        for _ in range(3):
            connection.sendall(head + b"1\r\na\r\n0\r\nx: a\r\n\r\n")
            assert whole_answer(connection).startswith(b"HTTP/1.1 404")


def test_a_trailer_is_no_header(running: Running) -> None:
    """A key in a trailer passed by whoever looked at the head alone."""
    body = orjson.dumps(EXAMPLE_PATIENT)
    head = b"POST /v1/assess HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
    chunks = b"%x\r\n%b\r\n0\r\n" % (len(body), body)
    key = b"authorization: Bearer " + running.key.encode() + b"\r\n"
    other_type = b"content-type: text/plain\r\n"
    with connected(running) as connection:
        connection.sendall(head + b"\r\n" + chunks + key + b"\r\n")
        assert whole_answer(connection).startswith(b"HTTP/1.1 401")
    with connected(running) as connection:
        connection.sendall(head + key + b"\r\n" + chunks + other_type + b"\r\n")
        assert connection.recv(10_000).startswith(b"HTTP/1.1 200")


class Transport:
    """Takes what is written, and remembers how it was treated."""

    def __init__(self) -> None:
        self.high, self.cut_off = 0, False

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def abort(self) -> None:
        self.cut_off = True


class Protocol:
    """What is used of uvicorn's, without a parser."""

    def connection_made(self, transport: Transport) -> None:
        self.transport = transport

    def _nothing(self, *_given: object) -> None:
        pass

    on_message_begin = on_headers_complete = on_body = on_message_complete = on_header = _nothing
    data_received = connection_lost = pause_writing = resume_writing = _nothing


@pytest.mark.parametrize(
    ("then", "cut_off"), [([], True), (["resume_writing"], False), (["connection_lost"], False)]
)
def test_who_takes_nothing_is_left_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, then: list[str], cut_off: bool
) -> None:
    monkeypatch.setattr(limits, "UNTAKEN_SECONDS", 0.01)

    class Limited(Protocol):
        pass

    limit_connections(Limited)
    transport = Transport()

    async def use() -> None:
        protocol = Limited()
        protocol.connection_made(transport)
        protocol.pause_writing()
        for name in then:
            getattr(protocol, name)()
        await asyncio.sleep(0.05)

    asyncio.run(use())
    assert (transport.high, transport.cut_off) == (limits.MOST_UNTAKEN_BYTES, cut_off)


def test_callers_without_a_key_who_take_nothing_hold_up_nobody(running: Running) -> None:
    """More than there are places; once they held all of them as long as they liked."""
    asked = b"GET /v1/model HTTP/1.1\r\nhost: a\r\n\r\n" * 30
    with ExitStack() as held:
        for _ in range(MOST_IN_FLIGHT + 20):
            one = held.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            host, port = running.url.removeprefix("http://").split(":")
            one.connect((host, int(port)))
            one.sendall(asked)
        for _ in range(5):
            response = running.client.post("/v1/assess", json=EXAMPLE_PATIENT, timeout=60)
            assert response.status_code == 200


BEGUN = b"POST /v1/assess HTTP/1.1\r\nhost: a\r\n"
NO_REQUESTS = {
    "unknown method": b"FOO /v1/assess HTTP/1.1\r\nhost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n",
    "bad length": BEGUN + b"content-length: x\r\n\r\n",
    "two lengths": BEGUN + b"content-length: 1\r\ncontent-length: 1\r\n\r\n",
    "length and chunks": BEGUN + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "no chunk": BEGUN + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "long address": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
}


def until_its_end(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    """Return the headers of the last answer on a connection, and its body."""
    received = b""
    while part := connection.recv(10_000):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return {"status": status.split()[1]} | dict(line.split(": ", 1) for line in lines), body


def counted(running: Running, status: int) -> float:
    """Return how often what is no request was answered so."""
    start = f'cart_risk_requests_total{{method="other",route="(unknown)",status="{status}"}} '
    lines = running.client.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(start)) for line in lines if line.startswith(start))


def is_refused_as_everything_else(running: Running, connection: socket.socket, status: int) -> None:
    headers, body = until_its_end(connection)
    assert headers["status"] == str(status)
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/problem+json"
    assert set(running.client.get("/nowhere").headers) <= headers.keys()
    assert orjson.loads(body)["status"] == status
    assert int(headers["content-length"]) == len(body)
    assert headers["x-request-id"] in running.output.read_text("utf-8")


@pytest.mark.parametrize("after_another", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("name", list(NO_REQUESTS))
def test_what_is_no_request_is_refused_as_everything_else(
    running: Running, name: str, *, after_another: bool
) -> None:
    before = counted(running, 400)
    with connected(running) as connection:
        if after_another:
            connection.sendall(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")
            assert whole_answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(NO_REQUESTS[name])
        is_refused_as_everything_else(running, connection, 400)
    assert counted(running, 400) == before + 1


def test_a_head_that_is_too_long_is_refused_as_everything_else(running: Running) -> None:
    before = counted(running, 431)
    with connected(running) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        time.sleep(0.5)  # what arrives together with the first line is not counted
        connection.sendall(LINE * (MOST_HEAD_BYTES // len(LINE) + 1))
        is_refused_as_everything_else(running, connection, 431)
    assert counted(running, 431) == before + 1


def test_under_fhir_it_is_an_operation_outcome(running: Running) -> None:
    with connected(running) as connection:
        connection.sendall(b"POST /fhir/$assess HTTP/1.1\r\ncontent-length: x\r\n\r\n")
        headers, body = until_its_end(connection)
    assert headers["content-type"] == "application/fhir+json"
    assert orjson.loads(body)["resourceType"] == "OperationOutcome"


def test_no_refusal_stands_within_an_answer_that_is_being_sent(running: Running) -> None:
    head = (
        "POST /v1/assess/batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\n"
        f"authorization: Bearer {running.key}\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    with connected(running) as connection:
        connection.sendall(head.encode() + b"3\r\n{}\n\r\n")
        answer = b""
        while b'"item":0' not in answer:
            answer += connection.recv(10_000)
        connection.sendall(b"zz\r\n")
        while part := connection.recv(10_000):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_head_within_the_limit_is_answered_again_and_again(running: Running) -> None:
    lines = LINE * (MOST_HEAD_BYTES // len(LINE) - 2)
    with connected(running) as connection:
        for _ in range(3):
            connection.sendall(b"GET /livez HTTP/1.1\r\nhost: a\r\n" + lines + b"\r\n")
            assert whole_answer(connection).startswith(b"HTTP/1.1 200")


def test_a_large_body_is_not_taken_for_a_head(running: Running) -> None:
    content = {"items": [EXAMPLE_PATIENT] * 200}
    for _ in range(2):
        response = running.client.post("/v1/assess/batch", json=content)
        assert len(response.json()["items"]) == 200


def test_uvicorn_still_has_no_limit_of_its_own_for_httptools() -> None:
    settings = inspect.signature(uvicorn.Config.__init__).parameters
    limits = [name for name in settings if re.search(r"(max|limit).*(head|event|line)", name)]
    assert limits == ["h11_max_incomplete_event_size"]
