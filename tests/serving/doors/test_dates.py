"""Dates are judged by the day of the question: refused where they cannot be, named where past."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from data_schemas.patient_request import read_patient
from data_schemas.possible_dates import FIRST_INFUSIONS, MOST_DAYS_AHEAD
from data_schemas.risk_assessment import CautionCode
from serving.openapi_fhir import EXAMPLE_BUNDLE
from serving.ward import Ward
from tests.conftest import Body
from tests.serving.at_the_door import client_of

TODAY = date(2026, 3, 20)
PASSED = CautionCode.INFUSION_HAS_PASSED.value
NUMBERS = ("risk", "interval", "explanation", "base_rate", "natural_frequency")


@contextmanager
def on(day: date, ward: Ward) -> Iterator[TestClient]:
    with client_of(ward, clock=lambda: datetime(day.year, day.month, day.day, 12, tzinfo=UTC)) as c:
        yield c


@pytest.fixture(scope="module")
def client(ward: Ward) -> Iterator[TestClient]:
    with on(TODAY, ward) as client:
        yield client


def infused(patient: Body, days_from_today: int) -> Body:
    bare = {n: v for n, v in patient.items() if n != "crp"}
    day = (TODAY + timedelta(days=days_from_today)).isoformat()
    return bare | {"crp": {"value": 84, "unit": "mg/L"}, "infusion_date": day}


def codes(answer: dict[str, Any]) -> list[str]:
    return [one["code"] for one in answer["cautions"]]


def refused(client: TestClient, body: Body) -> list[tuple[str, str]]:
    """Ask at every REST door, which must agree."""
    sent: dict[str, Any] = {
        "/v1/assess": body,
        "/v1/assess/brief": body,
        "/v1/validate": body,
        "/v1/what-if": {"patient": body, "changes": {"ferritin": {"value": 300, "unit": "ng/mL"}}},
    }
    said = [client.post(path, json=content) for path, content in sent.items()]
    (item,) = client.post("/v1/assess/batch", json={"items": [body]}).json()["items"]
    problems = [r.json().get("problems", []) for r in said]
    problems.append(item.get("problem", {}).get("problems", []))
    assert all(one == problems[0] for one in problems)
    assert {r.status_code for r in said} | {item["status"]} == {422 if problems[0] else 200}
    assert all(one["message"] for one in problems[0])
    return [(one["field"], one["code"]) for one in problems[0]]


@pytest.mark.parametrize(
    ("infusion", "code"),
    [
        ("1999-01-01", "before_first_infusions"),
        ("2008-12-31", "before_first_infusions"),
        ("2009-01-01", None),
        ("2027-03-22", None),
        ("2027-03-23", "too_far_ahead"),
        ("2099-01-01", "too_far_ahead"),
        ("9999-12-31T23:59:59-12:00", "too_far_ahead"),
    ],
)
def test_an_infusion_is_neither_before_the_first_ones_nor_more_than_a_year_ahead(
    client: TestClient, patient: Body, infusion: str, code: str | None
) -> None:
    body = infused(patient, 0) | {"infusion_date": infusion}
    assert refused(client, body) == ([("infusion_date", code)] if code else [])


def test_the_limit_is_said_with_the_remedy_and_without_what_was_sent(
    client: TestClient, patient: Body
) -> None:
    for sent, limit in (
        ("2099-01-01", TODAY + timedelta(days=MOST_DAYS_AHEAD + 1)),
        ("1999-01-01", FIRST_INFUSIONS),
    ):
        response = client.post("/v1/assess", json=infused(patient, 0) | {"infusion_date": sent})
        (problem,) = response.json()["problems"]
        assert limit.isoformat() in problem["message"]
        assert "correct the" in problem["message"]
        assert sent not in response.text


@pytest.mark.parametrize(("days", "is_refused"), [(-30, False), (0, False), (1, False), (2, True)])
def test_nothing_was_measured_later_than_today(
    client: TestClient, patient: Body, days: int, is_refused: bool
) -> None:
    measured = (TODAY + timedelta(days=days)).isoformat()
    crp = {"value": 84, "unit": "mg/L", "measured_at": measured}
    body = infused(patient, 60) | {"crp": crp}
    assert refused(client, body) == ([("crp", "measured_in_the_future")] if is_refused else [])


@pytest.mark.parametrize(
    ("days", "has_passed"), [(-4000, True), (-2, True), (-1, False), (0, False), (30, False)]
)
def test_an_infusion_that_has_passed_is_answered_with_a_caution(
    client: TestClient, patient: Body, days: int, has_passed: bool
) -> None:
    body = infused(patient, days)
    brief = client.post("/v1/assess/brief", json=body).json()
    (item,) = client.post("/v1/assess/batch", json={"items": [body]}).json()["items"]
    changes = {"ferritin": {"value": 300, "unit": "ng/mL"}}
    what_if = client.post("/v1/what-if", json={"patient": body, "changes": changes}).json()
    for answer in (client.post("/v1/assess", json=body).json(), brief, item["assessment"], what_if):
        assert (PASSED in codes(answer)) == has_passed
        assert answer["status"] == ("caution" if codes(answer) else "ok")


def test_without_a_date_of_infusion_nothing_is_said_of_it(
    client: TestClient, patient: Body
) -> None:
    bare = {n: v for n, v in infused(patient, 0).items() if n != "infusion_date"}
    assert PASSED not in codes(client.post("/v1/assess", json=bare).json())


def test_the_day_of_the_question_moves_the_caution_and_no_number(ward: Ward, patient: Body) -> None:
    """What is answered depends on what was sent and on the day that stands in ``assessed_at``."""
    body = infused(patient, 0)
    answers = []
    for day in (TODAY, TODAY, TODAY + timedelta(days=200)):
        with on(day, ward) as client:
            answer = client.post("/v1/assess", json=body).json()
        assert answer.pop("assessed_at").startswith(day.isoformat())
        del answer["assessment_id"]
        answers.append(answer)
    before, same_day, after = answers
    assert before == same_day
    assert [c for c in after["cautions"] if c not in before["cautions"]] == [after["cautions"][0]]
    assert after["cautions"][0]["code"] == PASSED
    for one, other in zip(before["outcomes"], after["outcomes"], strict=True):
        assert [one[name] for name in NUMBERS] == [other[name] for name in NUMBERS]


def test_a_table_of_past_patients_is_not_told_that_they_are_past(ward: Ward, patient: Body) -> None:
    assert ward.assessor is not None
    made = ward.assessor.assess(read_patient(infused(patient, -4000)))
    assert CautionCode.INFUSION_HAS_PASSED not in made.cautions


# --- the FHIR door ----------------------------------------------------------------------------


def fhir_notes(client: TestClient) -> list[str]:
    answer = client.post("/fhir/$assess", json=EXAMPLE_BUNDLE).json()
    assert answer["resourceType"] == "Bundle"
    (assessment,) = (
        entry["resource"]
        for entry in answer["entry"]
        if entry["resource"]["resourceType"] == "RiskAssessment"
    )
    return [note["text"] for note in assessment["note"]]


@pytest.mark.parametrize(("day", "has_passed"), [(date(2026, 3, 15), False), (TODAY, True)])
def test_a_bundle_whose_infusion_has_passed_is_answered_with_the_caution(
    ward: Ward, day: date, has_passed: bool
) -> None:
    with on(day, ward) as client:
        notes = fhir_notes(client)
    assert any("infusion date has passed" in note for note in notes) == has_passed


@pytest.mark.parametrize(
    ("day", "says", "place"),
    [
        (date(2024, 1, 1), "must not lie after 2025-01-02", "timing.event"),
        (date(2026, 3, 7), "measured_at must not lie after 2026-03-08", "entry["),
    ],
)
def test_a_bundle_from_the_future_is_refused_by_its_element(
    ward: Ward, day: date, says: str, place: str
) -> None:
    with on(day, ward) as client:
        response = client.post("/fhir/$assess", json=EXAMPLE_BUNDLE)
    assert response.status_code == 422
    issues = response.json()["issue"]
    places = [i["expression"][0] for i in issues if says in i["details"]["text"]]
    assert any(place in where for where in places)
