"""What holds for every request: one dialect, deadlines, limits, and silence about the caller."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from serving.api_keys import KeyFile, Scope
from serving.doors.door import Door, Doors
from serving.doors.gate import Gate
from serving.doors.guard import Guard
from serving.doors.json_answer import StreamedAnswer
from serving.doors.logs import JsonLines
from serving.doors.problem import RequestRefused
from serving.doors.rate_limit import RateLimit
from serving.doors.strict_json import read_json
from serving.doors.visit import JSON, Visit
from tests.serving.at_the_door import SECURITY

Handler = Callable[[Visit], Awaitable[Response]]
CANARY = "MRN-4711-Kowalski"
MOST_BYTES = 1000


async def echo_length(visit: Visit) -> Response:
    visit.media_type((JSON,))
    return Response(str(len(await visit.body(MOST_BYTES))))


async def sleep(_visit: Visit) -> Response:
    await asyncio.sleep(30)
    return Response()


async def stream(_visit: Visit) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "the body broke off")

    return StreamedAnswer(chunks(), JSON, lambda: None)


async def fail(_visit: Visit) -> Response:
    raise RuntimeError(CANARY)


@pytest.fixture
def key(tmp_path: Path) -> str:
    return KeyFile(tmp_path / "keys.json").add("test", [Scope.ASSESS])


@pytest.fixture
def client(tmp_path: Path, key: str) -> Iterator[httpx.AsyncClient]:
    doors = Doors(
        [
            Door("POST", "/echo", echo_length, Scope.ASSESS),
            Door("POST", "/sleep", sleep, Scope.ASSESS),
            Door("GET", "/doze", sleep),
            Door("GET", "/stream", stream),
            Door("GET", "/fail", fail),
            Door("GET", "/things/{id}", fail),
            Door("GET", "/admin", fail, Scope.ADMIN),
        ]
    )
    guard = Guard(KeyFile(tmp_path / "keys.json"), RateLimit(1000))
    gate = Gate(doors, guard, deadline_seconds=0.2, most_in_flight=3)
    transport = httpx.ASGITransport(gate)
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert all(name in response.headers for name in SECURITY)
    assert CANARY not in response.text
    body = response.json()
    assert (body["status"], set(body)) == (
        status,
        {"type", "title", "status", "code", "detail", "problems"},
    )
    return body


def run(asked: Awaitable[Any]) -> Any:
    return asyncio.run(_awaited(asked))


async def _awaited(asked: Awaitable[Any]) -> Any:
    return await asked


def test_what_takes_too_long_is_a_gateway_timeout(client: httpx.AsyncClient) -> None:
    assert "0.2 s" in problem(run(client.post("/sleep")), 504)["detail"]


def test_of_two_keys_none_is_taken(client: httpx.AsyncClient, key: str) -> None:
    """A proxy in front may have looked at the other one."""
    for first, second in (("Bearer x", f"Bearer {key}"), (f"Bearer {key}", f"Bearer {key}")):
        client.headers = httpx.Headers([("authorization", first), ("authorization", second)])
        said = problem(run(client.post("/echo", json={})), 400)
        assert said["detail"] == "send one header authorization"


def test_a_body_that_does_not_arrive_in_time_is_a_request_timeout(
    client: httpx.AsyncClient,
) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    response = run(client.post("/echo", content=dripping()))
    problem(response, 408)
    assert response.headers["connection"] == "close"


def test_too_many_at_a_time_are_asked_to_come_again(client: httpx.AsyncClient) -> None:
    async def crowd() -> list[httpx.Response]:
        return await asyncio.gather(*(client.post("/sleep") for _ in range(5)))

    responses = run(crowd())
    assert sorted(r.status_code for r in responses) == [503, 503, 504, 504, 504]
    for response in responses:
        problem(response, response.status_code)
    assert {r.headers["retry-after"] for r in responses if r.status_code == 503} == {"1"}


def test_one_caller_has_only_some_of_the_places(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    greedy, modest = (keys.add(name, [Scope.ASSESS]) for name in ("greedy", "modest"))
    doors = Doors([Door("POST", "/sleep", sleep, Scope.ASSESS)])
    gate = Gate(doors, Guard(keys, RateLimit(1000)), 0.2, most_in_flight=4, most_of_a_caller=3)

    async def crowd() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(gate), base_url="http://t"
        ) as asking:
            by = [greedy] * 6 + [modest]
            asked = [
                asking.post("/sleep", headers={"authorization": f"Bearer {key}"}) for key in by
            ]
            return await asyncio.gather(*asked)

    *of_greedy, of_modest = run(crowd())
    problem(of_modest, 504)
    assert sorted(r.status_code for r in of_greedy) == [429, 429, 429, 504, 504, 504]
    refused = next(r for r in of_greedy if r.status_code == 429)
    assert problem(refused, 429)["detail"].startswith("3 requests of this key or token are being")
    assert refused.headers["retry-after"] == "1"


def test_who_has_no_key_takes_nobodys_place(client: httpx.AsyncClient) -> None:
    async def crowd() -> list[httpx.Response]:
        nobody = [client.get("/doze", headers={"authorization": ""}) for _ in range(10)]
        return await asyncio.gather(*nobody, client.post("/sleep"))

    assert {response.status_code for response in run(crowd())} == {504}


def test_an_answer_that_nobody_takes_takes_nobodys_place(
    client: httpx.AsyncClient, key: str
) -> None:
    gate = client._transport.app
    headers = [(b"authorization", f"Bearer {key}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/echo", "headers": headers}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def never(_message: object) -> None:
        await asyncio.sleep(30)

    async def crowd() -> httpx.Response:
        untaken = [asyncio.create_task(gate(dict(scope), receive, never)) for _ in range(10)]
        await asyncio.sleep(0.01)
        response = await client.post("/echo", content="{}")
        for one in untaken:
            one.cancel()
        return response

    assert run(crowd()).status_code == 200


def test_an_answer_that_breaks_off_has_its_line(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(_message: object) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/stream", "headers": []}
    run(client._transport.app(scope, receive, send))
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["route"], line["status"]) == ("broken off", "/stream", 200)


def test_a_body_that_the_parser_skips_is_refused_and_nothing_else(
    client: httpx.AsyncClient,
) -> None:
    asks = {"connection": "upgrade", "upgrade": "h2c"}
    response = run(client.post("/echo", content="{}", headers=asks))
    assert "header upgrade" in problem(response, 400)["detail"]
    assert response.headers["connection"] == "close"
    without_body = run(client.request("POST", "/echo", headers=asks))
    assert without_body.text == "0"


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x",
     "application/json; charset=utf-16", "application/json-seq", "application/vnd.bentoml+pickle"],
)  # fmt: skip
def test_another_type_of_body_is_unsupported(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"content-type": content_type}
    detail = problem(run(client.post("/echo", content="{}", headers=headers)), 415)["detail"]
    assert "application/json" in detail


@pytest.mark.parametrize("coding", ["gzip", "identity, GZIP", "br", "deflate", "zstd"])
def test_a_compressed_body_is_unsupported_and_hears_why(
    client: httpx.AsyncClient, coding: str
) -> None:
    headers = {"content-encoding": coding}
    response = run(client.post("/echo", content=b"\x1f\x8b", headers=headers))
    assert "not compressed" in problem(response, 415)["detail"]
    assert response.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "UTF-8", ""])
def test_a_body_that_is_called_as_it_is_is_taken(client: httpx.AsyncClient, coding: str) -> None:
    headers = {"content-encoding": coding}
    assert run(client.post("/echo", content="{}", headers=headers)).text == "2"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON ; charset=UTF-8", 'application/json;charset="utf-8"'],
)
def test_json_is_taken_however_it_is_spelt(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"content-type": content_type}
    assert run(client.post("/echo", content="{}", headers=headers)).text == "2"


def test_an_announced_length_is_refused_before_anything_is_read(client: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""

    headers = {"content-length": str(MOST_BYTES + 1)}
    problem(run(client.post("/echo", content=never(), headers=headers)), 413)
    headers = {"content-length": "9" * 400}
    problem(run(client.post("/echo", content=never(), headers=headers)), 413)


def test_a_failure_is_logged_by_kind_and_place_only(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="cart_risk"):
        response = run(client.get(f"/fail?name={CANARY}", headers={"x-request-id": CANARY}))
    problem(response, 500)
    failed = next(
        json.loads(JsonLines().format(r)) for r in caplog.records if r.levelname == "ERROR"
    )
    assert (failed["error"], failed["at"].partition(":")[0]) == ("RuntimeError", "test_gate.py")
    assert failed["request_id"] == response.headers["x-request-id"]
    assert CANARY not in "".join(JsonLines().format(record) for record in caplog.records)


def test_every_request_is_one_line_with_its_route_and_not_its_path(
    client: httpx.AsyncClient, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(client.get(f"/things/{CANARY}"))
    run(client.get(f"/{CANARY}"))
    run(client.post("/echo", content=b"{}"))
    run(client.request(CANARY, "/echo"))
    written = capsys.readouterr().out
    lines = [json.loads(line) for line in written.splitlines()]
    assert {(line["logger"], line["message"]) for line in lines} == {
        ("cart_risk.requests", "answered")
    }
    assert [(line["route"], line["method"], line["status"]) for line in lines] == [
        ("/things/{id}", "GET", 500),
        ("(unknown)", "GET", 404),
        ("/echo", "POST", 200),
        ("(unknown)", "other", 405),
    ]
    assert lines[2]["caller"] == key.split("_")[1]
    assert len({line["request_id"] for line in lines}) == 4
    assert CANARY not in written


def test_a_scope_is_asked_before_the_door_opens(client: httpx.AsyncClient) -> None:
    assert "admin" in problem(run(client.get("/admin")), 403)["detail"]
    response = run(client.get("/admin", headers={"authorization": ""}))
    problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/echo", "POST"), ("POST", "/fail", "GET, HEAD"), ("OPTIONS", "/echo", "POST"),
     ("DELETE", "/things/1", "GET, HEAD"), ("PROPFIND", "/echo", "POST")],
)  # fmt: skip
def test_another_method_hears_which_are_allowed(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = run(client.request(method, path, headers={"origin": "https://evil.example"}))
    problem(response, 405)
    assert response.headers["allow"] == allowed
    assert not any(name.startswith("access-control") for name in response.headers)


NOWHERE = ("/", "/echo/", "/things", "/things/", "/things/1/2", "/things/%00", "/things/a b")


@pytest.mark.parametrize("path", [*NOWHERE, "/things/" + "a" * 65, "/%2e%2e/echo"])
def test_there_is_nothing_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    problem(run(client.get(path)), 404)


def test_json_that_two_readers_could_read_differently_is_refused() -> None:
    for content in (b'{"a":1,"a":1}', b'\xef\xbb\xbf{}', '{"a":1}'.encode("utf-16"), b"{'a':1}",
                    b'{"a":1,}', b'{"a":01}', b"[1] 2", b'"\x00"'):  # fmt: skip
        with pytest.raises(RequestRefused):
            read_json(content)
