"""The schemas of what is sent and of what is answered, made from the contract."""

from collections.abc import Iterator
from typing import Any

from data_schemas.brief_assessment import BriefAssessment
from data_schemas.possible_dates import FIRST_INFUSIONS, MOST_DAYS_AHEAD
from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Predictor, Quantity
from data_schemas.products import DISEASES, PRODUCT_SPELLINGS
from data_schemas.reported_outcome import FIELDS, LONGEST_FOLLOW_UP_DAYS
from data_schemas.risk_assessment import Record, RiskAssessment, Status
from data_schemas.toxicity_grading import HIGHEST_GRADE, GradingScale
from data_schemas.unread_values import ABOVE_MEASURED, BELOW_DETECTION, LEAVE_OUT
from serving.fhir.bundle import TYPES
from serving.fhir.capability import VERSION
from serving.fhir.closed_world import READ_FROM_CONDITIONS
from serving.fhir.parameters import OFFERED

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string"}
_ID: Schema = {"type": "string", "format": "uuid"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FREE: Schema = {"type": "object"}
_REFERENCE: Schema = {
    "type": "string",
    "pattern": "^[0-9A-Za-z._:-]{1,64}$",
    "description": "your own opaque word for the patient, never a name or a record number; "
    "only a keyed hash of it is kept, by which the patient can be erased",
}


def reference(schema: str) -> Schema:
    """Return a reference to a schema by name."""
    return {"$ref": f"#/components/schemas/{schema}"}


def schemas() -> dict[str, Schema]:
    """Return every schema by name."""
    found = _records(RiskAssessment) | _records(BriefAssessment)
    for name, schema in found.items():
        _let_nulls_be_left_out(schema)
        if name not in _CLOSED_LISTS:
            _let_it_grow(schema)
    for name in ("RiskAssessment", "BriefAssessment"):
        _begin_with_head(found[name])
    answer = found["RiskAssessment"]
    answer["properties"]["what_if"] = _object(
        {"title": _TEXT, "changed": _list(_TEXT), "notes": _list(_TEXT)}
    )
    answer["properties"]["fhir"] = _FREE | {
        "description": "what a FHIR client was sent; of an assessment that is looked up"
    }
    return found | _SENT | _ANSWERED | {"Patient": _patient()}


def _records(answer: type[Record]) -> dict[str, Schema]:
    schema = answer.model_json_schema(ref_template="#/components/schemas/{model}")
    return schema.pop("$defs") | {answer.__name__: schema}


def _begin_with_head(answer: Schema) -> None:
    answer["properties"] = {"assessment_id": _ID, "assessed_at": _TIME} | answer["properties"]
    answer["required"] = ["assessment_id", "assessed_at", *answer["required"]]


def _object(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _closed(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    return _object(properties, optional) | {"additionalProperties": False}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _let_nulls_be_left_out(schema: Schema) -> None:
    """Require only what every answer holds: a field that is null is not sent."""
    null = {"type": "null"}
    schema["required"] = [
        name
        for name in schema.get("required", ())
        if null not in schema["properties"][name].get("anyOf", ())
    ]


_CLOSED_LISTS = frozenset({Status.__name__})
"""Of the lists of words in an answer, those that do not grow within v1."""


def _let_it_grow(schema: Schema) -> None:
    """Let an answer gain fields and words: a client that checks it goes on working.

    Words of today stand under ``x-extensible-enum``, which says that others may come.
    """
    schema.pop("additionalProperties", None)
    for part in (schema, *_parts(schema)):
        if "enum" in part:
            part["x-extensible-enum"] = part.pop("enum")


def _parts(schema: Schema) -> Iterator[Schema]:
    for field in schema.get("properties", {}).values():
        yield field
        yield from field.get("anyOf", ())


_GRADE: Schema = {"type": "integer", "minimum": 0, "maximum": HIGHEST_GRADE}
_OUTCOME: dict[str, Schema] = {
    "assessment_id": _ID,
    **{name: _GRADE for name in FIELDS if name.endswith("_grade")},
    "grading_scale": {"type": "string", "examples": [GradingScale.ASTCT2019.value]},
    "follow_up_days": {"type": "integer", "minimum": 0, "maximum": LONGEST_FOLLOW_UP_DAYS},
}


def _item(assessment: str) -> Schema:
    return _object(
        {
            "item": {
                "type": "integer",
                "minimum": 0,
                "description": "Which of the patients that were sent, counted from 0. Of lines, "
                "empty ones are no patient and not counted: it is not the number of the line.",
            },
            "status": {"type": "integer"},
            "assessment": reference(assessment),
            "problem": reference("Problem"),
        },
        ("assessment", "problem"),
    )


def _stored(assessment: str) -> Schema:
    reported = _object({"outcome_id": _ID, "recorded_at": _TIME, **_OUTCOME}, FIELDS)
    return _object({"assessment": reference(assessment), "outcomes": _list(reported)})


_ISSUE = _object(
    {
        "severity": {"enum": ["error", "warning", "information"]},
        "code": _TEXT,
        "details": _object({"text": _TEXT, "coding": _list(_FREE)}, ("coding",)),
        "expression": _list(_TEXT),
    },
    ("expression",),
)
_OUTCOME_RESOURCE = _object(
    {"resourceType": {"const": "OperationOutcome"}, "id": _ID, "issue": _list(_ISSUE)}, ("id",)
)
_RISK_BUNDLE = _object(
    {
        "resourceType": {"const": "Bundle"},
        "type": {"const": "collection"},
        "timestamp": _TIME,
        "entry": _list(_object({"fullUrl": _TEXT, "resource": _FREE}, ("fullUrl",))),
    }
)
_COMPLETE: Schema = {
    "enum": list(OFFERED),
    "description": "of these resources none of the patient's is missing, so that "
    f"{', '.join(READ_FROM_CONDITIONS)} without one are taken as no",
}
_PARAMETER = [
    _object({"name": {"const": "bundle"}, "resource": reference("FhirBundle")}),
    _object({"name": {"const": "reference"}, "valueString": _REFERENCE}),
    _object({"name": {"const": "closedWorld"}, "valueCode": _COMPLETE}),
]
_SENT: dict[str, Schema] = {
    "Batch": _closed({"items": _list({}) | {"minItems": 1, "maxItems": 10_000}}),
    "WhatIf": _closed({"patient": reference("Patient"), "changes": _FREE | {"minProperties": 1}}),
    "FhirBundle": _object(
        {
            "resourceType": {"const": "Bundle"},
            "type": {"enum": list(TYPES)},
            "entry": _list(_FREE) | {"description": "resources about one Patient"},
        }
    ),
    "FhirParameters": _object(
        {
            "resourceType": {"const": "Parameters"},
            "parameter": _list({"anyOf": _PARAMETER})
            | {"description": "one bundle, at most one reference, any number of closedWorld"},
        }
    ),
    "FhirRequest": {"anyOf": [reference("FhirBundle"), reference("FhirParameters")]},
    "Outcome": _closed(_OUTCOME, tuple(name for name in FIELDS if name.endswith("_grade"))),
}
_ANSWERED: dict[str, Schema] = {
    "Problem": _object(
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "code": _TEXT,
            "detail": _TEXT,
            "problems": _list(
                _object({"field": _TEXT, "code": _TEXT, "message": _TEXT, "accepted": _list(_TEXT)})
            ),
        }
    ),
    "BatchItem": _item("RiskAssessment"),
    "BatchAnswer": _object({"items": _list(reference("BatchItem"))}),
    "BriefBatchItem": _item("BriefAssessment"),
    "BriefBatchAnswer": _object({"items": _list(reference("BriefBatchItem"))}),
    "Validated": _object(
        {
            "valid": {"const": True},
            "values": _list(_object({"predictor": _TEXT, "value": {}, "unit": _TEXT}, ("unit",))),
        }
    ),
    "OutcomeKept": _object({"assessment_id": _ID, "outcome_id": _ID, "recorded_at": _TIME}),
    "StoredAssessment": _stored("RiskAssessment"),
    "StoredBriefAssessment": _stored("BriefAssessment"),
    "OperationOutcome": _OUTCOME_RESOURCE,
    "RiskBundle": _RISK_BUNDLE,
    "FhirAnswer": {"anyOf": [reference("RiskBundle"), reference("OperationOutcome")]},
    "CapabilityStatement": _object(
        {
            "resourceType": {"const": "CapabilityStatement"},
            "fhirVersion": {"const": VERSION},
            "rest": _list(_FREE),
        }
    ),
    "Predictors": _object({"predictors": _list(_FREE)}),
    "Models": _object({"models": _list(_FREE)}),
    "History": _object({"intact": {"type": "boolean"}, "history": _list(_FREE)}),
    "Alive": _object({"alive": {"const": True}}),
    "Ready": _object(
        {
            "ready": {"const": True},
            "models": {"type": "object", "additionalProperties": _TEXT},
            "refused_update": {"type": ["string", "null"]},
            "refused_keys": {"type": ["string", "null"]},
        }
    ),
}


def _patient() -> dict[str, Any]:
    properties = {name: _property(name, declared) for name, declared in PREDICTORS.items()}
    properties["infusion_date"] = {
        "type": "string",
        "description": "ISO 8601 date, or date-time where hours matter; from "
        f"{FIRST_INFUSIONS} to {MOST_DAYS_AHEAD} days ahead. One that has passed is answered with "
        "the caution infusion_has_passed",
        "examples": ["2026-03-12"],
    }
    properties["reference"] = _REFERENCE
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(REQUIRED),
        "properties": properties,
    }


def _property(name: str, declared: Predictor) -> dict[str, Any]:
    described: dict[str, Any] = {"title": declared.label, "description": _description(name)}
    if isinstance(declared, Category):
        words = sorted(PRODUCT_SPELLINGS) if name == "product" else declared.choices
        return described | {"type": "string", "enum": sorted({*words, *declared.choices})}
    if not isinstance(declared, Quantity):
        # Generators of clients have no type for a list that mixes words and truth values.
        answers = {"type": "string", "enum": ["yes", "no", "unknown"]}
        return described | {"anyOf": [{"type": "boolean"}, answers]}
    quantity = {
        "type": "object",
        "additionalProperties": False,
        "required": ["value", "unit"],
        "properties": {
            "value": {"type": "number", "description": _number(declared)},
            "unit": {"type": "string", "examples": list(declared.conversions)},
            "measured_at": {"type": "string", "examples": ["2026-03-09", "2026-03-09T06:40:00Z"]},
        },
    }
    if name == "age":
        return described | {"anyOf": [quantity, {"const": "unknown"}]}
    return described | quantity


_PRODUCTS = "names, short names and trade names of this list: Yescarta is yescarta"
_SPELLING = "taken in any case, blanks, hyphens and underscores alike"


def _description(name: str) -> str:
    """Return what the contract notes, and how a word that is not listed is sent."""
    declared = PREDICTORS[name]
    said = [declared.note]
    if name == "product":
        said.append(_PRODUCTS)
    elif isinstance(declared, Category) and name not in REQUIRED:
        said.append("" if "unknown" in declared.choices else LEAVE_OUT)
    elif name == "disease":
        said += [f"{word}: {title}" for word, title in DISEASES.items()]
    if isinstance(declared, Category):
        said.append(_SPELLING)
    return "; ".join(filter(None, said))


def _number(declared: Quantity) -> str:
    """Return how the number of a quantity is sent."""
    said = ["a whole number" if declared.whole else "a number"]
    if declared.has_detection_limit:
        said.append(BELOW_DETECTION)
    if declared.has_largest_result:
        said.append(ABOVE_MEASURED)
    return "; ".join(said)
