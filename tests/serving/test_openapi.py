"""The published document is valid, and what the service takes and gives conforms to it."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from starlette.testclient import TestClient

from data_schemas.patient_request import RequestProblems, read_patient
from data_schemas.predictors import PREDICTORS, REQUIRED, Category, Flag, Quantity
from data_schemas.risk_assessment import CautionCode, Status
from serving.assess import assess
from serving.doors.batch import MOST_ITEMS, MOST_LINE_BYTES
from serving.openapi import EXAMPLE_OUTCOME, EXAMPLE_PATIENT, openapi_document
from serving.openapi_fhir import EXAMPLE_BUNDLE
from serving.ward import Ward
from tests.conftest import Body
from tests.serving.at_the_door import client_of

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


def _schemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in (
        part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    ):
        yield from _schemas(inner)


def test_no_list_of_words_mixes_types() -> None:
    """Generators have no type for it: openapi-python-client 0.29.1 left out ``Patient``."""
    schemas = DOCUMENT["components"]["schemas"]
    lists = [one["enum"] for one in _schemas(schemas) if isinstance(one.get("enum"), list)]
    assert len(lists) > 20
    assert all(len({type(word) for word in words}) == 1 for words in lists)


def test_alternatives_of_an_answer_are_schemas_with_names() -> None:
    """Generators name what has no name by its place, and a place twice: they left it out."""
    alternatives = DOCUMENT["components"]["schemas"]["FhirAnswer"]["anyOf"]
    assert [one["$ref"].rpartition("/")[2] for one in alternatives] == [
        "RiskBundle",
        "OperationOutcome",
    ]


def test_the_headers_of_refusals_are_documented(ward: Ward) -> None:
    with client_of(ward) as client:
        got = {
            "401": client.post("/v1/assess", headers={"authorization": "Bearer no"}),
            "405": client.get("/v1/assess"),
        }
    answers = DOCUMENT["paths"]["/v1/assess"]["post"]["responses"]
    for status, name in {"401": "www-authenticate", "405": "allow"}.items():
        header = answers[status]["headers"][name]
        assert header["example"] == got[status].headers[name]
    for status in ("429", "503"):
        assert re.fullmatch("[0-9]+", answers[status]["headers"]["retry-after"]["example"])


def test_every_answer_has_an_id_of_its_request(ward: Ward) -> None:
    responses = [
        response
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
    ]
    (schema,) = {str(response["headers"]["x-request-id"]["schema"]) for response in responses}
    assert "^[0-9a-f]{32}$" in schema
    with client_of(ward) as client:
        assert re.fullmatch("[0-9a-f]{32}", client.get("/livez").headers["x-request-id"])


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
    property_ = DOCUMENT["components"]["schemas"]["Patient"]["properties"][name]
    words = [word for one in property_.get("anyOf", [property_]) for word in one.get("enum", ())]
    words += [True, False] if isinstance(declared, Flag) else []
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


def test_the_lists_of_words_are_published_and_only_that_of_statuses_is_closed() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Status"]["enum"] == [status.value for status in Status]
    codes = schemas["CautionCode"]
    assert codes["x-extensible-enum"] == [code.value for code in CautionCode]
    assert (codes["type"], "enum" in codes) == ("string", False)
    assert "closed" not in codes["description"]


def test_a_client_that_checks_an_answer_takes_the_fields_and_words_of_a_later_release(
    patient: Body, ward: Ward
) -> None:
    answer = assess(read_patient(patient | {"ldh_uln": None}), ward.artefacts, ward.evidence)
    later = HEAD | answer.model_dump(mode="json", exclude_none=True)
    for part in (later, later["cautions"][0], later["outcomes"][0], later["values_used"][0]):
        part["more"] = 1
    later["cautions"][0]["code"] = later["outcomes"][0]["comparison"] = "another"
    assert violations("RiskAssessment", later) == []
    later["status"] = "another"
    assert len(violations("RiskAssessment", later)) == 1


def reached(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all within it, also by name."""
    if isinstance(schema, list):
        for one in schema:
            yield from reached(one)
    elif isinstance(schema, dict):
        yield schema
        if "$ref" in schema:
            yield from reached(DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]])
        for one in schema.values():
            yield from reached(one)


def test_what_is_answered_may_grow_and_what_is_sent_is_closed() -> None:
    for path in DOCUMENT["paths"].values():
        for operation in path.values():
            answered = list(reached(operation["responses"]))
            assert not [s for s in answered if s.get("additionalProperties") is False]
    for name in ("Patient", "Batch", "WhatIf", "Outcome"):
        assert DOCUMENT["components"]["schemas"][name]["additionalProperties"] is False


