"""The data contract: every baseline predictor, declared once.

One annotated field a predictor, in its canonical unit.
The request check, the cohort check, the served list of predictors, the simulated cohort and the
model's preprocessing all read these declarations; nothing else repeats them.
"""

from dataclasses import dataclass
from typing import get_type_hints

from data_schemas.predictors.blood_counts import BloodCounts
from data_schemas.predictors.chemistry import Chemistry
from data_schemas.predictors.contract import (
    Category,
    Declared,
    Direction,
    Flag,
    Group,
    Predictor,
    Quantity,
)
from data_schemas.predictors.inflammation import Inflammation
from data_schemas.predictors.patient import Patient
from data_schemas.predictors.treatment import Treatment
from data_schemas.predictors.tumour import Tumour

__all__ = [
    "DERIVED",
    "NEVER_PREDICTORS",
    "PREDICTORS",
    "REQUIRED",
    "BaselinePredictors",
    "Category",
    "Declared",
    "Direction",
    "Flag",
    "Group",
    "Predictor",
    "Quantity",
]


@dataclass(frozen=True, kw_only=True)
class BaselinePredictors(Treatment, Patient, Tumour, BloodCounts, Chemistry, Inflammation):
    """One patient before infusion, in canonical units; ``None`` where not measured."""


def _declarations() -> dict[str, Predictor]:
    hints = get_type_hints(BaselinePredictors, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


PREDICTORS: dict[str, Predictor] = _declarations()

REQUIRED = ("product", "disease", "age")
"""Without these no answer is possible."""

DERIVED: dict[str, str] = {
    "ldh_uln_ratio": "ldh and ldh_uln",
    "egfr": "creatinine, age and sex",
    "egfr_ml_min_173": "creatinine, age and sex",
    "tumour_burden_percentile": "the measures of tumour burden",
    "tumour_burden_category": "the measures of tumour burden",
    "tumour_burden_source": "the measures of tumour burden",
    "target_antigen": "product",
    "costim_domain": "product",
    "easix": "ldh, creatinine and platelets",
    "m_easix": "ldh, crp and platelets",
    "s_easix": "ldh and platelets",
    "car_hematotox": "platelets, anc, hemoglobin, crp and ferritin",
}
"""Known names that are always computed here, never taken from outside, and from what."""

NEVER_PREDICTORS: dict[str, str] = {
    "race_ethnicity": "used in the subgroup report only",
    "infusion_setting": "chosen by the expected risk, so it would leak the decision",
    "centre": "use the column site",
    "infusion_year": "an axis of validation, not a predictor",
}
"""Known cohort columns that no model may learn from, and why."""
