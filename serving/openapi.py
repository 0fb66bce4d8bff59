"""The OpenAPI 3.1 document: every operation, every status that is really produced, examples.

BentoML's document is replaced: it is labelled 3.0 but uses 3.1 constructs, and knows neither 422
nor 503.
"""

from functools import cache
from http import HTTPStatus
from typing import Any

from serving.doors.problem import MEDIA_TYPE
from serving.doors.visit import BRIEF_JSON
from serving.fhir.names import FHIR_JSON
from serving.openapi_fhir import EXAMPLE_BUNDLE, EXAMPLE_PARAMETERS
from serving.openapi_schemas import reference, schemas

API_VERSION = "1.5.0"
_JSON = "application/json"
_NDJSON = "application/x-ndjson"

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
_EXAMPLE_PROBLEM = {
    "type": "about:blank",
    "title": "Unprocessable Entity",
    "status": 422,
    "code": "unprocessable_entity",
    "detail": "1 problem(s); nothing was assessed",
    "problems": [
        {
            "field": "crp",
            "code": "unknown_unit",
            "message": "give one of the accepted units",
            "accepted": ["mg/L", "mg/dL"],
        }
    ],
}
_EXAMPLES: dict[str, Any] = {
    "Problem": _EXAMPLE_PROBLEM,
    "OutcomeKept": {
        "assessment_id": EXAMPLE_OUTCOME["assessment_id"],
        "outcome_id": "01a20595-05fe-7214-9608-823d337093f3",
        "recorded_at": "2026-03-30T08:15:00.000+00:00",
    },
    "Validated": {"valid": True, "values": [{"predictor": "crp", "value": 84.0, "unit": "mg/L"}]},
    "BriefBatchAnswer": {"items": [{"item": 0, "status": 422, "problem": _EXAMPLE_PROBLEM}]},
    "BatchAnswer": {"items": [{"item": 0, "status": 422, "problem": _EXAMPLE_PROBLEM}]},
    "Alive": {"alive": True},
}
_GUARDED = (401, 403, 429, 503)
_WITH_BODY = (408, 413, 415, 422)
_ALWAYS = (400, 500, 504)