def examples() -> Iterator[tuple[str, str, int, dict[str, Any]]]:
    """Method, path, status and example of every refusal."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                for content in response["content"].values() if status > "3" else ():
                    yield method.upper(), path, int(status), content["example"]


def test_every_refusal_has_an_example_of_its_own_status() -> None:
    found = list(examples())
    assert {status for _, _, status, _ in found} >= {400, 401, 403, 404, 405, 406, 413, 422, 503}
    for _, path, status, example in found:
        if path.startswith("/fhir/"):
            assert violations("OperationOutcome", example) == []
        else:
            assert violations("Problem", example) == []
            said = (example["status"], example["title"], example["code"])
            assert said == (status, HTTPStatus(status).phrase, HTTPStatus(status).name.lower())
            assert bool(example["problems"]) == (status == 422)


NOBODY = "01a20595-05f6-710d-abc4-280aa77dad40"
IN_MOLES = {"crp": {"value": 8.4, "unit": "mmol/L"}}
BROKEN: dict[str, Any] = {
    "/v1/assess/batch": {},
    "/v1/assess/batch/brief": {},
    "/v1/what-if": {"patient": EXAMPLE_PATIENT, "changes": IN_MOLES},
    "/v1/outcomes": {n: v for n, v in EXAMPLE_OUTCOME.items() if n != "follow_up_days"},
    "/fhir/$assess": {**EXAMPLE_BUNDLE, "entry": EXAMPLE_BUNDLE["entry"][1:]},
}


def asked(client: TestClient, method: str, path: str, status: int) -> httpx.Response | None:
    """Ask so that a status is answered; None of those that no request brings about."""
    path, headers, content = path.replace("{id}", NOBODY), dict[str, str](), b""
    if method == "POST":
        content = orjson.dumps(BROKEN.get(path, EXAMPLE_PATIENT | IN_MOLES))
    if status == 400:
        headers, content = ({}, b"{") if method == "POST" else ({"upgrade": "h2c"}, b"x")
    elif status == 401:
        headers = {"authorization": ""}
    elif status == 404 and path == "/v1/outcomes":
        content = orjson.dumps(EXAMPLE_OUTCOME | {"assessment_id": NOBODY})
    elif status == 405:
        method = "DELETE"
    elif status == 406:
        headers = {"accept": "text/html"}
    elif status == 413:
        content = b" " * (32 * 1024 * 1024 + 1)
    elif status == 415:
        headers = {"content-type": "text/csv"}
    elif status not in (403, 404, 422):
        return None
    return client.request(method, path, content=content, headers=headers)


def test_an_example_of_a_refusal_is_what_the_service_answers(ward: Ward) -> None:
    compared = 0
    with client_of(ward) as able, client_of(ward, scopes=()) as unable:
        for method, path, status, example in examples():
            answer = asked(unable if status == 403 else able, method, path, status)
            if answer is None:
                continue
            assert (answer.status_code, answer.json()) == (status, example), (method, path)
            compared += 1
    assert compared > 80


def test_the_limits_of_a_body_are_said() -> None:
    """What is said is what is refused: see the examples of 413."""
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            if "requestBody" not in operation:
                continue
            said = operation["requestBody"]["description"].replace(",", "")
            (refusal,) = operation["responses"]["413"]["content"].values()
            limit = re.search(r"(\d+) bytes", orjson.dumps(refusal["example"]).decode())
            assert limit is not None
            assert f"{limit[1]} bytes" in said
            if "batch" in path:
                assert f"{MOST_ITEMS} patients" in said
                assert f"{MOST_LINE_BYTES} bytes" in said
    assert "431" in DOCUMENT["info"]["description"]


def test_how_a_value_is_sent_is_said_beside_it() -> None:
    properties = DOCUMENT["components"]["schemas"]["Patient"]["properties"]
    assert "half of the limit" in properties["crp"]["properties"]["value"]["description"]
    assert "send the limit" in properties["ldh"]["properties"]["value"]["description"]
    for name in ("ecog", "ldh_uln", "lvef"):
        assert "limit" not in properties[name]["properties"]["value"]["description"]
    assert "leave the field out" in properties["ld_regimen"]["description"]
    assert "leave the field out" not in properties["sex"]["description"]
    assert "Yescarta" in properties["product"]["description"]
    for name in ("product", "disease", "sex"):
        assert "taken in any case" in properties[name]["description"]
    assert "MM: multiple myeloma" in properties["disease"]["description"]


@pytest.mark.parametrize("spelling", ["Yescarta", "YESCARTA", "Axi-Cel", "yescarta"])
def test_a_product_is_taken_in_any_case_and_listed_in_small_letters(
    spelling: str, patient: Body
) -> None:
    read = read_patient(patient | {"product": spelling})
    assert read.values["product"] == "axicabtagene_ciloleucel"
    assert violations("Patient", patient | {"product": spelling.lower()}) == []
