"""One of each patient: the first infusion, its last inputs, and the outcome reported last."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from serving.assessed_patients import (
    A_WHAT_IF,
    HASH_ONLY,
    LATER_INFUSION,
    NO_AGE,
    NO_DATE,
    NOT_OBSERVABLE,
    NOT_YET_KNOWN,
    TOO_EARLY,
    UNREADABLE,
    YET_TO_COME,
    AssessedPatient,
    assessed_patients,
)
from serving.assessment_log.entries import StoredAssessment, StoredOutcome, new_id
from serving.fhir.patient_record import read_bundle
from serving.openapi_fhir import EXAMPLE_BUNDLE
from tests.conftest import Body

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ANNA, BERTA = bytes(32), b"b" * 32


def told(id: UUID, day: int = 60, **said: Any) -> StoredOutcome:
    """What was reported on a day; by default mild grades after the whole horizon."""
    report = {
        "assessment_id": str(id),
        "crs_grade": 1,
        "icans_grade": 0,
        "grading_scale": "ASTCT 2019",
        "follow_up_days": 30,
    }
    sent = {name: value for name, value in (report | said).items() if value is not None}
    return StoredOutcome(new_id(), BEGIN + timedelta(days=day), json.dumps(sent).encode())


def assessed(
    body: Any,
    *reports: dict[str, Any],
    day: int = 0,
    reference: bytes | None = None,
    hashed: bool = False,
) -> StoredAssessment:
    id = new_id()
    return StoredAssessment(
        id=id,
        when=BEGIN + timedelta(days=day),
        status="ok",
        model_hashes={},
        answer=b"{}",
        input=None if hashed else json.dumps(body).encode(),
        reference=reference,
        outcomes=tuple(told(id, **report) for report in reports or ({},)),
    )


def one(*assessments: StoredAssessment) -> AssessedPatient:
    found = assessed_patients(assessments)
    (patient,) = found.patients
    return patient


def test_a_patient_is_read_as_the_service_read_it(patient: Body) -> None:
    found = one(assessed({**patient, "reference": "anna"}, reference=ANNA))
    assert found.request.values["platelets"] == 74.0
    assert found.request.values["creatinine"] == pytest.approx(0.9)
    assert found.request.values["neuro_comorbidity"] is False
    assert str(found.infused) == "2026-03-10"
    assert found.pseudonym == ANNA[:16].hex()
    assert dict(found.outcome.grades) == {"crs_grade": 1, "icans_grade": 0}


def test_a_bundle_is_read_as_its_door_reads_it() -> None:
    found = one(assessed(EXAMPLE_BUNDLE))
    assert str(found.infused) == read_bundle(EXAMPLE_BUNDLE).record["infusion_date"][:10]
    assert found.request.values.keys() == read_bundle(EXAMPLE_BUNDLE).record.keys() - {
        "infusion_date"
    }


def test_of_several_reports_the_last_counts_alone(patient: Body) -> None:
    found = one(assessed(patient, {"crs_grade": 4}, {"crs_grade": 2, "icans_grade": None}))
    assert dict(found.outcome.grades) == {"crs_grade": 2}


def test_a_patient_assessed_twice_before_one_infusion_counts_once(patient: Body) -> None:
    """By the last inputs, and by the last report, whichever of the two it was about."""
    first = assessed(patient, {"day": 90, "crs_grade": 3}, reference=ANNA)
    later = {**patient, "platelets": {"value": 31, "unit": "10*9/L"}}
    second = assessed(later, {"day": 80, "crs_grade": 1}, day=3, reference=ANNA)
    for order in ((first, second), (second, first)):
        found = one(*order)
        assert found.request.values["platelets"] == 31.0
        assert found.outcome.grades["crs_grade"] == 3


def test_an_infusion_that_was_postponed_is_one_by_its_last_assessment(patient: Body) -> None:
    first = assessed(patient, reference=ANNA)
    postponed = {
        **patient,
        "infusion_date": "2026-03-24",
        "platelets": {"value": 31, "unit": "10*9/L"},
    }
    again = assessed(postponed, day=3, reference=ANNA)
    for order in ((first, again), (again, first)):
        found = one(*order)
        assert str(found.infused) == "2026-03-24"
        assert found.request.values["platelets"] == 31.0
        assert len(found.assessments) == 2


def test_of_two_infusions_the_first_counts(patient: Body) -> None:
    first = assessed(patient, reference=ANNA)
    later = {**patient, "infusion_date": "2026-09-01"}
    again = assessed(later, {"day": 220}, day=170, reference=ANNA)
    found = assessed_patients([again, first], today=date(2026, 11, 1))
    assert [str(p.infused) for p in found.patients] == ["2026-03-10"]
    assert found.left_out == {LATER_INFUSION: 1}


def test_without_a_reference_every_assessment_is_a_patient(patient: Body) -> None:
    both = assessed_patients([assessed(patient), assessed(patient)])
    assert [p.pseudonym for p in both.patients] == [None, None]
    apart = assessed_patients([assessed(patient, reference=r) for r in (ANNA, BERTA)])
    assert len(apart.patients) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"infusion_date": None}, NO_DATE),
        ({"age": "unknown"}, NO_AGE),
        ({"a field of another release": 1}, UNREADABLE),
    ],
)
def test_who_cannot_be_in_a_cohort_is_left_out_and_counted(
    patient: Body, change: Body, why: str
) -> None:
    patient["crp"] = {"value": 84, "unit": "mg/L"}  # a date of measurement needs one of infusion
    body = {name: value for name, value in (patient | change).items() if value is not None}
    found = assessed_patients([assessed(body), assessed(body)])
    assert (found.patients, found.left_out) == ((), {why: 2})


def test_a_bundle_that_cannot_be_read_any_more_is_left_out() -> None:
    broken = {"resourceType": "Bundle", "type": "collection", "entry": []}
    assert assessed_patients([assessed(broken)]).left_out == {UNREADABLE: 1}


def test_a_what_if_is_no_patient(patient: Body) -> None:
    asked = {"patient": patient, "changes": {"crp": {"value": 5, "unit": "mg/L"}}}
    assert assessed_patients([assessed(asked)]).left_out == {A_WHAT_IF: 1}


def test_what_was_kept_as_a_hash_is_left_out(patient: Body) -> None:
    found = assessed_patients([assessed(patient, hashed=True), assessed(patient)])
    assert (len(found.patients), found.left_out) == (1, {HASH_ONLY: 1})


def test_before_the_horizon_is_over_only_a_severe_grade_is_an_outcome(patient: Body) -> None:
    mild = assessed(patient, {"follow_up_days": 27})
    severe = assessed(patient, {"follow_up_days": 5, "icans_grade": 3})
    found = assessed_patients([mild, severe])
    assert [p.outcome.severe for p in found.patients] == [
        {"severe_crs": None, "severe_icans": True}
    ]
    assert found.left_out == {NOT_YET_KNOWN: 1}


BARE_DATES = {"crp": {"value": 84, "unit": "mg/L"}}


@pytest.mark.parametrize(
    ("infusion", "why"),
    [
        ("1999-01-01", TOO_EARLY),
        ("2008-12-31", TOO_EARLY),
        ("2009-01-01", None),
        ("2026-06-30", None),
        ("2026-07-01", YET_TO_COME),
        ("2099-01-01", YET_TO_COME),
    ],
)
def test_an_infusion_that_cannot_have_been_is_left_out_and_spoils_no_other(
    patient: Body, infusion: str, why: str | None
) -> None:
    """Nor is it the first infusion of a patient who was assessed again with the right date."""
    odd = assessed(
        {**patient, **BARE_DATES, "infusion_date": infusion},
        {"follow_up_days": 28, "day": 300},
        reference=ANNA if why else BERTA,
    )
    right = assessed(patient, reference=ANNA)
    found = assessed_patients([odd, right], today=date(2026, 6, 30))
    assert len(found.patients) == (1 if why else 2)
    assert found.left_out == ({why: 1} if why else {})


@pytest.mark.parametrize(
    ("reported_day", "follow_up", "grade", "counts"),
    [
        (37, 28, 1, True),  # the very day: 10 March and 28 days are 7 April
        (36, 28, 1, True),  # a day is left for time zones
        (35, 28, 1, False),
        (10, 28, 1, False),
        (10, 28, 4, False),
        (10, 1, 4, True),
    ],
)
def test_nobody_is_followed_up_into_the_future(
    patient: Body, reported_day: int, follow_up: int, grade: int, counts: bool
) -> None:
    said = {"day": reported_day, "follow_up_days": follow_up, "crs_grade": grade}
    found = assessed_patients([assessed(patient, said)])
    assert len(found.patients) == counts
    assert found.left_out == ({} if counts else {NOT_OBSERVABLE: 1})
