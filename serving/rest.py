"""The REST door: routes, bodies and refusals. It holds no clinical decision."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from data_schemas.evidence import Evidence, load_evidence
from data_schemas.patient_request import Problem, RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Declared, Quantity
from serving.artefact import (
    CARD_FILE,
    PRIOR_FILE,
    VERDICT_FILE,
    Artefact,
    ArtefactRefused,
    load_current,
)
from serving.assess import assess, model_statement
from serving.openapi import openapi_document
from serving.problem import problem_response

MOST_BODY_BYTES = 64 * 1024
_SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}


@dataclass
class Ward:
    """What the routes answer from: verified models, or the reason why there are none."""

    artefacts: dict[str, Artefact] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=load_evidence)
    refusal: str = "no model is in service: run `make serve`, or `cart-risk promote`"

    @property
    def ready(self) -> bool:
        """Tell whether every model in service was verified."""
        return bool(self.artefacts)

    @classmethod
    def open(cls, store: Path) -> "Ward":
        """Load what is current in the store; a refused artefact leaves the ward closed."""
        try:
            artefacts = load_current(store)
        except ArtefactRefused as refusal:
            return cls(refusal=f"a model in service was refused: {refusal}")
        return cls(artefacts=artefacts)


def rest_application(ward: Ward) -> Starlette:
    """Return the ASGI application of every route but health and metrics."""
    routes = [
        Route("/v1/assess", _assess, methods=["POST"]),
        Route("/v1/predictors", _predictors),
        Route("/v1/model", _model),
        Route("/docs.json", _openapi),
        *(Route(path, _page) for path in _PAGE_FILES),
    ]
    application = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _refused, Exception: _failed},  # type: ignore[dict-item]  # Starlette types handlers by their widest exception
    )
    application.state.ward = ward
    return application


async def _assess(request: Request) -> Response:
    ward: Ward = request.app.state.ward
    if not ward.ready:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, ward.refusal)
    body = await _body(request)
    if body is None:
        limit = f"the body may have at most {MOST_BODY_BYTES} bytes"
        return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, limit)
    try:
        # The standard parser reads NaN and Infinity, so that they can be refused by field.
        patient = json.loads(body, object_pairs_hook=_each_name_once)
    except (ValueError, RecursionError):
        return _refusal(
            HTTPStatus.BAD_REQUEST, "the body is not JSON in which each name stands once"
        )
    try:
        answer = assess(read_patient(patient), ward.artefacts, ward.evidence)
    except RequestProblems as refused:
        detail = f"{len(refused.problems)} problem(s); nothing was assessed"
        return _refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail, refused.problems)
    return _json(answer.model_dump(mode="json", exclude_none=True))


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a name that stands twice: nobody could say which value counts."""
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a name stands twice")
    return built


async def _body(request: Request) -> bytes | None:
    """Read the body, or stop reading and return None once it is too large."""
    received = b""
    async for chunk in request.stream():
        received += chunk
        if len(received) > MOST_BODY_BYTES:
            return None
    return received


async def _predictors(request: Request) -> Response:
    ward: Ward = request.app.state.ward
    used = {t.predictor for a in ward.artefacts.values() for t in a.model.terms}
    return _json(
        {"predictors": [_describe(name, PREDICTORS[name], name in used) for name in PREDICTORS]}
    )


def _describe(name: str, declared: Declared, used: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name,
        "label": declared.label,
        "group": declared.group,
        "tier": declared.tier,
        "required": name in REQUIRED,
        "used_by_model": used,
        "loinc": declared.loinc,
        "look_back_days": declared.look_back_days,
        "diseases": declared.diseases,
        "direction": {
            "severe_crs": declared.direction.severe_crs,
            "severe_icans": declared.direction.severe_icans,
            "reason": declared.reason,
        },
        "reference": declared.reference,
        "note": declared.note,
    }
    if isinstance(declared, Quantity):
        return described | {
            "kind": "quantity",
            "unit": declared.unit,
            "accepted_units": {
                unit: {"factor": float(c.factor), "offset": float(c.offset)}
                for unit, c in declared.conversions.items()
            },
            "hard_limits": declared.hard,
            "soft_limits": declared.soft,
            "whole_number": declared.whole,
            "columns": declared.columns(name),
        }
    if isinstance(declared, Category):
        return described | {"kind": "category", "choices": declared.choices}
    return described | {"kind": "flag", "choices": ["yes", "no", "unknown"]}


async def _model(request: Request) -> Response:
    ward: Ward = request.app.state.ward
    if not ward.ready:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, ward.refusal)
    return _json({"models": [_describe_model(a) for a in ward.artefacts.values()]})


def _describe_model(artefact: Artefact) -> dict[str, Any]:
    ruling = artefact.files.get(VERDICT_FILE)
    return {
        "outcome": artefact.model.outcome,
        "version": artefact.version,
        "sha256": artefact.sha256,
        "statement": model_statement(artefact.manifest),
        "manifest": artefact.manifest.model_dump(mode="json"),
        "verdict": None if ruling is None else json.loads(ruling)["verdict"],
        "prior": json.loads(artefact.files[PRIOR_FILE]),
        "model_card": artefact.files[CARD_FILE].decode(),
    }


async def _openapi(_request: Request) -> Response:
    return _json(openapi_document())


async def _page(request: Request) -> Response:
    name, media_type = _PAGE_FILES[request.url.path]
    content = (files("serving.web") / name).read_bytes()
    return Response(content, media_type=media_type, headers=_SECURITY_HEADERS)


def _json(data: object) -> Response:
    return Response(orjson.dumps(data), media_type="application/json", headers=_SECURITY_HEADERS)


def _refusal(status: HTTPStatus, detail: str, problems: tuple[Problem, ...] = ()) -> Response:
    response = problem_response(status, detail, problems)
    response.headers.update(_SECURITY_HEADERS)
    return response


async def _refused(_request: Request, error: HTTPException) -> Response:
    response = _refusal(HTTPStatus(error.status_code), error.detail)
    response.headers.update(error.headers or {})
    return response


async def _failed(_request: Request, _error: Exception) -> Response:
    return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; see its log")
