"""Many patients: each has its own status, none spoils another, and memory does not grow."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from serving.api_keys import KeyFile, Scope
from serving.doors.batch import (
    MOST_BATCH_BYTES,
    MOST_IN_MEMORY,
    MOST_ITEMS,
    MOST_LINE_BYTES,
    MOST_OF_A_CALLER,
)
from serving.doors.guard import Guard
from serving.doors.one_patient import MOST_BODY_BYTES
from serving.doors.rate_limit import RateLimit
from serving.openapi import openapi_document
from serving.rest import RestApplication
from serving.ward import Ward
from tests.conftest import Body
from tests.serving.at_the_door import client_of, open_log

PATH = "/v1/assess/batch"
LINES = {"content-type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with client_of(ward) as client:
        yield client


def without_head(assessment: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in assessment.items() if k not in ("assessment_id", "assessed_at")}


def test_each_item_is_answered_as_alone_and_no_bad_one_spoils_another(
    client: TestClient, patient: Body
) -> None:
    bad: list[Any] = [{}, 7, None, [], "\ud800", patient | {"crp": "\ud800"}, patient | {"x": 1}]
    items = [one for other in bad for one in (other, patient)]
    response = client.post(PATH, content=json.dumps({"items": items}))
    assert response.status_code == 200
    results = response.json()["items"]
    assert [one["item"] for one in results] == list(range(len(items)))
    alone = without_head(client.post("/v1/assess", json=patient).json())
    for item, one in zip(items, results, strict=True):
        single = client.post("/v1/assess", content=json.dumps(item))
        assert one["status"] == single.status_code
        if one["status"] == 200:
            assert without_head(one["assessment"]) == alone
        else:
            assert one["problem"] == single.json()


def test_every_assessment_of_a_batch_is_kept(client: TestClient, patient: Body) -> None:
    results = client.post(PATH, json={"items": [patient] * 70}).json()["items"]
    ids = [one["assessment"]["assessment_id"] for one in results]
    assert len(set(ids)) == 70
    for kept in (ids[0], ids[63], ids[64], ids[69]):
        assert client.get(f"/v1/assessments/{kept}").status_code == 200


TWICE = [
    '{"crp":1,"crp":2}',
    '{"a":{"b":1,"b":1}}',
    '[[{"a":1,"a":2}]]',
    '{"a":1,"a":{"b":1,"b":2}}',
]


def test_an_item_in_which_a_name_stands_twice_spoils_no_other(
    client: TestClient, patient: Body
) -> None:
    good = json.dumps(patient)
    items = [one for bad in TWICE for one in (bad, good)]
    as_object = client.post(PATH, content='{"items":[' + ",".join(items) + "]}").json()["items"]
    as_lines = client.post(PATH, content="\n".join(items), headers=LINES).text.splitlines()
    assert [one["status"] for one in as_object] == [400, 200] * len(TWICE)
    assert as_object[::2] == [json.loads(one) for one in as_lines[::2]]


def test_a_batch_that_cannot_be_parted_into_items_is_refused_whole(client: TestClient) -> None:
    deep = "[" * 2000 + "]" * 2000
    for content in ('{"items":[{}],"items":[{}]}', '{"items":[{},' + deep + "]}", '{"items":[{},'):
        assert client.post(PATH, content=content).status_code == 400
    lines = client.post(PATH, content="{}\n" + deep, headers=LINES).text.splitlines()
    assert [json.loads(one)["status"] for one in lines] == [422, 400]


def test_lines_are_answered_by_lines(client: TestClient, patient: Body) -> None:
    line = json.dumps(patient)
    lines = [line, "", "{", line + " ", '{"a":1,"a":2}', " " * (MOST_LINE_BYTES + 1), "NaN", line]
    response = client.post(PATH, content="\r\n".join(lines), headers=LINES)
    assert response.headers["content-type"] == "application/x-ndjson"
    results = [json.loads(one) for one in response.text.splitlines()]
    assert [one["item"] for one in results] == list(range(7))
    assert [one["status"] for one in results] == [200, 400, 200, 400, 413, 422, 200]


def test_an_item_is_the_number_of_a_patient_and_not_of_a_line(client: TestClient) -> None:
    lines = client.post(PATH, content="\n{}\n \r\n\n[]\n", headers=LINES).text.splitlines()
    assert [json.loads(one)["item"] for one in lines] == [0, 1]
    for name in ("BatchItem", "BriefBatchItem"):
        item = openapi_document()["components"]["schemas"][name]["properties"]["item"]
        assert "empty ones are no patient and not counted" in item["description"]


def test_lines_may_be_cut_anywhere(client: TestClient, patient: Body) -> None:
    content = (json.dumps(patient) + "\n").encode() * 3 + b"{}"
    for size in (1, 7, 1000):
        pieces = (content[i : i + size] for i in range(0, len(content), size))
        response = client.post(PATH, content=pieces, headers=LINES)
        statuses = [json.loads(one)["status"] for one in response.text.splitlines()]
        assert statuses == [200, 200, 200, 422]


def test_a_line_without_end_is_one_refusal_however_long(client: TestClient) -> None:
    pieces = (b"x" * MOST_LINE_BYTES for _ in range(50))
    response = client.post(PATH, content=pieces, headers=LINES)
    assert [json.loads(one)["status"] for one in response.text.splitlines()] == [413]


@pytest.mark.parametrize(
    "body",
    [[], {}, {"items": []}, {"items": {}}, {"items": [1], "more": 1}, {"items": [0] * 10_001}],
    ids=["list", "empty", "none", "object", "more", "too many"],
)
def test_what_is_no_batch_is_refused_whole(client: TestClient, body: Any) -> None:
    response = client.post(PATH, json=body)
    assert response.status_code == 422
    assert str(MOST_ITEMS) in response.json()["problems"][0]["message"]


def test_a_batch_has_a_limit_of_its_own(client: TestClient) -> None:
    items = {"items": [0] * 9000, " ": " " * MOST_BODY_BYTES}
    assert client.post(PATH, json=items).status_code == 422
    length = {"content-length": str(MOST_BATCH_BYTES + 1)}
    assert client.post(PATH, content=b"", headers=length).status_code == 413


def test_ten_thousand_items_are_answered(client: TestClient) -> None:
    results = client.post(PATH, json={"items": [{}] * MOST_ITEMS}).json()["items"]
    assert [one["item"] for one in results] == list(range(MOST_ITEMS))
    assert {one["status"] for one in results} == {422}


def test_a_closed_ward_refuses_each_item(patient: Body) -> None:
    with client_of(Ward()) as closed:
        results = closed.post(PATH, json={"items": [patient, {}]}).json()["items"]
        assert {one["status"] for one in results} == {503}


def test_what_was_refused_is_gone_when_it_was_answered(client: TestClient) -> None:
    """Not only once the garbage collector comes by: after 50,000 objects more."""
    items = [{"age": {"value": -1, "unit": "a"}}] * 500
    client.post(PATH, json={"items": items})
    gc.collect()
    gc.disable()
    try:
        assert client.post(PATH, json={"items": items}).status_code == 200
        lines = "\n".join(["{"] * 500)
        assert client.post(PATH, content=lines, headers=LINES).status_code == 200
        assert gc.collect() < len(items)
    finally:
        gc.enable()


class Callers:
    """Several callers of one application, each with a key of its own."""

    def __init__(self, ward: Ward, place: Path, number: int) -> None:
        keys = KeyFile(place / "keys.json")
        self.keys = [keys.add(f"caller {n}", [Scope.ASSESS]) for n in range(number)]
        guard = Guard(keys, RateLimit(1e6))
        self.application = RestApplication(
            ward, guard, open_log(place), place, product_what_if=False
        )

    async def status(self, caller: int, **request: Any) -> int:
        headers = {"authorization": f"Bearer {self.keys[caller]}", **request.pop("headers", {})}
        transport = httpx.ASGITransport(self.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.post(PATH, headers=headers, **request)).status_code

    async def statuses(self, callers: Iterable[int], body: object) -> list[int]:
        return await asyncio.gather(*[self.status(caller, json=body) for caller in callers])


def test_a_batch_whose_caller_left_is_not_worked_to_its_end(
    ward: Ward, patient: Body, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The caller leaves after the first chunk with answers."""
    callers = Callers(ward, tmp_path, 1)
    body = json.dumps({"items": [patient] * 640}).encode()
    left, sent = asyncio.Event(), []
    messages: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": body}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 3:  # the head, the opening bracket, 64 answers
            left.set()

    headers = [(b"authorization", f"Bearer {callers.keys[0]}".encode())]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers}
    asyncio.run(callers.application(scope, receive, send))
    assert sum(m.get("body", b"").count(b'"status":200') for m in sent) <= 128
    assert all(m.get("more_body", True) for m in sent)
    line = json.loads(capsys.readouterr().out)
    assert (line["message"], line["route"], line["status"]) == ("broken off", PATH, 200)


