"""What must be declared before anything is measured."""

from typing import Self

from pydantic import Field, model_validator

from training.evaluation.estimate import Record

_DECLARED_RANGES = {"severe_crs": (0.02, 0.30), "severe_icans": (0.05, 0.50)}
_OTHER_OUTCOMES = (0.05, 0.50)

SMALLEST_CELL = 10
"""Fewer patients than these are not shown as a group."""


def declared_range(outcome: str) -> tuple[float, float]:
    """Return the range of threshold risks over which net benefit is shown unless one is declared.

    Proposed, to be confirmed by those who act on the risk: the more often an outcome happens and
    the milder the action, the higher the thresholds that matter.
    """
    return _DECLARED_RANGES.get(outcome, _OTHER_OUTCOMES)


class Asked(Record):
    """What a judgement is asked for, declared before it is made; part of its record."""

    seed: int = Field(ge=0)
    draws: int = Field(default=1000, ge=20)
    """Bootstrap draws of patients for intervals that have no closed form."""
    net_benefit_range: tuple[float, float]
    """Lowest and highest threshold risk of the decision curve, as probabilities."""
    thresholds: tuple[float, ...] = ()
    """Risks at which somebody acts, clinically declared; none by default."""
    smallest_cell: int = Field(default=SMALLEST_CELL, ge=1)
    """A subgroup with fewer patients than this with, or without, the outcome is suppressed."""
    parameters: int | None = Field(default=None, ge=1)
    """Candidate parameters of the model: every dummy, spline basis and interaction counts."""
    anticipated_auroc: float = Field(default=0.75, gt=0.5, lt=1.0)
    """Discrimination that the sample-size criteria anticipate."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.net_benefit_range
        if not 0.0 < low < high < 1.0:
            raise ValueError("net_benefit_range is two risks, the lower first, between 0 and 1")
        if any(not 0.0 < t < 1.0 for t in self.thresholds):
            raise ValueError("thresholds are risks between 0 and 1")
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("thresholds ascend and none stands twice")
        return self