@cache
def openapi_document() -> dict[str, Any]:
    """Return the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "CAR-T pre-infusion risk",
            "version": API_VERSION,
            "description": "Risk of severe CRS and severe ICANS before infusion. "
            "Research use only; not for clinical decisions.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/assess": {"post": _assess()},
            "/v1/assess/batch": {"post": _batch()},
            "/v1/assess/brief": {"post": _assess_briefly()},
            "/v1/assess/batch/brief": {"post": _batch_in_brief()},
            "/v1/validate": {"post": _validate()},
            "/v1/what-if": {"post": _what_if()},
            "/v1/outcomes": {"post": _outcomes()},
            "/v1/assessments/{id}": {"get": _look_up()},
            "/v1/predictors": {"get": _get("listPredictors", "The data contract", "Predictors")},
            "/v1/model": {"get": _get("describeModels", "The models in service", "Models", 503)},
            "/v1/model/history": {"get": _history()},
            "/fhir/$assess": {"post": _fhir_assess()},
            "/fhir/metadata": {"get": _fhir_metadata()},
            "/docs.json": {"get": _get("openapi", "This document", None)},
            "/livez": {"get": _get("livez", "The process answers", "Alive")},
            "/readyz": {
                "get": _get(
                    "readyz", "Every model was verified, and the log can be written", "Ready", 503
                )
            },
            "/metrics": {"get": _metrics()},
        },
        "components": {"schemas": schemas(), "securitySchemes": _SECURITY},
    }


_SECURITY: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key as `cart-risk keys add` prints it, or a signed JWT of the "
        "configured issuer. Scopes: assess, outcomes, admin.",
    }
}
_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The assessment_id that stood in the answer",
    "schema": {"type": "string", "format": "uuid"},
}


def _assess() -> dict[str, Any]:
    body = {_JSON: _content("Patient", EXAMPLE_PATIENT)}
    return _post("assess", "Assess one patient", body, _ok("An answer; read its status first"))


def _assess_briefly() -> dict[str, Any]:
    body = {_JSON: _content("Patient", EXAMPLE_PATIENT)}
    ok = _ok("The numbers alone; read the status first", "BriefAssessment")
    return _post("assessBrief", "Assess one patient, answered in numbers alone", body, ok)


def _batch() -> dict[str, Any]:
    summary = "Assess up to 10,000 patients, or a stream of lines"
    return _of_many("assessBatch", summary, "BatchAnswer", "BatchItem")


def _batch_in_brief() -> dict[str, Any]:
    summary = "Assess up to 10,000 patients, or a stream of lines, answered in numbers alone"
    return _of_many("assessBatchBrief", summary, "BriefBatchAnswer", "BriefBatchItem")


def _of_many(name: str, summary: str, answer: str, item: str) -> dict[str, Any]:
    body = {
        _JSON: _content("Batch", {"items": [EXAMPLE_PATIENT]}),
        _NDJSON: {"schema": {"type": "string", "description": "one Patient a line"}},
    }
    ok = {
        "description": "A status for each item, in their order",
        "content": {
            _JSON: _content(answer),
            _NDJSON: {"schema": {"type": "string", "description": f"one {item} a line"}},
        },
    }
    return _post(name, summary, body, ok)


def _validate() -> dict[str, Any]:
    body = {_JSON: _content("Patient", EXAMPLE_PATIENT)}
    ok = _ok("Nothing is wrong with it; nothing was computed or kept", "Validated")
    return _post("validate", "Check one patient without assessing", body, ok)


def _what_if() -> dict[str, Any]:
    example = {"patient": EXAMPLE_PATIENT, "changes": _EXAMPLE_CHANGES}
    body = {_JSON: _content("WhatIf", example)}
    ok = _ok("The answer if the values were re-measured, or the treatment planned, as given")
    return _post(
        "whatIf", "Assess one patient with some inputs re-measured or planned otherwise", body, ok
    )


def _outcomes() -> dict[str, Any]:
    body = {_JSON: _content("Outcome", EXAMPLE_OUTCOME)}
    operation = _post("reportOutcome", "Report what happened", body, {}, 404, 410)
    del operation["responses"]["200"]
    operation["responses"]["201"] = _ok("It was kept", "OutcomeKept")
    return operation


def _look_up() -> dict[str, Any]:
    ok = _ok("The assessment as it was sent, and the outcomes since", "StoredAssessment")
    ok["content"][BRIEF_JSON] = _content("StoredBriefAssessment")
    refused = _problems(*_GUARDED, *_ALWAYS, 404, 410)
    summary = "Look one assessment up"
    operation = {"operationId": "lookUp", "summary": summary, "parameters": [_ID]}
    return _guarded(operation | {"responses": {"200": ok} | refused})


def _history() -> dict[str, Any]:
    operation = _get("modelHistory", "What answered when", "History", *_GUARDED)
    return _guarded(operation)


def _fhir_assess() -> dict[str, Any]:
    ok = {
        "description": "A RiskAssessment; or an OperationOutcome where no risk can be given",
        "content": {FHIR_JSON: {"schema": reference("FhirAnswer")}},
    }
    summary = "Assess the patient of a FHIR R4 Bundle, sent bare or within Parameters"
    body = {
        FHIR_JSON: _content("FhirRequest", EXAMPLE_BUNDLE),
        _JSON: _content("FhirRequest", EXAMPLE_PARAMETERS),
    }
    return _in_fhir(_post("fhirAssess", summary, body, ok, 406))


def _fhir_metadata() -> dict[str, Any]:
    operation = _get("fhirMetadata", "What the FHIR door does", None, 406)
    content = {FHIR_JSON: _content("CapabilityStatement")}
    operation["responses"]["200"]["content"] = content
    return _in_fhir(operation)


def _in_fhir(operation: dict[str, Any]) -> dict[str, Any]:
    """Let an operation refuse in the dialect of FHIR."""
    for status, response in operation["responses"].items():
        if status != "200":
            response["content"] = {FHIR_JSON: _content("OperationOutcome")}
    return operation


def _metrics() -> dict[str, Any]:
    operation = _get("metrics", "Prometheus metrics", None)
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return operation


def _post(
    operation: str, summary: str, body: dict[str, Any], ok: dict[str, Any], *others: int
) -> dict[str, Any]:
    return _guarded(
        {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": True, "content": body},
            "responses": {"200": ok} | _problems(*_GUARDED, *_WITH_BODY, *_ALWAYS, *others),
        }
    )


def _get(operation: str, summary: str, schema: str | None, *problems: int) -> dict[str, Any]:
    responses = {"200": _ok(summary, schema)} | _problems(*_ALWAYS, *problems)
    return {"operationId": operation, "summary": summary, "responses": responses}


def _guarded(operation: dict[str, Any]) -> dict[str, Any]:
    return operation | {"security": [{"key": []}]}


def _ok(description: str, schema: str | None = "RiskAssessment") -> dict[str, Any]:
    content = _content(schema) if schema else {"schema": {"type": "object"}}
    return {"description": description, "content": {_JSON: content}}


def _problems(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: _content("Problem")},
        }
        for status in sorted(statuses)
    }


def _content(schema: str, example: Any = None) -> dict[str, Any]:
    example = example or _EXAMPLES.get(schema)
    content = {"schema": reference(schema)}
    return content if example is None else content | {"example": example}
