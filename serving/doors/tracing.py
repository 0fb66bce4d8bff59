"""One OpenTelemetry span a request, which holds what its line in the log holds.

BentoML's own spans name the whole address with its query, the browser and the caller's machine;
these hold the route's template, the method, the status and the request's id. Of what a caller sends
only ``traceparent`` is read, two random numbers by which the span joins the caller's trace (W3C
Trace Context); not ``tracestate`` nor ``baggage``, in which anything may stand.
"""

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.doors.gate import METHODS, NOWHERE, ROUTE

_log = logging.getLogger("cart_risk.tracing")
_OTHER = "_OTHER"
"""What OpenTelemetry calls a method that is none of HTTP's."""


class _Exporter(OTLPSpanExporter):
    """Tells once that spans are lost, and once that they arrive again."""

    _loses = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = super().export(spans)
        lost, self._loses = self._loses, result is not SpanExportResult.SUCCESS
        if self._loses and not lost:
            _log.error("spans are lost: the collector that CART_RISK_OTLP names takes none")
        elif lost and not self._loses:
            _log.info("the collector takes spans again")
        return result


class Traced:
    """Stands in front of an application and sends a span of each request to a collector."""

    def __init__(self, app: ASGIApp, endpoint: str) -> None:
        """Send to ``endpoint``, from a thread of its own that no answer waits for."""
        self._app = app
        provider = TracerProvider(resource=Resource.create({"service.name": "cart-risk"}))
        provider.add_span_processor(BatchSpanProcessor(_Exporter(endpoint)))
        # Each attempt would be a line, with the collector's address and whatever stands in it.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._tracer = provider.get_tracer(__name__)
        self._callers_trace = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and tell what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        parent = self._callers_trace.extract({"traceparent": sent})
        span = self._tracer.start_span("request", parent, SpanKind.SERVER)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                _tell(span, message)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            _name(span, scope)
            span.end()


def _tell(span: Span, start: Message) -> None:
    span.set_attribute("http.response.status_code", start["status"])
    request_id = dict(start["headers"]).get(b"x-request-id", b"").decode()
    span.set_attribute("cart_risk.request_id", request_id)


def _name(span: Span, scope: Scope) -> None:
    route = scope.get(ROUTE, NOWHERE)
    method = scope["method"] if scope["method"] in METHODS else _OTHER
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.request.method", method)
