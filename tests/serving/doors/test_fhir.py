"""The FHIR door: the same risks as /v1/assess, in resources that a FHIR library accepts."""

import asyncio
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.testclient import TestClient

from data_schemas.predictors import PREDICTORS, Flag, Quantity
from serving.api_keys import KeyFile, Scope
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogUnavailable
from serving.doors.assessor import Assessor
from serving.doors.clock import now
from serving.doors.door import Door, Doors
from serving.doors.fhir import MOST_BUNDLE_BYTES, MOST_OBJECTS, MOST_PROBLEMS
from serving.doors.fhir_dialect import BY_PROBLEM, BY_STATUS
from serving.doors.gate import Gate
from serving.doors.guard import Guard
from serving.doors.rate_limit import RateLimit
from serving.doors.visit import Visit
from serving.fhir.answer_bundle import fhir_answer
from serving.fhir.bundle import MOST_ENTRIES
from serving.fhir.names import FHIR_JSON, PREDICTOR, WORD
from serving.fhir.patient_record import read_bundle
from serving.fhir.risk_resource import percent, rationale
from serving.openapi import EXAMPLE_PATIENT
from serving.openapi_fhir import EXAMPLE_BUNDLE, RESOURCES, bundle_of, observation
from serving.ward import Ward
from tests.conftest import Body
from tests.running_service import ROOT
from tests.serving.at_the_door import SECURITY, client_of
from tests.serving.fhir.resources import (
    Json,
    concept,
    condition,
    drug,
    element,
    every_place,
    example,
    replaced,
)

ASSESS = "/fhir/$assess"
LONGEST_RATIONALE = 300
CONFORMANCE = ROOT / "docs" / "api" / "conformance"
INFUSION = "2026-03-14T11:00:00+01:00"
ISSUE_TYPES = {
    "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown",
    "expired", "forbidden", "suppressed", "processing", "not-supported", "duplicate",
    "multiple-matches", "not-found", "deleted", "too-long", "code-invalid", "extension",
    "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store", "exception",
    "timeout", "incomplete", "throttled", "informational",
}  # fmt: skip
"""http://hl7.org/fhir/ValueSet/issue-type of R4."""
CANARY = "Mrn4711Kowalski"


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with client_of(ward) as client:
        yield client


def accepted_by_the_library(resource: Json) -> None:
    """Round trip: what the library reads and writes again is what was sent."""
    made = get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    again = json.loads(made.model_dump_json())
    assert plain(again) == plain(resource)


def plain(given: Any) -> Any:
    """Numbers as numbers, moments without the form of their fractions."""
    if isinstance(given, dict):
        return {name: plain(value) for name, value in given.items()}
    if isinstance(given, list):
        return [plain(value) for value in given]
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    if isinstance(given, str) and re.match(r"\d{4}-\d\d-\d\dT", given):
        return re.sub(r"\.\d+|Z$|\+00:00$", "", given)
    if isinstance(given, str) and re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", given):
        return float(given)
    return given


def answered(client: TestClient, bundle: Any) -> Json:
    response = client.post(ASSESS, json=bundle, headers={"content-type": FHIR_JSON})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == FHIR_JSON
    assert all(name in response.headers for name in SECURITY)
    body: Json = response.json()
    accepted_by_the_library(body)
    return body


def risk_of(body: Json) -> Json:
    assert (body["resourceType"], body["type"]) == ("Bundle", "collection")
    resource: Json = body["entry"][0]["resource"]
    assert resource["resourceType"] == "RiskAssessment"
    return resource


