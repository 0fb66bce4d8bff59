"""The OpenAPI 3.1 document: every operation, every status that is really produced, examples.

BentoML's document is replaced: it is labelled 3.0 but uses 3.1 constructs, and knows neither 422
nor 503.
"""

from dataclasses import replace
from functools import cache
from typing import Any

from serving.api_keys import Scope
from serving.doors.batch import MOST_BATCH_BYTES
from serving.doors.fhir import MOST_BUNDLE_BYTES
from serving.doors.problem import problem_document
from serving.doors.visit import BRIEF_JSON, JSON, NDJSON
from serving.fhir.names import FHIR_JSON
from serving.openapi_fhir import EXAMPLE_BUNDLE, EXAMPLE_PARAMETERS
from serving.openapi_refusals import (
    ALWAYS,
    GUARDED,
    HEADS,
    MANY_PATIENTS,
    ONE_BUNDLE,
    ONE_PATIENT,
    WITH_BODY,
    Asked,
    unread_batch,
    unread_bundle,
    unread_outcome,
    unread_patient,
)
from serving.openapi_schemas import reference, schemas

API_VERSION = "1.10.0"

EXAMPLE_PATIENT: dict[str, Any] = {
    "product": "axicabtagene_ciloleucel",
    "disease": "LBCL",
    "age": {"value": 64, "unit": "a"},
    "crp": {"value": 8.4, "unit": "mg/dL"},
    "ferritin": {"value": 1850, "unit": "ng/mL"},
    "ldh": {"value": 480, "unit": "U/L"},
    "ldh_uln": {"value": 240, "unit": "U/L"},
    "platelets": {"value": 74, "unit": "10*9/L"},
    "mtv": {"value": 310, "unit": "mL"},
    "albumin": {"value": 36, "unit": "g/L"},
    "creatinine": {"value": 80, "unit": "umol/L"},
    "hemoglobin": {"value": 9.8, "unit": "g/dL"},
    "anc": {"value": 2.1, "unit": "10*9/L"},
    "ecog": {"value": 1, "unit": "{score}"},
}
"""An invented patient."""


EXAMPLE_OUTCOME: dict[str, Any] = {
    "assessment_id": "01a20595-05f6-710d-abc4-280aa77dad40",
    "crs_grade": 2,
    "icans_grade": 0,
    "grading_scale": "ASTCT2019",
    "follow_up_days": 28,
}
_EXAMPLE_CHANGES = {"crp": {"value": 20, "unit": "mg/L"}}
_UNREAD = unread_patient(EXAMPLE_PATIENT, "nothing was assessed")
_ITEM = {"item": 0, "status": 422, "problem": problem_document(_UNREAD)}
_EXAMPLES: dict[str, Any] = {
    "OutcomeKept": {
        "assessment_id": EXAMPLE_OUTCOME["assessment_id"],
        "outcome_id": "01a20595-05fe-7214-9608-823d337093f3",
        "recorded_at": "2026-03-30T08:15:00.000+00:00",
    },
    "Validated": {"valid": True, "values": [{"predictor": "crp", "value": 84.0, "unit": "mg/L"}]},
    "BriefBatchAnswer": {"items": [_ITEM]},
    "BatchAnswer": {"items": [_ITEM]},
    "Alive": {"alive": True},
}
_OPEN = Asked(method="GET")
_OF_A_PATIENT = Asked(method="POST", media_types=(JSON,), unread=_UNREAD)


@cache
def openapi_document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CAR-T pre-infusion risk",
            "version": API_VERSION,
            "description": "Risk of severe CRS and severe ICANS before infusion. "
            f"Research use only; not for clinical decisions. {HEADS} "
            "Within v1 an answer may gain fields, and every list of words in it but a status may "
            "gain words: pass over a field that you do not know, and treat an unknown caution "
            "like any other.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _with_request_ids(_paths()),
        "components": {"schemas": schemas(), "securitySchemes": _SECURITY},
    }


