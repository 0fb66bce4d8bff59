"""The published document is valid, and what the service takes and gives conforms to it."""

import json
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from data_schemas.patient_request import RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Flag, Quantity
from data_schemas.risk_assessment import CautionCode, Status
from serving.assess import assess
from serving.openapi import EXAMPLE_PATIENT, openapi_document
from serving.ward import Ward
from tests.conftest import Body

DOCUMENT = openapi_document()
HEAD = {
    "assessment_id": "01a20595-05f6-710d-abc4-280aa77dad40",
    "assessed_at": "2026-03-01T08:00:00.000+00:00",
}
"""What the door puts before an assessment."""


def violations(name: str, instance: Any) -> list[str]:
    """Return where and why, through relative references of the document as well."""
    text = orjson.dumps(DOCUMENT).replace(b'"#/comp', b'"urn:document#/comp')
    resource = Resource(json.loads(text), DRAFT202012)
    schema = {"$ref": f"urn:document#/components/schemas/{name}"}
    registry = Registry().with_resource("urn:document", resource)
    found = Draft202012Validator(schema, registry=registry).iter_errors(instance)
    return [f"{error.json_path}: {error.message}" for error in found]


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [op["operationId"] for path in DOCUMENT["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))


def test_the_example_patient_is_accepted_and_answered(ward: Ward) -> None:
    assert violations("Patient", EXAMPLE_PATIENT) == []
    answer = assess(read_patient(EXAMPLE_PATIENT), ward.artefacts, ward.evidence)
    assert answer.status.has_risk


def test_the_patient_schema_is_the_contract() -> None:
    patient = DOCUMENT["components"]["schemas"]["Patient"]
    assert set(patient["properties"]) == {*PREDICTORS, "infusion_date", "reference"}
    assert patient["required"] == list(REQUIRED)
    assert patient["additionalProperties"] is False


def test_simulated_patients_conform_to_the_schema(bodies: list[Body]) -> None:
    for body in bodies[::50]:
        assert violations("Patient", body) == []


@pytest.mark.parametrize("name", [n for n, d in PREDICTORS.items() if not isinstance(d, Quantity)])
def test_every_word_of_the_schema_is_accepted(name: str, patient: Body) -> None:
    declared = PREDICTORS[name]
    assert isinstance(declared, Category | Flag)
    words = DOCUMENT["components"]["schemas"]["Patient"]["properties"][name]["enum"]
    assert words
    for word in words:
        read_patient(patient | {name: word})
        assert violations("Patient", patient | {name: word}) == []


@pytest.mark.parametrize(
    "wrong",
    [{"crp": 84}, {"crp": {"value": "84", "unit": "mg/L"}}, {"product": "aspirin"}, {"mrn": "1"}],
)
def test_what_the_schema_refuses_the_service_refuses(wrong: Body, patient: Body) -> None:
    assert violations("Patient", patient | wrong)
    with pytest.raises(RequestProblems):
        read_patient(patient | wrong)


@pytest.mark.parametrize("given", [{}, {"age": "unknown"}, {"product": "other"}, {"ldh": None}])
def test_an_answer_as_it_is_sent_conforms_to_its_schema(
    given: Body, patient: Body, ward: Ward
) -> None:
    answer = assess(read_patient(patient | given), ward.artefacts, ward.evidence)
    sent = HEAD | orjson.loads(orjson.dumps(answer.model_dump(mode="json", exclude_none=True)))
    assert violations("RiskAssessment", sent) == []


def test_an_answer_without_its_status_would_be_noticed(patient: Body, ward: Ward) -> None:
    answer = assess(read_patient(patient), ward.artefacts, ward.evidence)
    sent = HEAD | answer.model_dump(mode="json", exclude_none=True)
    assert not violations("RiskAssessment", sent)
    del sent["status"]
    assert violations("RiskAssessment", sent)


def test_the_closed_lists_are_published() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Status"]["enum"] == [status.value for status in Status]
    assert schemas["CautionCode"]["enum"] == [code.value for code in CautionCode]
