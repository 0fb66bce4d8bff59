"""Whatever is sent, the service answers: never a 5xx, never a hang, never growth without end.

`make test` tries a few cases on each operation of the OpenAPI document, valid ones and invalid
ones; `make test-deep` tries more than `DEEP_CASES`, says how many, and measures memory meanwhile.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from data_schemas.predictors import PREDICTORS
from serving.openapi import EXAMPLE_OUTCOME, EXAMPLE_PATIENT, openapi_document
from tests.running_service import Running

DEEP_CASES = 5_000
MOST_GROWTH_BYTES = 60_000_000
"""While a body is refused: buffers of the system's, not the body."""
MOST_CREEP_BYTES = 10_000_000
"""From the first round of thousands of cases to the last."""
POSTS = ("/v1/assess", "/v1/validate", "/v1/what-if", "/v1/outcomes", "/v1/assess/batch")
POSTS += ("/fhir/$assess", "/v1/assess/brief", "/v1/assess/batch/brief")

load_all_checks()
CHECKED = list(CHECKS.get_all())
# What a schema cannot say, the service refuses by field: limits that depend on the unit, the order
# of dates, an assessment that it does not know.
ACCEPTABLE = {"expected-statuses": ["2xx", 404, 422]}
DOCUMENT = schemathesis.openapi.from_dict(
    openapi_document(),
    config=SchemathesisConfig.from_dict({"checks": {"positive_data_acceptance": ACCEPTABLE}}),
)
OPERATIONS = [
    (path, method, mode)
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
    # Where nothing is sent, nothing sent can be wrong.
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or {"requestBody", "parameters"} & operation.keys()
]