def _paths() -> dict[str, dict[str, Any]]:
    return {
        "/v1/assess": {"post": _assess()},
        "/v1/assess/batch": {"post": _batch()},
        "/v1/assess/brief": {"post": _assess_briefly()},
        "/v1/assess/batch/brief": {"post": _batch_in_brief()},
        "/v1/validate": {"post": _validate()},
        "/v1/what-if": {"post": _what_if()},
        "/v1/outcomes": {"post": _outcomes()},
        "/v1/assessments/{id}": {"get": _look_up()},
        "/v1/predictors": {"get": _get("listPredictors", "The data contract", "Predictors")},
        "/v1/model": {"get": _get("describeModels", "The models in service", "Models", _MODELS)},
        "/v1/model/history": {"get": _history()},
        "/fhir/$assess": {"post": _fhir_assess()},
        "/fhir/metadata": {"get": _fhir_metadata()},
        "/docs.json": {"get": _get("openapi", "This document", None)},
        "/livez": {"get": _get("livez", "The process answers", "Alive")},
        "/readyz": {
            "get": _get(
                "readyz", "Every model was verified, and the log can be written", "Ready", _MODELS
            )
        },
        "/metrics": {"get": _metrics()},
    }


_REQUEST_ID: dict[str, Any] = {
    "description": "Of this request, made by the service; it stands in the service's log",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}