def test_a_caller_has_no_more_batches_at_a_time_than_allowed_and_gets_each_place_back(
    ward: Ward, tmp_path: Path, patient: Body
) -> None:
    batch = {"items": [patient] * 100}

    async def use() -> None:
        callers = Callers(ward, tmp_path, 1)
        many = await callers.statuses([0] * 20, batch)
        assert many.count(200) == MOST_OF_A_CALLER
        assert many.count(429) == 20 - MOST_OF_A_CALLER
        for _ in range(2 * MOST_OF_A_CALLER):
            assert await callers.statuses([0], {"items": []}) == [422]
        assert await callers.statuses([0] * MOST_OF_A_CALLER, batch) == [200] * MOST_OF_A_CALLER

    asyncio.run(use())


def test_no_more_batches_lie_in_memory_than_allowed(
    ward: Ward, tmp_path: Path, patient: Body
) -> None:
    batch = {"items": [patient] * 100}
    some = range(MOST_IN_MEMORY)

    async def use() -> None:
        callers = Callers(ward, tmp_path, 5)
        many = await callers.statuses([*range(5)] * MOST_OF_A_CALLER, batch)
        assert many.count(200) == MOST_IN_MEMORY
        assert many.count(503) == 5 * MOST_OF_A_CALLER - MOST_IN_MEMORY
        assert await callers.statuses(some, batch) == [200] * MOST_IN_MEMORY

    asyncio.run(use())


def test_callers_who_send_their_lines_slowly_hold_up_nobody(
    ward: Ward, tmp_path: Path, patient: Body
) -> None:
    line = json.dumps(patient).encode() + b"\n"
    slow = 4

    async def use() -> None:
        callers = Callers(ward, tmp_path, slow + 1)
        done, begun = asyncio.Event(), []

        async def dripping() -> AsyncIterator[bytes]:
            yield line
            begun.append(True)
            await done.wait()
            yield line

        every = [n for n in range(slow) for _ in range(MOST_OF_A_CALLER)]
        waiting = [
            asyncio.create_task(callers.status(n, content=dripping(), headers=LINES)) for n in every
        ]
        async with asyncio.timeout(10):
            while len(begun) < len(every):
                await asyncio.sleep(0.01)
            assert await callers.status(slow, content=line * 200, headers=LINES) == 200
            assert await callers.status(slow, json={"items": [patient] * 100}) == 200
            assert not any(task.done() for task in waiting)
            done.set()
            assert await asyncio.gather(*waiting) == [200] * len(every)

    asyncio.run(use())