def refusal(response: httpx.Response, status: int) -> list[Json]:
    """Check the dialect and return the issues."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == FHIR_JSON
    assert all(name in response.headers for name in SECURITY)
    body = response.json()
    assert body["resourceType"] == "OperationOutcome"
    accepted_by_the_library(body)
    issues: list[Json] = body["issue"]
    for one in issues:
        assert one["severity"] == "error"
        assert one["code"] in ISSUE_TYPES
        assert one["details"]["text"]
    return issues


def native(client: TestClient, patient: Body) -> Json:
    response = client.post("/v1/assess", json=patient)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


# --- the same patient, the same risks ---------------------------------------------------------


def agree(resource: Json, answer: Json) -> None:
    """Each prediction is the outcome of the native answer, in percent to one decimal."""
    told = [one for one in answer["outcomes"] if "risk" in one]
    assert len(resource["prediction"]) == len(told) > 0
    for prediction, one in zip(resource["prediction"], told, strict=True):
        parts = {e["url"].rpartition("/")[2]: e for e in prediction["extension"]}
        interval = {e["url"]: e for e in parts["probability-interval"]["extension"]}
        shown = prediction["probabilityDecimal"]
        low, high = (interval[end]["valueDecimal"] for end in ("low", "high"))
        assert abs(shown - 100 * one["risk"]) <= 0.05 + 1e-9
        assert abs(low - 100 * one["interval"]["low"]) <= 0.05 + 1e-9
        assert abs(high - 100 * one["interval"]["high"]) <= 0.05 + 1e-9
        assert 0 <= low <= shown <= high <= 100
        for number in (shown, low, high):
            assert len(str(number).partition(".")[2]) <= 1
        assert interval["level"]["valueDecimal"] == 90
        band = prediction["qualitativeRisk"]["coding"][0]["code"]
        assert band == f"{one['comparison']}-product-average"
        ratio = one["risk"] / one["base_rate"]["risk"]
        assert prediction["relativeRisk"] == pytest.approx(ratio, abs=0.006)
        explained = one["explanation"]
        log_odds = [
            part["valueDecimal"]
            for e in prediction["extension"]
            if e["url"].endswith("/attribution")
            for part in e["extension"]
            if part["url"] == "log-odds"
        ]
        base = parts["log-odds-at-base"]["valueDecimal"]
        assert base + sum(log_odds) == pytest.approx(explained["total"], abs=1e-6)


def test_the_example_is_the_patient_of_the_other_examples(client: TestClient) -> None:
    reading = read_bundle(EXAMPLE_BUNDLE)
    assert reading.problems == []
    assert {n: _bare(v) for n, v in reading.record.items() if n != "infusion_date"} == (
        EXAMPLE_PATIENT
    )
    body = answered(client, EXAMPLE_BUNDLE)
    agree(risk_of(body), native(client, EXAMPLE_PATIENT))


def _bare(value: Any) -> Any:
    return (
        {n: v for n, v in value.items() if n != "measured_at"} if isinstance(value, dict) else value
    )


def as_bundle(body: Body) -> Json:
    """A native body as resources; what has no LOINC code under our own."""
    product, disease = body["product"], body["disease"]
    icd10 = {"LBCL": "C83.3", "PMBCL": "C85.2", "FL": "C82", "MCL": "C83.1", "MZL": "C88.4",
             "CLL_SLL": "C91.1", "B_ALL": "C91.0", "MM": "C90.0"}[disease]  # fmt: skip
    resources = example()[:3]
    years = int(body["age"]["value"])
    resources[0] |= {"birthDate": f"{2026 - years}-03-14"}
    if "sex" in body:
        resources[0] |= {"gender": body["sex"]}
    resources[1] = condition("c1", icd10)
    resources[2] |= {"medicationCodeableConcept": {"text": product}}
    for name, value in body.items():
        declared = PREDICTORS.get(name)
        if name in ("age", "sex", "product", "disease", "ldh_uln") or declared is None:
            continue
        made = observation(name, name, 0, "") | {"id": f"o-{name.replace('_', '-')}"}
        # Three days before lies in every window but those of the last two days.
        made["effectiveDateTime"] = "2026-03-13" if declared.look_back_days == 2 else "2026-03-11"
        made["code"] = concept(PREDICTOR, name)
        if isinstance(declared, Quantity):
            made["valueQuantity"] |= {"value": value["value"], "code": value["unit"]}
            if name == "ldh" and "ldh_uln" in body:
                limit = body["ldh_uln"]
                high = made["valueQuantity"] | {"value": limit["value"], "code": limit["unit"]}
                made["referenceRange"] = [{"high": high}]
        else:
            del made["valueQuantity"]
            if isinstance(declared, Flag):
                made["valueBoolean"] = value in (True, "yes")
            else:
                made["valueCodeableConcept"] = concept(WORD, value)
        resources.append(made)
    return bundle_of(resources)


@pytest.mark.parametrize("of", ["ward", "fitted_ward"])
def test_simulated_patients_have_the_same_risks_by_either_door(
    request: pytest.FixtureRequest, of: str, bodies: list[Body]
) -> None:
    compared = 0
    with client_of(request.getfixturevalue(of)) as client:
        for body in bodies[::25]:
            kept = {n: v for n, v in body.items() if n != "infusion_date" and v != "unknown"}
            sent = {name: _bare(value) for name, value in kept.items()}
            sent["age"] = sent["age"] | {"value": int(sent["age"]["value"])}
            told = answered(client, as_bundle(sent))
            answer = native(client, sent)
            if any("risk" in one for one in answer["outcomes"]):
                agree(risk_of(told), answer)
                compared += 1
            else:
                assert told["resourceType"] == "OperationOutcome"
    assert compared > 10


@given(st.floats(0, 1))
def test_a_percentage_has_one_decimal_and_keeps_the_order(probability: float) -> None:
    shown = percent(probability)
    assert 0 <= shown <= 100
    assert abs(shown - 100 * probability) <= 0.05 + 1e-9
    assert shown <= percent(min(1, probability + 0.001))
    assert len(json.dumps(shown).partition(".")[2]) <= 1 or "e" in json.dumps(shown)


# --- what an answer holds -----------------------------------------------------------------------


def test_an_answer_says_who_computed_what_for_whom_from_what(client: TestClient) -> None:
    body = answered(client, EXAMPLE_BUNDLE)
    resource = risk_of(body)
    assert body["entry"][0]["fullUrl"] == f"urn:uuid:{resource['id']}"
    assert resource["status"] == "preliminary"
    assert "spans more than 75 percentage points" in json.dumps(resource["note"])
    assert resource["subject"] == {"reference": "Patient/p1"}
    assert resource["basedOn"] == {"reference": "MedicationRequest/m1"}
    assert resource["condition"] == {"reference": "Condition/c1"}
    assert resource["reasonReference"] == [{"reference": "Condition/c1"}]
    assert resource["performer"] == {"reference": "#sw"}
    assert "encounter" not in resource
    device = resource["contained"][0]
    models = client.get("/v1/model").json()["models"]
    versions = {one["value"] for one in device["version"]}
    assert versions >= {one["sha256"] for one in models}
    assert resource["identifier"][0]["value"] == resource["id"]
    for prediction in resource["prediction"]:
        assert prediction["whenPeriod"] == {"start": "2026-03-14", "end": "2026-04-11"}
        assert "whenRange" not in prediction
        assert "probabilityRange" not in prediction
        (coding,) = prediction["qualitativeRisk"]["coding"]
        assert "hl7.org" not in coding["system"]
        assert 0 < len(prediction["rationale"]) <= LONGEST_RATIONALE
    assert [p["outcome"]["coding"][0]["code"] for p in resource["prediction"]] == [
        "severe-crs-astct-3plus-d28",
        "severe-icans-astct-3plus-d28",
    ]
    assert "mitigation" not in resource


def test_the_notes_say_for_whom_it_is_not_and_what_is_missing(client: TestClient) -> None:
    sent = bundle_of(example(crp={"status": "preliminary"}, ferritin=None))
    notes = "\n".join(note["text"] for note in risk_of(answered(client, sent))["note"])
    assert notes.count("fitted on 0 and validated on 0 real patients") == 2
    assert "not for clinical decisions" in notes
    assert "Warning: C-reactive protein: a preliminary result" in notes
    assert "Caution: Ferritin: a main predictor is missing" in notes
    assert re.search(r"Not known, typical is assumed: .*Ferritin", notes)


def test_an_answer_with_cautions_is_preliminary(client: TestClient) -> None:
    sent = bundle_of(example(ferritin=None))
    assert risk_of(answered(client, sent))["status"] == "preliminary"
    crp, ferritin = (
        {"valueQuantity": {"value": value, "system": UCUM, "code": code}}
        for value, code in ((20, "mg/L"), (400, "ug/L"))
    )
    ordinary = bundle_of(example(crp=crp, ferritin=ferritin))
    assert risk_of(answered(client, ordinary))["status"] == "final"


def test_the_basis_is_every_resource_that_was_used_and_no_other(
    client: TestClient, ward: Ward
) -> None:
    unused = [
        observation("alt", "1742-6", 30, "U/L"),
        observation("crp", "1988-5", 3, "mg/dL") | {"id": "old", "effectiveDateTime": "2026-03-07"},
        drug("toci", "L04AC07", "2026-03-14", status="cancelled"),
        {"resourceType": "Practitioner", "id": "d1"},
    ]
    chosen = [
        drug("flu", "L01BB05", "2026-03-10"),
        drug("cy", "L01AA01", "2026-03-10"),
        condition("epilepsy", "G40.9", onsetDateTime="2010-01-01"),
        condition("diabetes", "E11.9", onsetDateTime="2010-01-01"),
    ]
    resource = risk_of(answered(client, bundle_of([*example(), *unused, *chosen])))
    basis = {one["reference"] for one in resource["basis"]}
    used = {t.predictor for a in ward.artefacts.values() for t in a.model.terms}
    assert "diabetes" not in used
    assert basis == {
        *(f"{one['resourceType']}/{one['id']}" for one in RESOURCES),
        "MedicationRequest/flu",
        "MedicationRequest/cy",
        "Condition/epilepsy",
    }
    assert len(resource["basis"]) == len(basis)


def test_the_answer_names_the_encounter_of_the_order(client: TestClient) -> None:
    encounter = {"resourceType": "Encounter", "id": "e1", "subject": {"reference": "Patient/p1"}}
    order = {"encounter": {"reference": "Encounter/e1"}}
    resource = risk_of(answered(client, bundle_of([*example(m1=order), encounter])))
    assert resource["encounter"] == {"reference": "Encounter/e1"}


def test_without_an_order_the_answer_is_based_on_none(client: TestClient) -> None:
    given_ = drug("x", "L01XL03", "2026-03-14", "MedicationAdministration")
    resource = risk_of(answered(client, bundle_of([*example(m1=None), given_])))
    assert "basedOn" not in resource
    assert {"reference": "MedicationAdministration/x"} in resource["basis"]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(list(PREDICTORS)), st.booleans(), st.booleans()), max_size=4)
)
def test_a_rationale_is_one_short_sentence(reasons: list[tuple[str, bool, bool]]) -> None:
    told = [{"predictor": n, "direction": "higher" if up else "lower"} for n, up, _ in reasons]
    marks = [{"predictor": n} | ({"unread": True} if unread else {}) for n, _, unread in reasons]
    said = rationale({"reasons": told, "contributions": marks})
    assert len(said) <= LONGEST_RATIONALE
    assert said.endswith(".")


def test_an_effect_by_an_unread_figure_is_marked_in_the_rationale_and_its_attribution(
    client: TestClient,
) -> None:
    """Of severe CRS that of CRP is, by the AUC of m-EASIX; of severe ICANS it is not."""
    crs, icans = risk_of(answered(client, EXAMPLE_BUNDLE))["prediction"]
    marked = [attributions(one)["crp"].get("unread", False) for one in (crs, icans)]
    assert marked == [True, False]
    assert "C-reactive protein (figure unread)" in crs["rationale"]
    assert "unread" not in icans["rationale"]


def attributions(prediction: Json) -> dict[str, Json]:
    """What is said of each predictor, by its name."""
    parts = [
        {part["url"]: next(v for k, v in part.items() if k != "url") for part in one["extension"]}
        for one in prediction["extension"]
        if one["url"].endswith("attribution")
    ]
    return {one["feature"]: one for one in parts}


# --- answers without a number -------------------------------------------------------------------


ABSENT = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason"}


@pytest.mark.parametrize(
    ("changes", "status", "kind", "reason"),
    [
        (
            {"p1": {"birthDate": None, "_birthDate": {"extension": [ABSENT]}}},
            "insufficient_data",
            "required",
            "age is unknown",
        ),
        (
            dict.fromkeys(("crp", "ferritin", "ldh", "platelets", "mtv")),
            "insufficient_data",
            "required",
            "of the model's weight",
        ),
        ({"p1": {"birthDate": "2015-01-01"}}, "out_of_scope", "business-rule", "adults only"),
        (
            {"c1": {"code": concept("http://hl7.org/fhir/sid/icd-10", "C90.0")}},
            "out_of_scope",
            "business-rule",
            "no evidence in multiple myeloma",
        ),
    ],
)
def test_where_no_risk_can_be_given_the_answer_is_an_outcome_that_says_why(
    client: TestClient, changes: Json, status: str, kind: str, reason: str
) -> None:
    body = answered(client, bundle_of(example(**changes)))
    assert body["resourceType"] == "OperationOutcome"
    first, second, *notes = body["issue"]
    for one in (first, second):
        assert (one["severity"], one["code"]) == ("warning", kind)
        assert one["details"]["coding"][0]["code"] == status
        assert reason in one["details"]["text"]
    assert {(n["severity"], n["code"]) for n in notes} == {("information", "informational")}
    told = "\n".join(note["details"]["text"] for note in notes)
    assert told.count("validated on 0 real patients") == 2
    assert "not for clinical decisions" in told
    kept = client.get(f"/v1/assessments/{body['id']}").json()["assessment"]
    assert kept["status"] == status
    assert kept["fhir"] == body


def test_where_one_outcome_has_a_risk_and_another_has_none_both_are_told(
    client: TestClient,
) -> None:
    answer = native(client, EXAMPLE_PATIENT | {"infusion_date": INFUSION})
    for name in ("risk", "interval", "base_rate", "explanation", "comparison"):
        del answer["outcomes"][1][name]
    answer["outcomes"][1] |= {"status": "out_of_scope", "reasons": ["no cell"]}
    answer["status"] = "out_of_scope"
    body = fhir_answer(answer, read_bundle(EXAMPLE_BUNDLE))
    accepted_by_the_library(body)
    resource = risk_of(body)
    assert resource["status"] == "preliminary"
    assert len(resource["prediction"]) == 1
    outcome = body["entry"][1]["resource"]
    assert outcome["resourceType"] == "OperationOutcome"
    assert [one["code"] for one in outcome["issue"]] == ["business-rule"]


# --- one path: gate, log, metrics ---------------------------------------------------------------


def test_what_was_sent_is_kept_beside_the_whole_assessment(client: TestClient) -> None:
    before = client.get("/metrics").text
    body = answered(client, EXAMPLE_BUNDLE)
    assessment_id = risk_of(body)["id"]
    kept = client.get(f"/v1/assessments/{assessment_id}").json()["assessment"]
    assert kept.pop("fhir") == body
    assert kept["assessment_id"] == assessment_id
    fresh = native(client, EXAMPLE_PATIENT)
    assert kept["outcomes"] == fresh["outcomes"]
    report = {"assessment_id": assessment_id, "crs_grade": 1, "icans_grade": 0,
              "grading_scale": "ASTCT2019", "follow_up_days": 28}  # fmt: skip
    assert client.post("/v1/outcomes", json=report).status_code == 201
    after = client.get("/metrics").text
    line = r'cart_risk_requests_total\{method="POST",route="/fhir/\$assess",status="200"\} (\S+)'
    counted = [float((re.findall(line, text) or ["0"])[0]) for text in (before, after)]
    assert counted[1] == counted[0] + 1
    line = r'cart_risk_assessments_total\{status="caution"\} (\S+)'
    counted = [float((re.findall(line, text) or ["0"])[0]) for text in (before, after)]
    assert counted[1] == counted[0] + 2


def test_no_answer_is_given_that_is_not_on_disk(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise LogUnavailable("the disk is full")

    with client_of(ward) as client:
        monkeypatch.setattr(AssessmentLog, "append_all", refuse)
        response = client.post(ASSESS, json=EXAMPLE_BUNDLE)
        assert refusal(response, 503)[0]["code"] == "transient"
        assert response.headers["retry-after"] == "1"
        assert "probability" not in response.text


@pytest.mark.parametrize(
    "media_type",
    [
        FHIR_JSON,
        "application/json",
        f"{FHIR_JSON}; charset=utf-8",
        f"{FHIR_JSON}; fhirVersion=4.0",
        None,
    ],
)
def test_both_media_types_are_accepted(client: TestClient, media_type: str | None) -> None:
    headers = {"content-type": media_type} if media_type else {}
    content = json.dumps(EXAMPLE_BUNDLE).encode()
    response = client.post(ASSESS, content=content, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (200, FHIR_JSON)


def test_the_capability_statement_declares_the_operation(client: TestClient) -> None:
    response = client.get("/fhir/metadata", headers={"authorization": ""})
    assert (response.status_code, response.headers["content-type"]) == (200, FHIR_JSON)
    statement = response.json()
    accepted_by_the_library(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["rest"][0]["operation"][0]["name"] == "assess"
    assert "not for clinical decisions" in statement["implementation"]["description"]


# --- refusals -----------------------------------------------------------------------------------


def test_every_kind_of_refusal_is_an_operation_outcome(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_of(ward) as client:
        post = client.post
        for response, status, code in (
            (post(ASSESS, content=b"{"), 400, "structure"),
            (post(ASSESS, json={}, headers={"authorization": ""}), 401, "login"),
            (client.get("/fhir/Patient/1"), 404, "not-found"),
            (client.get("/fhir/"), 404, "not-found"),
            (client.get(ASSESS), 405, "not-supported"),
            (post(ASSESS, content=b" " * (MOST_BUNDLE_BYTES + 1)), 413, "too-long"),
            (post(ASSESS, content=b"{" * (MOST_OBJECTS + 1)), 413, "too-long"),
            (
                post(ASSESS, content=b"x", headers={"content-type": "text/xml"}),
                415,
                "not-supported",
            ),
        ):
            assert [one["code"] for one in refusal(response, status)] == [code]

        def fail(*_: object) -> None:
            raise ZeroDivisionError(CANARY)

        with monkeypatch.context() as broken:
            broken.setattr(Assessor, "answer", fail)
            response = post(ASSESS, json=EXAMPLE_BUNDLE)
            assert refusal(response, 500)[0]["code"] == "exception"
            assert CANARY not in response.text
    with client_of(ward, scopes=(Scope.OUTCOMES,)) as client:
        assert refusal(client.post(ASSESS, json={}), 403)[0]["code"] == "forbidden"
    with client_of(ward, rate=0.1) as client:
        answers = [client.post(ASSESS, json={}) for _ in range(50)]
        assert refusal(answers[-1], 429)[0]["code"] == "throttled"
    with client_of(Ward()) as client:
        assert client.get("/readyz").status_code == 503
        assert refusal(client.post(ASSESS, json=EXAMPLE_BUNDLE), 503)[0]["code"] == "transient"
        assert refusal(client.post(ASSESS, json={}), 503)[0]["code"] == "transient"


def test_an_answer_that_takes_too_long_is_an_operation_outcome(tmp_path: Path) -> None:
    async def never(_visit: Visit) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    KeyFile(tmp_path / "keys.json").add("test", (Scope.ASSESS,))
    guard = Guard(KeyFile(tmp_path / "keys.json"), RateLimit(1000))
    doors = Doors([Door("GET", "/fhir/never", never)])
    client = TestClient(Gate(doors, guard, deadline_seconds=0.05))
    assert refusal(client.get("/fhir/never"), 504)[0]["code"] == "timeout"


def test_the_address_without_its_slash_is_refused_in_the_same_dialect(client: TestClient) -> None:
    for path in ("/fhir", "/fhir/", "/fhir?x=1"):
        assert refusal(client.get(path), 404)[0]["code"] == "not-found"


def test_elsewhere_a_refusal_stays_a_problem(client: TestClient) -> None:
    for path in ("/fhirs", "/fhirs/x", "/v1/fhir/", "/nowhere"):
        assert client.get(path).headers["content-type"] == "application/problem+json"
    response = client.post("/v1/assess", json={})
    assert response.headers["content-type"] == "application/problem+json"


def test_every_issue_type_is_one_of_fhir() -> None:
    assert set(BY_STATUS.values()) | set(BY_PROBLEM.values()) <= ISSUE_TYPES
    assert set(BY_STATUS) <= set(HTTPStatus)


def test_every_problem_is_told_at_once_where_it_is(client: TestClient) -> None:
    sent = bundle_of(
        example(
            p1={"gender": "x", "birthDate": "x"},
            crp={"valueQuantity": {"value": "8.4", "system": UCUM, "code": "mg/dL"}},
            ferritin={"valueQuantity": {"value": 1e9, "system": UCUM, "code": "ug/L"}},
            ecog={"valueQuantity": {"value": 1.5, "system": UCUM, "code": "{score}"}},
            anc={"subject": {"reference": "Patient/p2"}},
        ),
        "history",
    )
    issues = refusal(client.post(ASSESS, json=sent), 422)
    found = {(one["expression"][0], one["code"]) for one in issues}
    assert found == {
        ("Bundle.type", "not-supported"),
        ("Bundle.entry[0].resource.gender", "code-invalid"),
        ("Bundle.entry[0].resource.birthDate", "value"),
        ("Bundle.entry[3].resource.value", "value"),
        ("Bundle.entry[4].resource.value", "value"),
        ("Bundle.entry[12].resource.value", "value"),
        ("Bundle.entry[11].resource.subject", "business-rule"),
    }
    for one in issues:
        element(sent, one["expression"][0])
        assert one["details"]["coding"][0]["code"]


UCUM = "http://unitsofmeasure.org"


@pytest.mark.parametrize(
    "path", list(every_place(EXAMPLE_BUNDLE))[1:], ids=lambda p: ".".join(map(str, p))
)
def test_what_stands_in_any_place_is_never_repeated_in_a_refusal(
    client: TestClient, path: tuple[Any, ...]
) -> None:
    for planted in (CANARY, {CANARY: CANARY}, [CANARY]):
        response = client.post(ASSESS, json=replaced(EXAMPLE_BUNDLE, path, planted))
        if response.status_code == 200:
            body = response.json()
            # An answer refers to what it was given: by id, and by nothing else.
            references = {one for one in _texts(body) if "/" in one and CANARY in one}
            assert all(CANARY not in one for one in set(_texts(body)) - references)
            assert not references or path[-1] in ("id", "reference")
        else:
            refusal(response, 422)
            assert CANARY not in response.text
        assert CANARY not in str(response.headers)


def _texts(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, dict):
        for name, value in given.items():
            yield name
            yield from _texts(value)
    elif isinstance(given, list):
        for value in given:
            yield from _texts(value)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["2026-03-09", "9999-12-31", "<", "#", "Patient/p1", "final", "http://"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4) | st.sampled_from(
        ["resourceType", "coding", "system", "code", "reference", "value", "event", "start"]),
        inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
RICH = bundle_of(
    [
        *example(m1={"reasonReference": [{"reference": "Condition/c1"}], "authoredOn": INFUSION}),
        drug("cy", "L01AA01", "2026-03-10"),
        drug("dex", "H02AB02", "2026-03-10", "MedicationAdministration",
             dosage={"dose": {"value": 20, "system": UCUM, "code": "mg"}}),
        condition("epilepsy", "G40.9", onsetDateTime="2010-01-01"),
        observation("ddimer", "48065-7", 1, "mg/L", component=[{"code": {}, "valueInteger": 1}],
                    issued="2026-03-09T08:00:00Z", specimen={"reference": "Specimen/s"}),
        {"resourceType": "Specimen", "id": "s", "type": {"coding": [{"code": "SER"}]}},
        {"resourceType": "Appointment", "id": "a", "status": "booked", "start": INFUSION,
         "supportingInformation": [{"reference": "MedicationRequest/m1"}]},
    ]
)  # fmt: skip
PLACES = [path for path in every_place(RICH) if path]


@pytest.mark.parametrize("examples", [400, pytest.param(5_000, marks=pytest.mark.deep)])
def test_anything_in_any_place_is_answered_or_refused(client: TestClient, examples: int) -> None:
    seen = set()

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(PLACES), ANY_JSON)
    def attack(path: tuple[Any, ...], by: Any) -> None:
        content = json.dumps(replaced(RICH, path, by))
        response = client.post(ASSESS, content=content, headers={"content-type": FHIR_JSON})
        seen.add(response.status_code)
        if response.status_code == 200:
            accepted_by_the_library(response.json())
        else:
            for one in refusal(response, 422):
                element({**replaced(RICH, path, by)}, "Bundle")
                assert one["expression"][0].startswith("Bundle")

    assert client.post(ASSESS, json=RICH).status_code == 200
    attack()
    assert seen == {200, 422}


def test_any_body_is_refused(client: TestClient) -> None:
    @settings(max_examples=150, deadline=None)
    @given(sent=ANY_JSON)
    def attack(sent: Any) -> None:
        assert refusal(client.post(ASSESS, content=json.dumps(sent)), 422)

    attack()


def test_a_flood_of_problems_is_answered_shortly(client: TestClient) -> None:
    flood = bundle_of([]) | {"entry": [5] * (MOST_ENTRIES - 1)}
    issues = refusal(client.post(ASSESS, json=flood), 422)
    assert len(issues) == MOST_PROBLEMS + 1
    assert issues[-1]["details"]["coding"][0]["code"] == "more_problems"
    nested = bundle_of([bundle_of([]) | {"entry": [5] * MOST_ENTRIES}])
    issues = refusal(client.post(ASSESS, json=nested), 422)
    assert [one["code"] for one in issues] == ["too-long", "required"]


def test_twins_of_any_depth_are_compared(client: TestClient) -> None:
    deep = "[" * 900 + "]" * 900
    twins = [json.dumps(RESOURCES[3])[:-1] + f', "x": {deep}}}' for _ in range(2)]
    twins.append(twins[0].replace("[]", "[1]"))
    rest = [json.dumps(one) for one in RESOURCES if one["id"] != "crp"]
    for chosen, status in (([0, 1], 200), ([0, 2], 422)):
        entries = ",".join(f'{{"resource": {one}}}' for one in [*rest, *(twins[i] for i in chosen)])
        content = f'{{"resourceType": "Bundle", "type": "collection", "entry": [{entries}]}}'
        assert client.post(ASSESS, content=content).status_code == status


def test_many_codings_and_many_days_do_not_multiply(client: TestClient) -> None:
    """Without a limit this body would be read for minutes."""
    cyclophosphamide = {"system": "http://www.whocc.no/atc", "code": "L01AA01"}
    order = drug("cy", "L01AA01", "2026-03-10")
    order["medicationCodeableConcept"] = {"coding": [cyclophosphamide] * 7_000}
    order["dosageInstruction"] = [{"timing": {"event": ["2026-03-10"] * 30_000}}]
    assert answered(client, bundle_of([*example(), order]))["resourceType"] == "Bundle"


def rounded(made: Any) -> Any:
    if isinstance(made, dict):
        return {name: rounded(one) for name, one in made.items()}
    if isinstance(made, list):
        return [rounded(one) for one in made]
    return round(made, 9) if isinstance(made, float) else made


def test_the_answer_that_is_shown_to_integrators_is_what_they_get(ward: Ward) -> None:
    """But for ids, times and the versions of models; they ask after the example's infusion."""
    shown = json.loads((CONFORMANCE / "fhir-answer.json").read_text("utf-8"))
    sent = (CONFORMANCE / "fhir-bundle.json").read_bytes()
    with client_of(ward, clock=now) as client:
        made = client.post(ASSESS, content=sent).json()
    for name in ("prediction", "basis", "note", "status"):
        of_both = [one["entry"][0]["resource"][name] for one in (shown, made)]
        assert rounded(of_both[0]) == rounded(of_both[1])


def test_an_outcome_that_a_site_declared_has_no_horizon_of_ours(client: TestClient) -> None:
    answer = client.post("/v1/assess", json=EXAMPLE_PATIENT).json()
    answer["outcomes"][0]["outcome"] = "hypotension"
    resource = fhir_answer(answer, read_bundle(EXAMPLE_BUNDLE))["entry"][0]["resource"]
    assert ["whenPeriod" in one for one in resource["prediction"]] == [False, True]


def test_the_comparator_says_what_the_base_rate_rests_on(client: TestClient) -> None:
    answer = client.post("/v1/assess", json=EXAMPLE_PATIENT).json()
    answer["outcomes"][0]["base_rate"]["note"] = "the pooled rate of the cohort"
    resource = fhir_answer(answer, read_bundle(EXAMPLE_BUNDLE))["entry"][0]["resource"]
    told = json.dumps(resource["prediction"][0]["extension"])
    assert '"valueString": "the pooled rate of the cohort"' in told
