"""What happened to an assessed patient, as a report that can be joined with its assessment.

A severe grade is an event whenever it came; a lesser one is no event only once the whole horizon
was observed: before, nobody knows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard
from uuid import UUID

from data_schemas.outcomes import OUTCOMES
from data_schemas.patient_request import Problem, RequestProblems, is_finite_number
from data_schemas.toxicity_grading import (
    ASTCT_2019,
    HIGHEST_GRADE,
    GradingScale,
    parse_grading_scale,
)

LONGEST_FOLLOW_UP_DAYS = 3_660
_DAYS_MESSAGE = (
    "say for how many days after the infusion the patient was observed, "
    f"a whole number from 0 to {LONGEST_FOLLOW_UP_DAYS} without a decimal point"
)
_LONGEST_SCALE = 64
_GRADES = tuple(o.grade_column for o in OUTCOMES.values() if o.grade_column is not None)
FIELDS = ("assessment_id", *_GRADES, "grading_scale", "follow_up_days")


@dataclass(frozen=True, slots=True)
class ReportedOutcome:
    """Maximum ASTCT 2019 grades since infusion, and for how many days the patient was observed."""

    assessment_id: UUID
    grades: Mapping[str, int]
    """By cohort column: ``crs_grade``, ``icans_grade``; a grade that is not known is left out."""
    follow_up_days: int

    @property
    def severe(self) -> dict[str, bool | None]:
        """Whether each outcome happened; None where its grade or its horizon is not known."""
        return {name: self._severe(name) for name in OUTCOMES}

    def _severe(self, name: str) -> bool | None:
        outcome = OUTCOMES[name]
        grade = self.grades.get(outcome.grade_column or "")
        if grade is None:
            return None
        if grade >= outcome.severe_from_grade:
            return True
        return False if self.follow_up_days >= outcome.horizon_days else None


def read_reported_outcome(body: object) -> ReportedOutcome:
    """Read one report, or say everything that is wrong; nothing that was sent is repeated.

    Raises
    ------
    RequestProblems
        With every problem found, never only the first.
    """
    if not isinstance(body, Mapping):
        message = "send one JSON object with what happened to the patient"
        raise RequestProblems((Problem("(body)", "not_an_object", message, FIELDS),))
    problems: list[Problem] = []
    if set(body) - set(FIELDS):
        message = "a field that the contract does not know (its name is not repeated here)"
        problems.append(Problem("(unknown)", "unknown_field", message, FIELDS))
    assessment_id = _assessment_id(body.get("assessment_id"), problems)
    grades = _grades(body, problems)
    _expect_consensus_scale(body.get("grading_scale"), problems)
    days = body.get("follow_up_days")
    if (code := _what_is_wrong_with_days(days)) is not None:
        problems.append(Problem("follow_up_days", code, _DAYS_MESSAGE))
    if problems or assessment_id is None or not isinstance(days, int):
        raise RequestProblems(tuple(problems))
    return ReportedOutcome(assessment_id, grades, days)


def _what_is_wrong_with_days(given: object) -> str | None:
    if given is None:
        return "required"
    if not is_finite_number(given):
        return "not_a_number"
    if _is_whole(given, LONGEST_FOLLOW_UP_DAYS):
        return None
    return "not_whole" if 0 <= given <= LONGEST_FOLLOW_UP_DAYS else "outside_limits"


def _assessment_id(given: object, problems: list[Problem]) -> UUID | None:
    try:
        if isinstance(given, str) and len(given) == len(str(UUID(int=0))):
            return UUID(given)
    except ValueError:
        pass
    message = "send the assessment_id that stood in the answer"
    problems.append(Problem("assessment_id", "not_an_id", message))
    return None


def _grades(body: Mapping[str, object], problems: list[Problem]) -> dict[str, int]:
    given = {name: body[name] for name in _GRADES if body.get(name) is not None}
    grades = {n: grade for n, grade in given.items() if _is_whole(grade, HIGHEST_GRADE)}
    if not given:
        message = f"send at least one of {', '.join(_GRADES)}"
        problems.append(Problem(_GRADES[0], "required", message))
    message = f"a grade is a whole number from 0 to {HIGHEST_GRADE}"
    problems += [Problem(name, "not_a_grade", message) for name in given if name not in grades]
    return grades


def _expect_consensus_scale(given: object, problems: list[Problem]) -> None:
    accepted = (GradingScale.ASTCT2019.value,)
    field = "grading_scale"
    try:
        scale = parse_grading_scale(given) if _is_short_text(given) else None
    except ValueError:
        scale = None
    if scale is None:
        message = "say on which scale the grades were given"
        problems.append(Problem(field, "unknown_scale", message, accepted))
    elif scale is not GradingScale.ASTCT2019:
        message = (
            "the outcomes are defined on ASTCT 2019, and no other scale agrees with it: "
            f"grade the patient anew by the tables of {ASTCT_2019}"
        )
        problems.append(Problem(field, "other_grading_scale", message, accepted))


def _is_short_text(given: object) -> TypeGuard[str]:
    """Tell whether it is a text that can be kept and read again: no half characters, not long."""
    return isinstance(given, str) and len(given) <= _LONGEST_SCALE and given.isprintable()


def _is_whole(given: object, highest: int) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= highest
