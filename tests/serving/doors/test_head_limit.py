"""The head of a request is limited, and only because uvicorn does not limit it."""

import inspect
import re
import socket

import pytest
import uvicorn

from serving.doors.head_limit import MOST_HEAD_BYTES
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
