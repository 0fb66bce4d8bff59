"""The two outcomes are those of the consensus paper."""

import pytest

from data_schemas.outcomes import OUTCOMES, Outcome
from data_schemas.toxicity_grading import SEVERE_GRADE


@pytest.mark.parametrize(
    ("name", "column"), [("severe_crs", "crs_grade"), ("severe_icans", "icans_grade")]
)
def test_severe_is_grade_three_or_more_within_28_days(name: str, column: str) -> None:
    outcome = OUTCOMES[name]
    assert (name, column) == (outcome.name, outcome.grade_column)
    assert (SEVERE_GRADE, 28) == (outcome.severe_from_grade, outcome.horizon_days)
    assert f"grade of {outcome.label.split()[-1].strip('()')}" in outcome.definition or (
        "grade of CRS" in outcome.definition
    )
    assert "within 28 days" in outcome.definition


def test_another_outcome_is_read_from_its_own_column() -> None:
    hlh = Outcome(name="hlh", label="HLH", definition="-", horizon_days=60, reference="-")
    assert (None, "outcome_hlh") == (hlh.grade_column, hlh.flag_column)
