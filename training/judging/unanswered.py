"""How many patients of a cohort the service would give no number, and why.

They are learnt from and judged all the same: their outcome is known, and whoever reads a judgement
has to know on how many of its patients the service would be silent.
"""

from collections import Counter

from data_schemas.risk_assessment import Status
from serving.model.applicability import MOST_MISSING_WEIGHT, statuses
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.evaluation.asked import SMALLEST_CELL

_REASONS = {
    Status.OUT_OF_SCOPE: "have an age, or a product in a disease, that is out of its scope",
    Status.INSUFFICIENT_DATA: (
        f"lack predictors that carry more than {100 * MOST_MISSING_WEIGHT:.0f} % of the model's "
        "weight"
    ),
}


def without_a_number(model: RiskModel, cohort: LearningCohort) -> list[str]:
    """Return one sentence for each reason why the service would be silent; none where it is not.

    Fewer patients than the smallest cell of a report are not counted.
    """
    given, _ = statuses(cohort.columns, model.predict(cohort.columns), [])
    found = Counter(given)
    return [
        f"{_counted(found[status])} of {len(cohort)} patients {why}: they count here, but the "
        "service would give them no number"
        for status, why in _REASONS.items()
        if found[status]
    ]


def _counted(patients: int) -> str:
    return str(patients) if patients >= SMALLEST_CELL else f"fewer than {SMALLEST_CELL}"
