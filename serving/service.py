"""The BentoML service: ``bentoml serve serving.service:RiskService``.

BentoML brings the server, its workers and their supervision. Every request is answered by
``serving.rest``, which stands in front of BentoML's own application: its routes print malformed
bodies into the log and refuse in another dialect, and what it wraps around them costs more than an
answer. ``docs/decisions/0018-bentoml-settings.md`` says why each setting is as it is.
"""

import asyncio
import atexit
import gc
import logging
import sys
from functools import cache

import bentoml
from _bentoml_sdk import Service
from starlette.types import ASGIApp, Receive, Scope, Send

from data_schemas.patient_request import read_patient
from data_schemas.refusal import Refused
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.doors.connection import limit_connections
from serving.doors.gate import DEADLINE_SECONDS
from serving.doors.guard import Guard
from serving.doors.logs import log_as_json
from serving.doors.metrics import leave_nothing_uncounted
from serving.doors.metrics_folder import count_apart
from serving.doors.settings import DoorSettings
from serving.doors.supervision import end_with_supervisor, look_after_workers_often
from serving.openapi import EXAMPLE_PATIENT
from serving.rest import RestApplication
from serving.settings import LogSettings, Settings
from serving.ward import Ward

log_as_json()
limit_connections()
look_after_workers_often()
count_apart()
atexit.register(leave_nothing_uncounted)
_settings = Settings.from_environment()
try:
    _doors = DoorSettings.from_environment()
    # Made here already, so that a service which nobody could ask does not even start.
    _guard: Guard = _doors.guard(_settings.store)
    # Made again by each worker; here it says at once what none of them could begin with.
    LogHome(LogSettings.from_environment())
except Refused as refused:
    sys.exit(f"cart-risk does not start: {refused}")
_log = logging.getLogger("cart_risk.service")


@cache
def application() -> RestApplication:
    """Return what answers in this process; the first call loads the models and opens the log."""
    ward = Ward.open(_settings.store)
    log = AssessmentLog.open(LogSettings.from_environment(), _example(ward))
    return RestApplication(
        ward, _guard, log, _settings.store, product_what_if=_doors.product_what_if
    )


def _example(ward: Ward) -> bytes:
    if ward.assessor is None:
        return b""
    return ward.assessor.assess(read_patient(EXAMPLE_PATIENT)).to_json()


class InFront:
    """Answers every request itself; the rest of the protocol is BentoML's."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of BentoML's application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http":
            await application()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class FrontedService(Service):  # type: ignore[misc]  # the library is not typed
    """A BentoML service whose requests do not pass through BentoML's own layers."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """Return what the server runs: ours, with BentoML's application behind it."""
        ours = InFront(super().to_asgi(is_main))
        if _doors.otlp_endpoint is None:
            return ours
        # Who is not traced does not hold the exporter and its libraries in memory.
        from serving.doors.tracing import Traced

        return Traced(ours, endpoint=_doors.otlp_endpoint)


@bentoml.service(
    name="cart-risk",
    service_class=FrontedService,
    workers=_doors.workers,
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
    traffic={"timeout": DEADLINE_SECONDS + 1},
)
class RiskService:
    """Answers for the models that are in service."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # BentoML leaves it so
    def begin(self) -> None:
        """Load and open everything, then let the garbage collector leave it alone."""
        try:
            application().start()
        except Exception as error:
            reason = str(error) if isinstance(error, Refused) else "a fault of our own"
            _log.error("not started", extra={"error": type(error).__name__, "reason": reason})
            raise
        self._supervised = asyncio.create_task(end_with_supervisor())
        # The log's thread, once it has waited for a slow disk, shall not wait for the interpreter.
        sys.setswitchinterval(0.0005)
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def end(self) -> None:
        """Write what waits for the disk."""
        await application().stop()
