"""What the service does, written by hand on FastAPI, orjson and uvicorn.

The same readers, models, guard and log, the same bytes, one line of JSON and one count a request.
It has no deadline, no limit of body, head or requests in flight, no security headers, no refusals
in the service's dialect, and does not watch for new models or keys.

    uvicorn peer_fastapi:app
"""

import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from time import perf_counter

import orjson
from fastapi import FastAPI, Request, Response
from prometheus_client import Counter, Histogram

from data_schemas.evidence import load_evidence
from data_schemas.patient_request import read_patient
from serving.api_keys import KeyFile, Scope
from serving.assess import Assessor
from serving.assessment_log.entries import LogEntry, new_id
from serving.assessment_log.log import AssessmentLog
from serving.doors.guard import Guard
from serving.doors.logs import log_as_json
from serving.doors.rate_limit import RateLimit
from serving.doors.strict_json import read_json
from serving.model.store import load_current
from serving.openapi import EXAMPLE_PATIENT
from serving.settings import LogSettings, Settings

JSON = "application/json"
ASSESS = "/v1/assess"
REQUESTS = Counter("requests", "Answers sent.", ("route", "method", "status"))
SECONDS = Histogram("request_seconds", "Time to answer.", ("route",))
_log = logging.getLogger("cart_risk.requests")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load the models, read the keys, open the log."""
    log_as_json()
    store: Path = Settings.from_environment().store
    app.state.assessor = assessor = Assessor(load_current(store), load_evidence())
    app.state.guard = Guard(KeyFile.beside(store), RateLimit(10_000))
    example = assessor.assess(read_patient(EXAMPLE_PATIENT)).to_json()
    app.state.log = log = AssessmentLog.open(LogSettings.from_environment(), example)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    yield
    log.close()


app = FastAPI(lifespan=lifespan, openapi_url=None)


@app.get("/readyz")
async def readyz() -> Response:
    """Answer once everything is loaded."""
    return Response(b"{}", media_type=JSON)


@app.post(ASSESS)
async def assess(request: Request) -> Response:
    """Assess one patient and keep the answer."""
    started = perf_counter()
    state = request.app.state
    caller = state.guard.let_pass(request.headers.get("authorization", ""), Scope.ASSESS).id
    content = await request.body()
    assessor: Assessor = state.assessor
    made = assessor.assess(read_patient(read_json(content)))
    assessment_id, request_id = new_id(), token_hex(16)
    assessed_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    head = {"assessment_id": str(assessment_id), "assessed_at": assessed_at}
    answer = orjson.dumps({**head, **made.fields})
    log: AssessmentLog = state.log
    await log.append(
        LogEntry(
            id=assessment_id,
            input=content,
            answer=answer,
            status=made.status,
            model_hashes=assessor.model_hashes,
            request_id=request_id,
            api_key_id=caller,
        )
    )
    seconds = perf_counter() - started
    REQUESTS.labels(ASSESS, "POST", 200).inc()
    SECONDS.labels(ASSESS).observe(seconds)
    told = {"route": ASSESS, "method": "POST", "status": 200, "request_id": request_id}
    _log.info(
        "answered", extra={**told, "milliseconds": round(1000 * seconds, 3), "caller": caller}
    )
    return Response(answer, media_type=JSON)
