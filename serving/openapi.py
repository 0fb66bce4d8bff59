"""The OpenAPI 3.1 document, made from the contract and from the answer's own record.

BentoML's document is replaced: it is labelled 3.0 but uses 3.1 constructs, and knows neither 422
nor 503.
"""

from functools import cache
from typing import Any

from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Predictor, Quantity
from data_schemas.products import PRODUCT_SPELLINGS
from data_schemas.risk_assessment import RiskAssessment
from serving.problem import MEDIA_TYPE

API_VERSION = "1.0.0"

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


@cache
def openapi_document() -> dict[str, Any]:
    """Return the document."""
    answer = RiskAssessment.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = answer.pop("$defs")
    schemas |= {"RiskAssessment": answer}
    for schema in schemas.values():
        _let_nulls_be_left_out(schema)
    schemas |= {"Patient": _patient(), "Problem": _PROBLEM}
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
            "/v1/assess": {"post": _assess_operation()},
            "/v1/predictors": {"get": _get("The data contract", "listPredictors")},
            "/v1/model": {"get": _get("The models in service", "describeModels", 503)},
            "/docs.json": {"get": _get("This document", "openapi")},
            "/livez": {"get": _plain("The process lives", "livez")},
            "/readyz": {"get": _plain("Every model was verified and reproduced", "readyz", 503)},
            "/metrics": {"get": _plain("Prometheus metrics", "metrics")},
        },
        "components": {"schemas": schemas},
    }


def _let_nulls_be_left_out(schema: dict[str, Any]) -> None:
    """Require only what every answer holds: a field that is null is not sent."""
    null = {"type": "null"}
    schema["required"] = [
        name
        for name in schema.get("required", ())
        if null not in schema["properties"][name].get("anyOf", ())
    ]


def _assess_operation() -> dict[str, Any]:
    return {
        "operationId": "assess",
        "summary": "Assess one patient",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Patient"},
                    "example": EXAMPLE_PATIENT,
                }
            },
        },
        "responses": {
            "200": {
                "description": "An answer; read its status first",
                "content": _content("application/json", "RiskAssessment"),
            },
            **_problems(400, 413, 422, 500, 503),
        },
    }


def _get(summary: str, operation: str, *problems: int) -> dict[str, Any]:
    media = {"application/json": {"schema": {"type": "object"}}}
    ok = {"200": {"description": summary, "content": media}}
    return {"operationId": operation, "summary": summary, "responses": ok | _problems(*problems)}


def _plain(summary: str, operation: str, *others: int) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary}}
    responses |= {str(status): {"description": "not so"} for status in others}
    return {"operationId": operation, "summary": summary, "responses": responses}


def _problems(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {"description": "Refused", "content": _content(MEDIA_TYPE, "Problem")}
        for status in statuses
    }


def _content(media_type: str, schema: str) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "problems"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message", "accepted"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "accepted": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}


def _patient() -> dict[str, Any]:
    properties = {name: _property(name, declared) for name, declared in PREDICTORS.items()}
    properties["infusion_date"] = {
        "type": "string",
        "description": "ISO 8601 date, or date-time where hours matter",
        "examples": ["2026-03-12"],
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(REQUIRED),
        "properties": properties,
    }


def _property(name: str, declared: Predictor) -> dict[str, Any]:
    described: dict[str, Any] = {"title": declared.label, "description": declared.note}
    if isinstance(declared, Category):
        words = sorted(PRODUCT_SPELLINGS) if name == "product" else declared.choices
        return described | {"type": "string", "enum": sorted({*words, *declared.choices})}
    if not isinstance(declared, Quantity):
        return described | {"enum": [True, False, "yes", "no", "unknown"]}
    quantity = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value", "unit"],
        "properties": {
            "value": {"type": "number"},
            "unit": {"type": "string", "examples": list(declared.conversions)},
            "measured_at": {"type": "string", "examples": ["2026-03-09", "2026-03-09T06:40:00Z"]},
        },
    }
    if name == "age":
        return described | {"anyOf": [quantity, {"const": "unknown"}]}
    return described | quantity
