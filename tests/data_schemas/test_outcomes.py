"""The two outcomes are those of the consensus paper."""

import pytest

from data_schemas.outcomes import OUTCOMES, Outcome
from data_schemas.toxicity_grading import SEVERE_GRADE


@pytest.mark.parametrize(("name", "toxicity"), [("severe_crs", "CRS"), ("severe_icans", "ICANS")])
def test_severe_is_grade_three_or_more_within_28_days(name: str, toxicity: str) -> None:
    outcome = OUTCOMES[name]
    assert outcome.name == name
    assert outcome.grade_column == f"{toxicity.lower()}_grade"
    assert (outcome.severe_from_grade, outcome.horizon_days) == (SEVERE_GRADE, 28)
    wording = f"maximum ASTCT 2019 grade of {toxicity} of 3 or more within 28 days of infusion"
    assert outcome.definition == wording


def test_another_outcome_is_read_from_its_own_column() -> None:
    hlh = Outcome(name="hlh", label="HLH", definition="-", horizon_days=60, reference="-")
    assert (hlh.grade_column, hlh.flag_column) == (None, "outcome_hlh")
