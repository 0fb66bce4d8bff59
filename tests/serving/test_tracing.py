"""Spans as a collector receives them: the route and what came of it, and nothing that was sent."""

import asyncio
import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.types import Receive, Scope, Send

from serving.doors.tracing import Traced
from tests.conftest import Body, Store
from tests.running_service import Running, served

CANARY = "MRN4711Kowalski"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ANOTHER_TRACE, BROKEN_TRACE = "5" * 32, "6" * 32
LONGEST_WAIT_SECONDS = 30.0


class Collector(ThreadingHTTPServer):
    """OTLP over HTTP, as far as a sender sees it."""

    daemon_threads = True
    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.received: list[bytes] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/traces"

    def spans(self, at_least: int, trace: str) -> list[Span]:
        """Wait for so many spans of a trace, in which nobody else asks."""
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < until:
            requests = [ExportTraceServiceRequest.FromString(body) for body in self.received]
            resources = [one for request in requests for one in request.resource_spans]
            found = [span for r in resources for scope in r.scope_spans for span in scope.spans]
            found = [span for span in found if span.trace_id.hex() == trace]
            if len(found) >= at_least:
                return found
            time.sleep(0.1)
        pytest.fail(f"fewer than {at_least} spans arrived")


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        zipped = self.headers.get("content-encoding") == "gzip"
        self.server.received.append(gzip.decompress(body) if zipped else body)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


def attributes(span: Span) -> dict[str, object]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(
    collector: Collector, evidence_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    settings = {"CART_RISK_OTLP": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with served(evidence_store.root, tmp_path_factory.mktemp("traced"), settings) as running:
        yield running


def test_a_request_is_a_span_of_its_callers_trace(
    traced: Running, collector: Collector, patient: Body
) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    response = traced.client.post("/v1/assess", json=patient, headers=headers)
    assert response.status_code == 200
    (span,) = collector.spans(1, TRACE)
    assert (span.name, span.kind) == ("POST /v1/assess", Span.SPAN_KIND_SERVER)
    assert span.parent_span_id.hex() == PARENT
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 5e9
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/v1/assess",
        "http.response.status_code": 200,
        "cart_risk.request_id": response.headers["x-request-id"],
    }


def test_no_span_holds_what_was_sent(traced: Running, collector: Collector, patient: Body) -> None:
    """Every header, query, path and body; ids of assessments do not stand in a span, either."""
    known = traced.client.post("/v1/assess", json=patient | {"reference": CANARY})
    assessment = known.json()["assessment_id"]
    names = ("user-agent", "x-patient", "x-request-id", "tracestate", "baggage", "x-forwarded-for")
    headers = dict.fromkeys(names, f"k={CANARY}") | {"host": f"{CANARY}.example"}
    headers["traceparent"] = f"00-{ANOTHER_TRACE}-{PARENT}-01"
    sent = [
        ("POST", "/v1/assess", json.dumps(patient | {"mrn": CANARY}).encode(), "/v1/assess", 422),
        ("POST", "/v1/assess", f'{{"{CANARY}'.encode(), "/v1/assess", 400),
        ("GET", f"/v1/assessments/{assessment}", b"", "/v1/assessments/{id}", 200),
        ("GET", f"/v1/assessments/{CANARY}", b"", "/v1/assessments/{id}", 404),
        ("GET", f"/{CANARY}", b"", "(unknown)", 404),
        ("GET", f"/livez?name={CANARY}", b"", "/livez", 200),
        ("PROPFIND", "/v1/assess", b"", "(unknown)", 405),
    ]
    for method, path, content, _, status in sent:
        response = traced.client.request(method, path, content=content, headers=headers)
        assert response.status_code == status
    spans = collector.spans(len(sent), ANOTHER_TRACE)
    told = [attributes(span) for span in spans]
    assert [(one["http.route"], one["http.response.status_code"]) for one in told] == [
        (route, status) for *_, route, status in sent
    ]
    assert told[-1]["http.request.method"] == "_OTHER"
    received = b"".join(collector.received)
    assert received
    for word in (CANARY, assessment, "127.0.0.1"):
        assert word.encode() not in received


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise ConnectionError


async def empty_handed(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


def test_what_breaks_off_is_a_span_without_a_status(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    headers = [(b"traceparent", f"00-{BROKEN_TRACE}-{PARENT}-01".encode())]
    scope = {"type": "http", "method": "GET", "headers": headers}

    async def nothing(*_: object) -> None:
        pass

    async def ask() -> None:
        await Traced(empty_handed, collector.address)(scope, nothing, nothing)
        await Traced(empty_handed, collector.address)({"type": "websocket"}, nothing, nothing)
        with pytest.raises(ConnectionError):
            await Traced(fails, collector.address)(scope, nothing, nothing)

    asyncio.run(ask())
    told = [attributes(span) for span in collector.spans(2, BROKEN_TRACE)]
    assert {one.get("http.response.status_code") for one in told} == {204, None}
    assert {one["http.route"] for one in told} == {"(unknown)"}


def test_a_collector_that_is_away_is_told_once_and_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The library tells each attempt, with an address in which a secret may stand."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    caplog.set_level(logging.INFO, "cart_risk")
    scope = {"type": "http", "method": "GET", "headers": []}

    async def nothing(*_: object) -> None:
        pass

    async def ask(traced: Traced, until: str) -> None:
        for _ in range(300):
            await traced(scope, nothing, nothing)
            await asyncio.sleep(0.1)
            if until in caplog.text:
                return
        pytest.fail(f"nobody said: {until}")

    async def use(collector: Collector) -> None:
        traced = Traced(empty_handed, f"{collector.address}?token={CANARY}")
        collector.status = 503
        await ask(traced, "spans are lost")
        lost = len(collector.received)
        while len(collector.received) < lost + 3:
            await ask(traced, "")
        collector.status = 200
        await ask(traced, "takes spans again")

    with collecting() as collector:
        asyncio.run(use(collector))
    assert [record.getMessage() for record in caplog.records] == [
        "spans are lost: the collector that CART_RISK_OTLP names takes none",
        "the collector takes spans again",
    ]


def test_a_collector_that_is_away_holds_up_nobody(
    evidence_store: Store, tmp_path: Path, patient: Body
) -> None:
    with collecting() as gone:
        settings = {"CART_RISK_OTLP": gone.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with served(evidence_store.root, tmp_path, settings) as running:
        for _ in range(20):
            started = time.monotonic()
            assert running.client.post("/v1/assess", json=patient).status_code == 200
            assert time.monotonic() - started < 4
        assert "Traceback" not in running.output.read_text("utf-8")