def attacked(
    running: Running, path: str, method: str, mode: GenerationMode, cases: int, number: int = 0
) -> int:
    """Try so many cases on an operation and return how many there were; it may have fewer."""
    operation, tried = DOCUMENT[path][method], 0
    headers = {"Authorization": f"Bearer {running.key}"}

    @seed(number)
    @settings(
        max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attack(case: Any) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(base_url=running.url, headers=headers, checks=CHECKED, timeout=10)

    attack()
    return tried


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_operation_keeps_to_its_document(
    running: Running, path: str, method: str, mode: GenerationMode
) -> None:
    assert attacked(running, path, method, mode, cases=12) > 0


@pytest.mark.deep
def test_thousands_of_cases_pass_every_check_and_memory_stays_flat(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each round is other cases; the first one warms up what is then measured."""
    tried, held, rounds = 0, [running.memory()], 0
    while tried < DEEP_CASES or rounds < 4:
        rounds += 1
        tried += sum(attacked(running, *operation, 100, rounds) for operation in OPERATIONS)
        held.append(running.memory())
    with capsys.disabled():
        megabytes = ", ".join(f"{one / 1e6:.1f}" for one in held)
        print(f"\n{tried} cases, {len(CHECKED)} checks; PSS around each round: {megabytes} MB")
    assert tried >= DEEP_CASES
    assert held[-1] - held[1] < MOST_CREEP_BYTES
    assert running.client.get("/readyz").status_code == 200
    assert "Traceback" not in running.output.read_text("utf-8")


def nested(kind: str, deep: int) -> bytes:
    opening, closing = {"list": ("[", "]"), "object": ('{"a":', "}")}[kind]
    return (opening * deep + "1" + closing * deep).encode()


MALFORMED = {
    "empty": b"",
    "deep list": nested("list", 10_000),
    "deep object": nested("object", 10_000),
    "deep and unclosed": b"[" * 60_000,
    "duplicate keys": b'{"crp": 1, "crp": 1}',
    "lone surrogate": b'{"product": "\\ud800", "\\udfff": "\\ud800"}',
    "not UTF-8": b'{"product": "\xff\xfe"}',
    "NaN": b'{"age": {"value": NaN, "unit": "a"}}',
    "infinity": b'{"age": {"value": -Infinity, "unit": "a"}}',
    "1e308": b'{"age": {"value": 1e308, "unit": "a"}, "crp": {"value": -1e308, "unit": "mg/dL"}}',
    "1e999": b'{"age": {"value": 1e999, "unit": "a"}}',
    "denormal": b'{"age": {"value": 5e-324, "unit": "a"}}',
    "many digits": b'{"age": {"value": ' + b"9" * 5000 + b', "unit": "a"}}',
    "null bytes": b"\x00" * 1000,
    "byte order mark": b"\xef\xbb\xbf{}",
    "many names": json.dumps({str(i): i for i in range(5000)}).encode(),
    "one long name": json.dumps({"x" * 60_000: 1}).encode(),
    "nested lists as values": json.dumps({name: [[[]]] for name in PREDICTORS}).encode(),
    "objects as values": json.dumps({name: {"value": {}} for name in PREDICTORS}).encode(),
    "dates": b'{"infusion_date": "9999-99-99", "age": {"value": 1, "unit": "a", "measured_at": 7}}',
}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_the_callers_fault(
    running: Running, path: str, content: bytes
) -> None:
    response = running.client.post(path, content=content)
    assert 400 <= response.status_code < 500
    dialect = "fhir" if path.startswith("/fhir/") else "problem"
    assert response.headers["content-type"] == f"application/{dialect}+json"


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_malformed_lines_and_items_are_refused_one_by_one(running: Running, content: bytes) -> None:
    patient = json.dumps(EXAMPLE_PATIENT).encode()
    headers = {"content-type": "application/x-ndjson"}
    lines = b"\n".join((patient, content.replace(b"\n", b" "), patient))
    response = running.client.post("/v1/assess/batch", content=lines, headers=headers)
    statuses = [json.loads(line)["status"] for line in response.text.splitlines()]
    assert statuses[0] == statuses[-1] == 200
    assert all(400 <= status < 500 for status in statuses[1:-1])


SHORT = st.text(max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | SHORT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*PREDICTORS, "infusion_date", "reference"])
UNITS = st.sampled_from(
    sorted({unit for d in PREDICTORS.values() for unit in getattr(d, "conversions", ())})
)
DATES = st.dates().map(str) | st.datetimes().map(lambda when: when.isoformat())
QUANTITIES = st.fixed_dictionaries(
    {"value": st.floats() | st.integers(), "unit": UNITS | st.text(max_size=5)},
    optional={"measured_at": DATES | ANY_JSON},
)
WORDS = st.sampled_from(["yes", "no", "unknown", "none", "LBCL", "MM", "B_ALL", "axi-cel", "other"])
CHANGES = st.dictionaries(NAMES, QUANTITIES | WORDS | DATES | ANY_JSON, max_size=6)


@pytest.mark.parametrize("changed", [240, pytest.param(5_000, marks=pytest.mark.deep)])
def test_any_change_of_a_patient_is_answered_or_refused(running: Running, changed: int) -> None:
    @settings(max_examples=changed, deadline=None, derandomize=True, database=None)
    @given(changes=CHANGES)
    def attack(changes: dict[str, Any]) -> None:
        for path, body in (
            ("/v1/assess", EXAMPLE_PATIENT | changes),
            ("/v1/validate", EXAMPLE_PATIENT | changes),
            ("/v1/what-if", {"patient": EXAMPLE_PATIENT, "changes": changes}),
            ("/v1/outcomes", EXAMPLE_OUTCOME | changes),
        ):
            response = running.client.post(path, content=json.dumps(body))
            assert response.status_code in (200, 404, 413, 422)
            response.json()

    attack()


def hundred_megabytes() -> Iterator[bytes]:
    for _ in range(100):
        yield b" " * 1_000_000


@pytest.mark.parametrize("path", POSTS)
def test_a_hundred_megabytes_are_refused_without_being_kept(running: Running, path: str) -> None:
    before = running.memory()
    try:
        response = running.client.post(path, content=hundred_megabytes())
        assert response.status_code == 413
    except httpx.WriteError:
        pass  # the service may close while the rest is on its way
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {running.key}\r\n"
    with connected(running) as connection:
        connection.sendall(head.encode() + b"content-length: 100000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert running.client.get("/readyz").status_code == 200
    assert running.memory() - before < MOST_GROWTH_BYTES


def test_a_stream_of_lines_does_not_grow_memory(running: Running) -> None:
    patient = json.dumps(EXAMPLE_PATIENT | {"age": "unknown"}).encode() + b"\n"
    headers = {"content-type": "application/x-ndjson"}

    def ask(lines: int) -> int:
        with running.client.stream(
            "POST", "/v1/assess/batch", content=patient * lines, headers=headers
        ) as response:
            assert response.status_code == 200
            return sum(1 for _ in response.iter_lines())

    assert ask(50) == 50
    before = running.memory()
    assert ask(400) == 400
    assert running.memory() - before < MOST_GROWTH_BYTES


def connected(running: Running) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def test_slow_callers_are_left_and_hold_up_nobody(running: Running) -> None:
    """Slow-loris: heads and bodies that never end, a hundred of each, beside a quick caller."""
    head = b"POST /v1/assess HTTP/1.1\r\nhost: a\r\n"
    key = f"authorization: Bearer {running.key}\r\n".encode()
    unfinished = [connected(running) for _ in range(200)]
    for i, slow in enumerate(unfinished):
        slow.sendall(head if i % 2 else head + key + b"content-length: 50\r\n\r\n{")
    for _ in range(20):
        assert running.client.post("/v1/assess", json=EXAMPLE_PATIENT).status_code == 200
    assert unfinished[0].recv(100).startswith(b"HTTP/1.1 408")
    for slow in unfinished:
        slow.close()
    assert running.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"POST /v1/assess HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/assess HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST /v1/assess HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
    ids=["version", "TLS", "negative length", "two lengths", "bad chunk", "null in path"],
)
def test_what_is_no_http_ends_the_connection_and_nothing_else(
    running: Running, sent: bytes
) -> None:
    with connected(running) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert running.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/v1/assess", "/v1/assess/batch", "/livez", "/nowhere"])
def test_a_body_is_never_answered_as_a_request_of_its_own(running: Running, path: str) -> None:
    """A head that asks for another protocol, and a body that arrives after it was answered."""
    hidden = b"GET /livez HTTP/1.1\r\nhost: hidden\r\n\r\n"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {running.key}\r\n"
        "content-type: application/x-ndjson\r\nconnection: upgrade\r\nupgrade: h2c\r\n"
        f"content-length: {len(hidden)}\r\n\r\n"
    )
    with connected(running) as connection:
        connection.sendall(head.encode())
        answers = connection.recv(100_000)
        with suppress(OSError):  # the connection was ended, as it should be
            connection.sendall(hidden)
            while received := connection.recv(100_000):
                answers += received
    assert answers.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in answers
    assert b"alive" not in answers


@pytest.mark.parametrize(("path", "status"), [("/v1/predictors", 200), ("/v1/nowhere", 404)])
def test_a_web_socket_is_not_opened_but_answered(running: Running, path: str, status: int) -> None:
    """Like any request, with its headers and its line in the log (RFC 9110 section 7.8)."""
    head = (
        f"GET {path}?secret-of-a-handshake HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    answer = b""
    with connected(running) as connection:
        connection.sendall(head.encode())
        while received := connection.recv(100_000):
            answer += received
    told, _, body = answer.partition(b"\r\n\r\n")
    plain = running.client.get(path)
    assert told.startswith(f"HTTP/1.1 {status} ".encode())
    assert body == plain.content
    assert set(plain.headers) - {"date"} <= {
        line.split(":")[0] for line in told.decode().split("\r\n")
    }
    request_id = told.decode().partition("x-request-id: ")[2][:32]
    output = running.output.read_text("utf-8")
    assert request_id in output
    assert "secret-of-a-handshake" not in output


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_handshake_that_is_none_is_refused_and_told_as_any_request(
    running: Running, method: str
) -> None:
    head = (
        f"{method} /v1/nowhere HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n"
        "upgrade: websocket\r\n\r\n"
    )
    answer = b""
    with connected(running) as connection:
        connection.sendall(head.encode())
        while received := connection.recv(100_000):
            answer += received
    told = answer.partition(b"\r\n\r\n")[0].decode()
    assert told.startswith("HTTP/1.1 404 ")
    assert "content-type: application/problem+json" in told
    assert "content-security-policy: " in told
    assert told.partition("x-request-id: ")[2][:32] in running.output.read_text("utf-8")


def test_a_caller_who_leaves_is_forgotten(running: Running) -> None:
    for _ in range(50):
        with connected(running) as connection:
            head = f"authorization: Bearer {running.key}\r\ncontent-length: 9\r\n\r\n{{"
            connection.sendall(b"POST /v1/assess HTTP/1.1\r\nhost: a\r\n" + head.encode())
    assert running.client.post("/v1/assess", json=EXAMPLE_PATIENT).status_code == 200
    assert "Traceback" not in running.output.read_text("utf-8")