def _with_request_ids(paths: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the operations, each of whose responses has the header that every response has."""
    for operations in paths.values():
        for operation in operations.values():
            for response in operation["responses"].values():
                response["headers"] = response.get("headers", {}) | {"x-request-id": _REQUEST_ID}
    return paths


_SECURITY: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key as `cart-risk keys add` prints it, or a signed JWT of the "
        "configured issuer. Scopes: assess, outcomes, admin.",
    }
}
_MODELS = replace(_OPEN, needs_model=True)
_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The assessment_id that stood in the answer",
    "schema": {"type": "string", "format": "uuid"},
}


def _assess() -> dict[str, Any]:
    body = _body(ONE_PATIENT, {JSON: _content("Patient", EXAMPLE_PATIENT)})
    return _post("assess", "Assess one patient", body, _ok("An answer; read its status first"))


def _assess_briefly() -> dict[str, Any]:
    body = _body(ONE_PATIENT, {JSON: _content("Patient", EXAMPLE_PATIENT)})
    ok = _ok("The numbers alone; read the status first", "BriefAssessment")
    return _post("assessBrief", "Assess one patient, answered in numbers alone", body, ok)


def _batch() -> dict[str, Any]:
    summary = "Assess up to 10,000 patients, or a stream of lines"
    return _of_many("assessBatch", summary, "BatchAnswer", "BatchItem")


def _batch_in_brief() -> dict[str, Any]:
    summary = "Assess up to 10,000 patients, or a stream of lines, answered in numbers alone"
    return _of_many("assessBatchBrief", summary, "BriefBatchAnswer", "BriefBatchItem")


def _of_many(name: str, summary: str, answer: str, item: str) -> dict[str, Any]:
    content = {
        JSON: _content("Batch", {"items": [EXAMPLE_PATIENT]}),
        NDJSON: {"schema": {"type": "string", "description": "one Patient a line"}},
    }
    ok = {
        "description": "A status for each item, in their order",
        "content": {
            JSON: _content(answer),
            NDJSON: {"schema": {"type": "string", "description": f"one {item} a line"}},
        },
    }
    asked = Asked(
        method="POST",
        media_types=(JSON, NDJSON),
        most_bytes=MOST_BATCH_BYTES,
        unread=unread_batch(),
    )
    return _post(name, summary, _body(MANY_PATIENTS, content), ok, asked)


def _validate() -> dict[str, Any]:
    body = _body(ONE_PATIENT, {JSON: _content("Patient", EXAMPLE_PATIENT)})
    ok = _ok("Nothing is wrong with it; nothing was computed or kept", "Validated")
    asked = replace(
        _OF_A_PATIENT, unread=unread_patient(EXAMPLE_PATIENT, "nothing would be assessed")
    )
    return _post("validate", "Check one patient without assessing", body, ok, asked)


def _what_if() -> dict[str, Any]:
    example = {"patient": EXAMPLE_PATIENT, "changes": _EXAMPLE_CHANGES}
    body = _body(ONE_PATIENT, {JSON: _content("WhatIf", example)})
    ok = _ok("The answer if the values were re-measured, or the treatment planned, as given")
    return _post(
        "whatIf", "Assess one patient with some inputs re-measured or planned otherwise", body, ok
    )


def _outcomes() -> dict[str, Any]:
    body = _body(ONE_PATIENT, {JSON: _content("Outcome", EXAMPLE_OUTCOME)})
    unread = unread_outcome(EXAMPLE_OUTCOME)
    asked = replace(_OF_A_PATIENT, scope=Scope.OUTCOMES, unread=unread)
    operation = _post("reportOutcome", "Report what happened", body, {}, asked, 404, 410)
    del operation["responses"]["200"]
    operation["responses"]["201"] = _ok("It was kept", "OutcomeKept")
    return operation


def _look_up() -> dict[str, Any]:
    ok = _ok("The assessment as it was sent, and the outcomes since", "StoredAssessment")
    ok["content"][BRIEF_JSON] = _content("StoredBriefAssessment")
    refused = _OPEN.refusals(*GUARDED, *ALWAYS, 404, 410)
    summary = "Look one assessment up"
    operation = {"operationId": "lookUp", "summary": summary, "parameters": [_ID]}
    return _guarded(operation | {"responses": {"200": ok} | refused})


def _history() -> dict[str, Any]:
    asked = replace(_OPEN, scope=Scope.ADMIN)
    operation = _get("modelHistory", "What answered when", "History", asked, *GUARDED)
    return _guarded(operation)


def _fhir_assess() -> dict[str, Any]:
    ok = {
        "description": "A RiskAssessment; or an OperationOutcome where no risk can be given",
        "content": {FHIR_JSON: {"schema": reference("FhirAnswer")}},
    }
    summary = "Assess the patient of a FHIR R4 Bundle, sent bare or within Parameters"
    content = {
        FHIR_JSON: _content("FhirRequest", EXAMPLE_BUNDLE),
        JSON: _content("FhirRequest", EXAMPLE_PARAMETERS),
    }
    asked = Asked(
        method="POST",
        media_types=(FHIR_JSON, JSON),
        most_bytes=MOST_BUNDLE_BYTES,
        unread=unread_bundle(EXAMPLE_BUNDLE),
        in_fhir=True,
    )
    return _post("fhirAssess", summary, _body(ONE_BUNDLE, content), ok, asked, 406)


def _fhir_metadata() -> dict[str, Any]:
    asked = replace(_OPEN, in_fhir=True)
    operation = _get("fhirMetadata", "What the FHIR door does", None, asked, 406)
    content = {FHIR_JSON: _content("CapabilityStatement")}
    operation["responses"]["200"]["content"] = content
    return operation


def _metrics() -> dict[str, Any]:
    operation = _get("metrics", "Prometheus metrics", None)
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return operation


def _body(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "description": description, "content": content}


def _post(
    operation: str,
    summary: str,
    body: dict[str, Any],
    ok: dict[str, Any],
    asked: Asked = _OF_A_PATIENT,
    *others: int,
) -> dict[str, Any]:
    refused = asked.refusals(*GUARDED, *WITH_BODY, *ALWAYS, *others)
    return _guarded(
        {
            "operationId": operation,
            "summary": summary,
            "requestBody": body,
            "responses": {"200": ok} | refused,
        }
    )


def _get(
    operation: str, summary: str, schema: str | None, asked: Asked = _OPEN, *others: int
) -> dict[str, Any]:
    unavailable = (503,) if asked.needs_model else ()
    refused = asked.refusals(*ALWAYS, *unavailable, *others)
    responses = {"200": _ok(summary, schema)} | refused
    return {"operationId": operation, "summary": summary, "responses": responses}


def _guarded(operation: dict[str, Any]) -> dict[str, Any]:
    return operation | {"security": [{"key": []}]}


def _ok(description: str, schema: str | None = "RiskAssessment") -> dict[str, Any]:
    content = _content(schema) if schema else {"schema": {"type": "object"}}
    return {"description": description, "content": {JSON: content}}


def _content(schema: str, example: Any = None) -> dict[str, Any]:
    example = example or _EXAMPLES.get(schema)
    content = {"schema": reference(schema)}
    return content if example is None else content | {"example": example}
