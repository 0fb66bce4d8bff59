"""A brief answer: the numbers of the whole one, and nothing left out that a risk may not lack."""

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from data_schemas.brief_assessment import BriefAssessment
from data_schemas.patient_request import read_patient
from data_schemas.risk_assessment import Status
from serving.assess import Answered, Assessor, Detail
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogUnavailable
from serving.ward import Ward
from tests.conftest import Body
from tests.serving.at_the_door import client_of
from tests.serving.test_openapi import HEAD, violations

Answer = dict[str, Any]
PATH = "/v1/assess/brief"
LINES = {"content-type": "application/x-ndjson"}
SAME = ("status", "cautions", "low_risk_statement", "uncertainty_statement", "intended_use")
SAME_OF_OUTCOME = ("outcome", "status", "reasons", "risk", "interval", "model")


@pytest.fixture(scope="module")
def assessor(fitted_ward: Ward) -> Assessor:
    assert fitted_ward.assessor is not None
    return fitted_ward.assessor


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with client_of(ward) as client:
        yield client


def read(answered: Answered) -> Answer:
    return orjson.loads(answered.to_json())


def both(assessor: Assessor, body: Body) -> tuple[Answer, Answer]:
    request = read_patient(body)
    return read(assessor.assess(request)), read(assessor.assess(request, Detail.BRIEF))


def without_head(assessment: Answer) -> Answer:
    return {k: v for k, v in assessment.items() if k not in ("assessment_id", "assessed_at")}


def test_a_brief_answer_has_the_numbers_of_the_whole_one(
    assessor: Assessor, bodies: list[Body]
) -> None:
    seen = set()
    for body in bodies:
        whole, brief = both(assessor, body)
        assert {name: brief[name] for name in SAME} == {name: whole[name] for name in SAME}
        assert brief.get("together") == whole.get("together")
        assert brief["missing"] == [one["predictor"] for one in whole["missing"]]
        for one, short in zip(whole["outcomes"], brief["outcomes"], strict=True):
            for name in SAME_OF_OUTCOME:
                assert short.get(name) == one.get(name)
            seen.add(one["status"])
            if "risk" in one:
                explained = one["explanation"]
                assert (short["base"], short["total"]) == (explained["base"], explained["total"])
                expected = {
                    c["predictor"]: c["log_odds"]
                    for c in explained["contributions"]
                    if c["log_odds"]
                }
                assert {n: v for n, v in short["contributions"].items() if v} == expected
    assert {Status.OK, Status.CAUTION} & seen


def test_its_contributions_add_up(assessor: Assessor, bodies: list[Body]) -> None:
    for body in bodies[::20]:
        for one in both(assessor, body)[1]["outcomes"]:
            if "risk" in one:
                added = one["base"] + sum(one["contributions"].values())
                assert added == pytest.approx(one["total"], abs=1e-9)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"age": "unknown"}, Status.INSUFFICIENT_DATA),
        ({"product": "other"}, Status.OUT_OF_SCOPE),
        ({"age": {"value": 9, "unit": "a"}}, Status.OUT_OF_SCOPE),
    ],
)
def test_without_a_usable_risk_it_has_a_reason_and_no_number(
    assessor: Assessor, patient: Body, given: Body, status: Status
) -> None:
    _, brief = both(assessor, patient | given)
    assert brief["status"] == status
    for one in brief["outcomes"]:
        assert one.keys() == {"outcome", "status", "reasons", "model"}
        assert all(one["reasons"])
    assert "together" not in brief


@pytest.mark.parametrize("given", [{}, {"age": "unknown"}, {"product": "other"}, {"ldh": None}])
def test_it_conforms_to_its_schema(assessor: Assessor, patient: Body, given: Body) -> None:
    _, brief = both(assessor, patient | given)
    assert violations("BriefAssessment", HEAD | brief) == []
    assert BriefAssessment.model_validate_json(orjson.dumps(brief)).missing == tuple(
        brief["missing"]
    )
    assert violations("BriefAssessment", HEAD | {k: v for k, v in brief.items() if k != "status"})


def test_it_is_less_than_a_fifth_of_the_whole_answer(
    assessor: Assessor, bodies: list[Body]
) -> None:
    sizes = [tuple(len(orjson.dumps(one)) for one in both(assessor, body)) for body in bodies[::20]]
    assert sum(brief for _, brief in sizes) < sum(whole for whole, _ in sizes) / 5


def test_the_door_gives_it_and_the_log_keeps_it(client: TestClient, patient: Body) -> None:
    sent = client.post(PATH, json=patient)
    assert sent.status_code == 200
    brief = sent.json()
    assert brief["detail"] == "brief"
    assert violations("BriefAssessment", brief) == []
    looked_up = client.get(f"/v1/assessments/{brief['assessment_id']}")
    assert looked_up.headers["content-type"] == "application/vnd.cart-risk.brief+json"
    assert looked_up.json() == {"assessment": brief, "outcomes": []}
    assert violations("StoredBriefAssessment", looked_up.json()) == []
    whole = client.post("/v1/assess", json=patient).json()
    looked_up = client.get(f"/v1/assessments/{whole['assessment_id']}")
    assert looked_up.headers["content-type"] == "application/json"


def test_it_is_refused_as_the_whole_one(client: TestClient, patient: Body) -> None:
    wrong = patient | {"crp": 3, "nonsense": 1, "reference": "a name", "age": None}
    brief, whole = client.post(PATH, json=wrong), client.post("/v1/assess", json=wrong)
    assert (brief.status_code, brief.json()) == (whole.status_code, whole.json()) != (200, {})


def test_an_outcome_is_reported_for_it(client: TestClient, patient: Body) -> None:
    assessed = client.post(PATH, json=patient).json()["assessment_id"]
    report = {"assessment_id": assessed, "crs_grade": 1, "icans_grade": 0}
    report |= {"grading_scale": "ASTCT2019", "follow_up_days": 28}
    assert client.post("/v1/outcomes", json=report).status_code == 201
    (kept,) = client.get(f"/v1/assessments/{assessed}").json()["outcomes"]
    assert kept["crs_grade"] == 1


def test_many_are_answered_as_one(client: TestClient, patient: Body) -> None:
    alone = without_head(client.post(PATH, json=patient).json())
    batch = client.post("/v1/assess/batch/brief", json={"items": [patient, {}, patient]})
    assert violations("BriefBatchAnswer", batch.json()) == []
    assert [one["status"] for one in batch.json()["items"]] == [200, 422, 200]
    lines = b"\n".join([json.dumps(patient).encode(), b"{}"])
    streamed = client.post("/v1/assess/batch/brief", content=lines, headers=LINES)
    results = [json.loads(line) for line in streamed.text.splitlines()]
    assert [one["status"] for one in results] == [200, 422]
    for one in (*batch.json()["items"][::2], results[0]):
        assert without_head(one["assessment"]) == alone


def test_it_is_not_given_without_its_row(
    client: TestClient, patient: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise LogUnavailable("away")

    monkeypatch.setattr(AssessmentLog, "append_all", away)
    refused = client.post(PATH, json=patient)
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert "risk" not in refused.json()
