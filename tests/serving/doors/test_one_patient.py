"""One patient: validated, asked what if, looked up, with what happened since."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from data_schemas.predictors import PREDICTORS
from serving.api_keys import Scope
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import ErasedAssessment, LogRefused, LogUnavailable
from serving.doors.gate import DEADLINE_SECONDS
from serving.doors.metrics import count_up, exposition
from serving.doors.what_if import (
    EDITABLE,
    MEASURED,
    MEASURED_AND_PLANNED,
    NEITHER,
    NOT_MEASURED,
    NOT_PLANNED,
    NOTE,
    PARTLY_KNOWN,
    PLANNED,
    PRODUCT_NOTE,
)
from serving.ward import Ward
from tests.conftest import Body
from tests.serving.at_the_door import client_of

NOBODY = "01a20595-05f6-710d-abc4-280aa77dad40"


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with client_of(ward) as client:
        yield client


def fields(response: Any) -> list[tuple[str, str]]:
    assert response.status_code == 422, response.text
    return [(p["field"], p["code"]) for p in response.json()["problems"]]


def report(assessment_id: str, **other: Any) -> Body:
    standard = {"crs_grade": 3, "icans_grade": 0, "grading_scale": "ASTCT2019"}
    return {"assessment_id": assessment_id, "follow_up_days": 28, **standard, **other}


def test_a_valid_patient_is_repeated_in_canonical_units_and_not_assessed(
    client: TestClient, patient: Body
) -> None:
    sent = patient | {"crp": {"value": 8.4, "unit": "mg/dL"}, "reference": "a-1"}
    answer = client.post("/v1/validate", json=sent).json()
    values = {one.pop("predictor"): one for one in answer["values"]}
    assert answer["valid"] is True
    assert values["crp"] == {"value": 84.0, "unit": "mg/L"}
    assert values["bridging"] == {"value": "chemo"}
    assert "risk" not in json.dumps(answer)


def test_validation_refuses_exactly_what_assessment_refuses(
    client: TestClient, patient: Body
) -> None:
    wrong = patient | {"crp": 3, "nonsense": 1, "reference": "a name", "age": None}
    assessed = client.post("/v1/assess", json=wrong)
    assert fields(client.post("/v1/validate", json=wrong)) == fields(assessed)
    assert ("reference", "not_a_reference") in fields(assessed)
    assert len(fields(assessed)) == 4


def test_what_if_is_the_assessment_of_the_edited_patient(client: TestClient, patient: Body) -> None:
    changes = {"crp": {"value": 10, "unit": "mg/L"}, "crs_prophylaxis": "tocilizumab"}
    sent = {"patient": patient, "changes": changes}
    answer = client.post("/v1/what-if", json=sent).json()
    said = answer["what_if"]
    title, changed = MEASURED_AND_PLANNED, ["crp", "crs_prophylaxis"]
    assert said == {"title": title, "changed": changed, "notes": [NOTE]}
    edited = client.post("/v1/assess", json=patient | changes).json()
    unlike = {"assessment_id", "assessed_at", "what_if"}
    assert {k: v for k, v in answer.items() if k not in unlike} == {
        k: v for k, v in edited.items() if k not in unlike
    }


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"crp": {"value": 10, "unit": "mg/L"}}, MEASURED),
        ({"crs_prophylaxis": "tocilizumab"}, PLANNED),
    ],
)
def test_a_plan_is_not_spoken_of_as_measured(
    client: TestClient, patient: Body, changes: Body, title: str
) -> None:
    answer = client.post("/v1/what-if", json={"patient": patient, "changes": changes}).json()
    assert answer["what_if"]["title"] == title


NO_CRP = {"crp": None}
CRP = {"crp": {"value": 10, "unit": "mg/L"}}
NO_PLAN = {"crs_prophylaxis": None}


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (NO_CRP, NOT_MEASURED),
        ({"bulky_disease": "unknown"}, NOT_MEASURED),
        (NO_PLAN, NOT_PLANNED),
        (NO_CRP | NO_PLAN, NEITHER),
        (CRP | NO_PLAN, PARTLY_KNOWN),
        ({"ferritin": None} | CRP, PARTLY_KNOWN),
    ],
)
def test_what_is_taken_away_is_not_spoken_of_as_measured_again(
    client: TestClient, patient: Body, changes: Body, title: str
) -> None:
    answer = client.post("/v1/what-if", json={"patient": patient, "changes": changes}).json()
    assert answer["what_if"]["title"] == title
    missing = {one["predictor"] for one in answer["missing"]}
    assert {name for name, value in changes.items() if value is None} <= missing


SPD = {"spd": {"value": 20, "unit": "cm2"}}


@pytest.mark.parametrize(
    ("given", "changes", "said"),
    [
        ({}, SPD, "tumour burden is read from another measure (Total metabolic tumour volume)"),
        (SPD, {"spd": None}, "read from another measure (Total metabolic tumour volume)"),
        ({}, {"marrow_blast": {"value": 9, "unit": "%"}}, "(Total metabolic tumour volume)"),
        ({"mtv": None}, {"marrow_blast": {"value": 9, "unit": "%"}}, "in this disease"),
        ({}, {"il6": {"value": 9, "unit": "pg/mL"}}, "no model reads it"),
        ({"mtv": None}, SPD, ""),
        (SPD, {"mtv": None}, ""),
        ({}, {"mtv": {"value": 99, "unit": "mL"}}, ""),
        ({}, {"mtv": None}, ""),
        ({}, CRP, ""),
    ],
)
def test_a_change_that_moves_no_risk_is_told_and_no_other(
    client: TestClient, patient: Body, given: Body, changes: Body, said: str
) -> None:
    before = client.post("/v1/assess", json=patient | given).json()
    sent = {"patient": patient | given, "changes": changes}
    after = client.post("/v1/what-if", json=sent).json()
    risks = [[one.get("risk") for one in answer["outcomes"]] for answer in (before, after)]
    notes = after["what_if"]["notes"]
    assert (risks[0] == risks[1]) == (len(notes) == 2) == bool(said)
    assert said in notes[-1]


@pytest.mark.parametrize("spelled", ["lbcl", "DLBCL"])
def test_a_what_if_takes_the_words_of_a_disease_as_an_assessment_does(
    client: TestClient, patient: Body, spelled: str
) -> None:
    told = []
    for disease in ("LBCL", spelled):
        sent = {"patient": patient | {"disease": disease}, "changes": CRP}
        answer = client.post("/v1/what-if", json=sent).json()
        told.append((answer["outcomes"], answer["what_if"]))
    assert told[0] == told[1]


@pytest.mark.parametrize("name", ["age", "sex", "disease", "ldh_uln", "neuro_comorbidity", "ecog"])
def test_what_cannot_be_measured_again_is_not_edited(
    client: TestClient, patient: Body, name: str
) -> None:
    assert name in PREDICTORS
    assert name not in EDITABLE
    sent = {"patient": patient, "changes": {name: patient.get(name, "no"), "crp": None}}
    assert fields(client.post("/v1/what-if", json=sent)) == [(name, "not_editable")]


def test_every_problem_of_a_what_if_is_listed_and_no_unknown_name(
    client: TestClient, patient: Body
) -> None:
    wrong = {"patient": patient | {"age": 3}, "changes": {"MRN-4711": 1, "sex": "female", "il6": 4}}
    response = client.post("/v1/what-if", json=wrong)
    assert set(fields(response)) == {
        ("(unknown)", "not_editable"),
        ("sex", "not_editable"),
        ("il6", "not_a_quantity"),
        ("age", "not_a_quantity"),
    }
    assert "4711" not in response.text


def test_a_what_if_stays_within_the_usual_range(client: TestClient, patient: Body) -> None:
    sent = {"patient": patient, "changes": {"ferritin": {"value": 90_000, "unit": "ng/mL"}}}
    response = client.post("/v1/what-if", json=sent)
    assert fields(response) == [("ferritin", "outside_range")]
    assert "90" not in response.json()["problems"][0]["message"].replace("20000", "")


def test_all_that_is_wrong_with_a_what_if_is_told_at_once(
    client: TestClient, patient: Body
) -> None:
    wrong = {"patient": {"product": "nope", "reference": "a b"}, "changes": {"zz": 1}, "q-4711": 1}
    response = client.post("/v1/what-if", json=wrong)
    assert set(fields(response)) == {
        ("(unknown)", "unknown_field"),
        ("(unknown)", "not_editable"),
        ("reference", "not_a_reference"),
        ("product", "not_a_choice"),
        ("disease", "required"),
        ("age", "required"),
    }
    assert "4711" not in response.text
    unusual = {"crp": {"value": 900, "unit": "mg/L", "measured_at": "x"}, "il6": {"unit": "x"}}
    other_unit = {"albumin": {"value": 36, "unit": "mg/L"}}
    sent = {"patient": patient | other_unit, "changes": unusual}
    assert set(fields(client.post("/v1/what-if", json=sent))) == {
        ("albumin", "unknown_unit"),
        ("crp", "not_a_date"),
        ("crp", "outside_range"),
        ("il6", "unknown_unit"),
        ("il6", "not_a_number"),
    }


def test_what_lies_outside_the_limits_is_told_once(client: TestClient, patient: Body) -> None:
    changes = {"crp": {"value": -1, "unit": "mg/L"}}
    sent = {"patient": patient, "changes": changes}
    assert fields(client.post("/v1/what-if", json=sent)) == [("crp", "outside_limits")]


NO_PATIENT = ("patient", "required")
NO_CHANGES = ("changes", "required")
UNREAD = [(name, "required") for name in ("product", "disease", "age")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], [("(body)", "not_an_object")]),
        ({}, [NO_PATIENT, NO_CHANGES]),
        ({"patient": {}}, [NO_CHANGES, *UNREAD]),
        ({"patient": {}, "changes": {}}, [NO_CHANGES, *UNREAD]),
        ({"patient": {}, "changes": []}, [("changes", "not_an_object"), *UNREAD]),
        ({"patient": 1, "changes": {}}, [("patient", "not_an_object"), NO_CHANGES]),
        ({"patient": None, "changes": NO_CRP}, [NO_PATIENT]),
        ({"changes": {"crp": 3}}, [NO_PATIENT, ("crp", "not_a_quantity")]),
    ],
)
def test_a_what_if_has_a_patient_and_changes(
    client: TestClient, body: Any, expected: list[tuple[str, str]]
) -> None:
    assert sorted(fields(client.post("/v1/what-if", json=body))) == sorted(expected)


def test_another_product_is_compared_only_where_a_site_wants_it(
    client: TestClient, ward: Ward, patient: Body
) -> None:
    sent = {"patient": patient, "changes": {"product": "tisagenlecleucel"}}
    assert fields(client.post("/v1/what-if", json=sent)) == [("product", "not_editable")]
    with client_of(ward, product_what_if=True) as wanting:
        answer = wanting.post("/v1/what-if", json=sent).json()
        assert answer["what_if"]["notes"] == [NOTE, PRODUCT_NOTE]


def test_an_assessment_is_found_as_it_was_sent_with_what_happened_since(
    client: TestClient, patient: Body
) -> None:
    answer = client.post("/v1/assess", json=patient | {"reference": "study-7"}).json()
    path = f"/v1/assessments/{answer['assessment_id']}"
    assert client.get(path).json() == {"assessment": answer, "outcomes": []}
    for grade in (1, 3):
        sent = report(answer["assessment_id"], crs_grade=grade)
        reported = client.post("/v1/outcomes", json=sent)
        assert reported.status_code == 201
        assert reported.json()["assessment_id"] == answer["assessment_id"]
    outcomes = client.get(path).json()["outcomes"]
    assert [one["crs_grade"] for one in outcomes] == [1, 3]
    assert outcomes[1]["outcome_id"] == reported.json()["outcome_id"]


def test_what_was_validated_or_refused_is_not_kept(client: TestClient, patient: Body) -> None:
    validated = client.post("/v1/validate", json=patient)
    assert "assessment_id" not in validated.json()


@pytest.mark.parametrize("unknown", [NOBODY, "1", "x" * 64, NOBODY.upper()])
def test_an_unknown_assessment_is_not_found(client: TestClient, unknown: str) -> None:
    assert client.get(f"/v1/assessments/{unknown}").status_code == 404


def test_an_outcome_of_nobody_is_not_kept(client: TestClient) -> None:
    assert client.post("/v1/outcomes", json=report(NOBODY)).status_code == 404


@pytest.mark.parametrize("scale", ["ASTCT\ud8002019", " " * 60 + "ASTCT2019", "ASTCT\n2019"])
def test_a_scale_that_cannot_be_kept_is_refused(
    client: TestClient, patient: Body, scale: str
) -> None:
    """Half a character was kept, and what it stood with could never be read again."""
    answer = client.post("/v1/assess", json=patient).json()
    sent = json.dumps(report(answer["assessment_id"], grading_scale=scale))
    response = client.post(
        "/v1/outcomes", content=sent, headers={"content-type": "application/json"}
    )
    assert fields(response) == [("grading_scale", "unknown_scale")]
    assert client.get(f"/v1/assessments/{answer['assessment_id']}").status_code == 200


@pytest.mark.parametrize(
    ("raised", "status"), [(ErasedAssessment(), 410), (LogRefused("another site key"), 503)]
)
def test_what_cannot_be_read_any_more_is_not_called_unknown(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int
) -> None:
    async def read(_log: AssessmentLog, _id: object) -> None:
        raise raised

    monkeypatch.setattr(AssessmentLog, "read", read)
    assert client.get(f"/v1/assessments/{NOBODY}").status_code == status


def test_every_problem_of_a_report_is_listed(client: TestClient) -> None:
    wrong = report("no id", crs_grade=9, grading_scale="ours", follow_up_days=-1, name="Kowalski")
    response = client.post("/v1/outcomes", json=wrong)
    assert {field for field, _ in fields(response)} == {
        "(unknown)",
        "assessment_id",
        "crs_grade",
        "grading_scale",
        "follow_up_days",
    }
    assert "Kowalski" not in response.text


def test_each_scope_opens_its_own_doors(ward: Ward, patient: Body) -> None:
    with client_of(ward, scopes=(Scope.OUTCOMES,)) as client:
        assert client.post("/v1/assess", json=patient).status_code == 403
        assert client.post("/v1/outcomes", json=report(NOBODY)).status_code == 404
        assert client.get("/v1/model/history").status_code == 403
        for path in ("/v1/predictors", "/v1/model", "/livez", "/readyz", "/metrics", "/"):
            assert client.get(path, headers={"authorization": ""}).status_code == 200


def refused_for_want_of_a_row() -> float:
    (line,) = re.findall(rb"(?m)^cart_risk_log_unavailable_total (.+)$", exposition())
    return float(line)


def assessments_counted() -> float:
    count_up()
    found = re.findall(rb"(?m)^cart_risk_assessments_total\{.*\} (.+)$", exposition())
    return sum(map(float, found))


def test_no_answer_is_given_that_is_not_on_disk(
    ward: Ward, patient: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise LogUnavailable("the disk is full")

    with client_of(ward) as client:
        assessed = client.post("/v1/assess", json=patient).json()["assessment_id"]
        for name in ("append_all", "append", "read"):
            monkeypatch.setattr(AssessmentLog, name, refuse)
        before = refused_for_want_of_a_row()
        answered = assessments_counted()
        for response in (
            client.post("/v1/assess", json=patient),
            client.post("/v1/what-if", json={"patient": patient, "changes": {"crp": None}}),
            client.post("/v1/outcomes", json=report(assessed)),
            client.get(f"/v1/assessments/{assessed}"),
        ):
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert "risk" not in response.text
        batch = client.post("/v1/assess/batch", json={"items": [patient, {}]}).json()["items"]
        assert [one["status"] for one in batch] == [503, 422]
        # An assessment, a what-if, an outcome, an item of the batch; a lookup writes no row.
        assert refused_for_want_of_a_row() - before == 4
        assert assessments_counted() == answered


def test_without_its_log_the_service_is_alive_and_not_ready(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_of(ward) as client:
        assert client.get("/readyz").status_code == 200
        monkeypatch.setattr(AssessmentLog, "refusal", property(lambda _: "the disk is full"))
        refused = client.get("/readyz")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["detail"] == "the disk is full"
        assert client.get("/livez").status_code == 200


def test_a_service_whose_log_hangs_is_not_ready(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client_of(ward) as client:
        # Slow, but callers are answered in time.
        monkeypatch.setattr(AssessmentLog, "lag", DEADLINE_SECONDS - 1)
        assert client.get("/readyz").status_code == 200
        monkeypatch.setattr(AssessmentLog, "lag", DEADLINE_SECONDS + 1)
        refused = client.get("/readyz")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "hangs" in refused.json()["detail"]
