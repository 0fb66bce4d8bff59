"""How two outcomes go together, given the predictors: published first, then what a cohort says."""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy.optimize import minimize_scalar

from data_schemas.evidence import Evidence
from serving.model.joint_risk import Association, both
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.synthesis.effect_conversions import Effect, log_ratio_error
from training.synthesis.needed_figures import refuse_missing
from training.synthesis.transport import transport

Array = np.ndarray

_SOURCE = "crs-itself-neurologic-severe-wudhikarn"
SCEPTICAL = 1.5
"""Sd of a log odds ratio between two outcomes before any figure: an odds ratio of 20 is 2 sd."""

_REACH = 6.0
_together = np.vectorize(both, otypes=[float])
"""What answers at the bedside, patient by patient."""


def published_association(evidence: Evidence, other: str) -> Association:
    """Return what is published of severe neurotoxicity after CRS, made modest.

    The figure is a hazard ratio of any CRS against none, unadjusted for our predictors: it is
    shrunk toward none by its own error, and by transport as every other effect.

    Raises
    ------
    EvidenceError
        If the figure is not there.
    """
    refuse_missing(evidence, [(_SOURCE, ("effect",))])
    row = evidence.row(_SOURCE)
    error = log_ratio_error(row.effect, row.ci_low, row.ci_high)
    kept = SCEPTICAL**2 / (SCEPTICAL**2 + error**2)
    share = transport(evidence)
    return Association(
        other=other,
        log_odds_ratio=share * kept * log(row.effect),
        sd=sqrt(kept) * error,
        patients=0,
        sources=(_SOURCE,),
    )


@dataclass(frozen=True)
class BothKnown:
    """Patients in whom both outcomes are known: risks and events, each shape (n,)."""

    first_risk: Array
    second_risk: Array
    first: Array
    second: Array


def with_cohort(prior: Association, known: BothKnown) -> Association:
    """Return the association after a cohort: the mode, with Laplace's standard deviation.

    The two risks are held; only how the events go together is learnt.
    """
    before = Effect(prior.log_odds_ratio, prior.sd)

    def loss(theta: float) -> float:
        away = (theta - before.estimate) / before.error
        return -_log_likelihood(theta, known) + 0.5 * away * away

    found = minimize_scalar(loss, bounds=(-_REACH, _REACH), method="bounded")
    mode, step = float(found.x), 1e-3
    curvature = (loss(mode + step) - 2 * loss(mode) + loss(mode - step)) / step**2
    return Association(
        other=prior.other,
        log_odds_ratio=mode,
        sd=1 / sqrt(curvature),
        patients=len(known.first),
        sources=prior.sources,
    )


def known_in(cohort: LearningCohort, first: RiskModel, second: RiskModel) -> BothKnown | None:
    """Return the patients of a cohort in whom both outcomes are known and in scope, if any."""
    if cohort.other_outcome is None:
        return None
    one, two = first.predict(cohort.columns), second.predict(cohort.columns)
    use = one.in_scope & two.in_scope & ~np.isnan(cohort.other_outcome)
    if not use.any():
        return None
    return BothKnown(one.risk[use], two.risk[use], cohort.other_outcome[use], cohort.outcome[use])


def _log_likelihood(theta: float, known: BothKnown) -> float:
    p, q = known.first_risk, known.second_risk
    together = _together(p, q, theta)
    cells = (together, p - together, q - together, 1 - p - q + together)
    a, b = known.first == 1, known.second == 1
    seen = (a & b, a & ~b, ~a & b, ~a & ~b)
    return float(
        sum(np.log(np.maximum(c[s], 1e-300)).sum() for c, s in zip(cells, seen, strict=True))
    )
