"""What a brief answer holds: the numbers of a :class:`RiskAssessment` and how far they may be used.

For lists of many patients. Whoever shows one patient asks for the whole answer.
"""

from typing import Literal

from pydantic import Field

from data_schemas.risk_assessment import (
    Caution,
    Interval,
    ModelReference,
    Record,
    RiskAssessment,
    Status,
    Together,
)

_STATEMENTS = RiskAssessment.model_fields


class BriefOutcome(Record):
    """The answer for one outcome. Without a usable risk, only status and reasons are given.

    ``base`` and all ``contributions`` add up to ``total``, in log-odds.
    """

    outcome: str
    status: Status
    reasons: tuple[str, ...]
    risk: float | None = None
    interval: Interval | None = None
    base: float | None = Field(None, description="log-odds of the typical patient of this product")
    contributions: dict[str, float] | None = Field(
        None, description="log-odds by predictor; what was not measured adds nothing"
    )
    total: float | None = Field(None, description="log-odds of ``risk``")
    model: ModelReference


class BriefAssessment(Record):
    """The numbers alone; what may not be left out beside a risk is in it."""

    status: Status
    detail: Literal["brief"]
    cautions: tuple[Caution, ...]
    outcomes: tuple[BriefOutcome, ...]
    together: Together | None = None
    missing: tuple[str, ...]
    low_risk_statement: str = _STATEMENTS["low_risk_statement"].default
    uncertainty_statement: str = _STATEMENTS["uncertainty_statement"].default
    intended_use: str
