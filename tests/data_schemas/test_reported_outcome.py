"""An outcome is graded on one scale, after a stated follow-up, and not known before its horizon."""

import contextlib
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_schemas.outcomes import OUTCOMES
from data_schemas.patient_request import RequestProblems
from data_schemas.reported_outcome import FIELDS, LONGEST_FOLLOW_UP_DAYS, read_reported_outcome
from data_schemas.toxicity_grading import GradingScale

ID = "01a20594-8e8c-7ba4-af2c-977796705751"
CANARY = "MRN4711Kowalski"
HORIZON = OUTCOMES["severe_crs"].horizon_days


def report(**changes: object) -> dict[str, Any]:
    """A patient with CRS of grade 2 and ICANS of grade 3, followed for the whole horizon."""
    whole = {
        "assessment_id": ID,
        "crs_grade": 2,
        "icans_grade": 3,
        "grading_scale": "ASTCT2019",
        "follow_up_days": 28,
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def problems(body: object) -> set[tuple[str, str]]:
    with pytest.raises(RequestProblems) as refused:
        read_reported_outcome(body)
    return {(problem.field, problem.code) for problem in refused.value.problems}


def test_grades_become_outcomes() -> None:
    read = read_reported_outcome(report())
    assert read.assessment_id == UUID(ID)
    assert read.severe == {"severe_crs": False, "severe_icans": True}


@pytest.mark.parametrize(
    ("grade", "days", "severe"),
    [
        (0, HORIZON, False),
        (2, HORIZON, False),
        (3, HORIZON, True),
        (5, HORIZON, True),
        (2, HORIZON - 1, None),  # the severe grade may still come
        (3, 1, True),  # it has come
        (..., HORIZON, None),
    ],
)
def test_a_lesser_grade_is_no_event_only_after_the_horizon(
    grade: object, days: int, severe: bool | None
) -> None:
    read = read_reported_outcome(report(crs_grade=grade, follow_up_days=days))
    assert read.severe["severe_crs"] is severe


def test_a_grade_that_is_null_is_not_known() -> None:
    read = read_reported_outcome(report(icans_grade=None))
    assert read.grades == {"crs_grade": 2}


@pytest.mark.parametrize("scale", ["ASTCT2019", "astct", "ASTCT 2019", "Lee 2019"])
def test_the_scale_may_be_spelt_as_usual(scale: str) -> None:
    assert read_reported_outcome(report(grading_scale=scale)).follow_up_days == 28


@pytest.mark.parametrize("scale", [s for s in GradingScale if s is not GradingScale.ASTCT2019])
def test_grades_of_another_scale_are_not_the_outcome(scale: GradingScale) -> None:
    with pytest.raises(RequestProblems) as refused:
        read_reported_outcome(report(grading_scale=scale.value))
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("grading_scale", "other_grading_scale")
    assert "Lee DW, Biol Blood Marrow Transplant 2019;25:625-638" in problem.message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"assessment_id": ...}, ("assessment_id", "not_an_id")),
        ({"assessment_id": 7}, ("assessment_id", "not_an_id")),
        ({"assessment_id": "x" * 36}, ("assessment_id", "not_an_id")),
        ({"assessment_id": ID.replace("-", "")}, ("assessment_id", "not_an_id")),
        ({"crs_grade": ..., "icans_grade": ...}, ("crs_grade", "required")),
        ({"crs_grade": 6}, ("crs_grade", "not_a_grade")),
        ({"icans_grade": -1}, ("icans_grade", "not_a_grade")),
        ({"icans_grade": 2.0}, ("icans_grade", "not_a_grade")),
        ({"icans_grade": True}, ("icans_grade", "not_a_grade")),
        ({"icans_grade": "3"}, ("icans_grade", "not_a_grade")),
        ({"grading_scale": ...}, ("grading_scale", "unknown_scale")),
        ({"grading_scale": 2019}, ("grading_scale", "unknown_scale")),
        ({"grading_scale": "own"}, ("grading_scale", "unknown_scale")),
        ({"follow_up_days": ...}, ("follow_up_days", "required")),
        ({"follow_up_days": None}, ("follow_up_days", "required")),
        ({"follow_up_days": -1}, ("follow_up_days", "outside_limits")),
        ({"follow_up_days": -0.5}, ("follow_up_days", "outside_limits")),
        ({"follow_up_days": 1e9}, ("follow_up_days", "outside_limits")),
        ({"follow_up_days": LONGEST_FOLLOW_UP_DAYS + 1}, ("follow_up_days", "outside_limits")),
        ({"follow_up_days": 28.5}, ("follow_up_days", "not_whole")),
        ({"follow_up_days": 28.0}, ("follow_up_days", "not_whole")),
        ({"follow_up_days": False}, ("follow_up_days", "not_a_number")),
        ({"follow_up_days": "28"}, ("follow_up_days", "not_a_number")),
        ({"follow_up_days": float("nan")}, ("follow_up_days", "not_a_number")),
        ({"follow_up_days": []}, ("follow_up_days", "not_a_number")),
        ({"name": CANARY}, ("(unknown)", "unknown_field")),
    ],
)
def test_each_rule_is_refused_by_its_field(
    changes: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert problems(report(**changes)) == {expected}


def test_every_problem_is_said_at_once() -> None:
    assert {field for field, _ in problems({CANARY: 1})} == {
        "(unknown)",
        "assessment_id",
        "crs_grade",
        "grading_scale",
        "follow_up_days",
    }


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_anything_but_an_object_is_refused(body: object) -> None:
    assert problems(body) == {("(body)", "not_an_object")}


def test_nothing_that_was_sent_is_repeated() -> None:
    sent = dict.fromkeys(FIELDS, CANARY) | {CANARY: CANARY}
    with pytest.raises(RequestProblems) as refused:
        read_reported_outcome(sent)
    assert CANARY not in repr(refused.value.problems)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(), JSON))
def test_whatever_is_sent_is_read_or_refused(body: dict[str, Any]) -> None:
    with contextlib.suppress(RequestProblems):
        assert read_reported_outcome(body).grades
