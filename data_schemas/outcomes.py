"""Outcomes that a model may predict, and the two that the product exists for.

Severe is a maximum grade of 3 or more on the ASTCT 2019 consensus scale within 28 days of infusion
(Lee DW, Biol Blood Marrow Transplant 2019;25:625-638).
New onset after day 14 is rare: none for CRS and 0.7 % for ICANS in 475 patients of nine US centres,
so labels at 14, 28 and 30 days are nearly interchangeable.
"""

from dataclasses import dataclass

from data_schemas.toxicity_grading import ASTCT_2019, SEVERE_GRADE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A yes-or-no event within a horizon.

    ``grade_column`` is the cohort column holding its grade; an outcome without one is read from
    ``outcome_<name>``, a yes-or-no column.
    """

    name: str
    label: str
    definition: str
    horizon_days: int
    reference: str
    grade_column: str | None = None
    severe_from_grade: int = SEVERE_GRADE

    @property
    def flag_column(self) -> str:
        """The cohort column that holds the outcome as yes or no."""
        return f"outcome_{self.name}"


OUTCOMES: dict[str, Outcome] = {
    "severe_crs": Outcome(
        name="severe_crs",
        label="Severe cytokine release syndrome",
        definition="maximum ASTCT 2019 grade of CRS of 3 or more within 28 days of infusion",
        horizon_days=28,
        reference=ASTCT_2019,
        grade_column="crs_grade",
    ),
    "severe_icans": Outcome(
        name="severe_icans",
        label="Severe neurotoxicity (ICANS)",
        definition="maximum ASTCT 2019 grade of ICANS of 3 or more within 28 days of infusion",
        horizon_days=28,
        reference=ASTCT_2019,
        grade_column="icans_grade",
    ),
}
