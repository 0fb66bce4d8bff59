"""What a model must beat: predictions that need no new model, on the same patients and folds.

A published score is no probability, so a logistic regression of the outcome on it, fitted on the
other folds, turns it into one; the same is done to what is published of the product and of the
predictors, for a centre could recalibrate these as well.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from serving.answer.published_scores import PUBLISHED_SCORES, published_scores
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.judging.resampling import Fit

Array = np.ndarray

PRODUCT_RATE, EVIDENCE = "product_rate", "evidence"

_WEAK_PENALTY = 100.0
"""Sd 10 for the coefficient of a standardised score: nothing, but finite where classes part."""


def product_rate(model: RiskModel, cohort: LearningCohort) -> Array:
    """Return the log-odds of each patient's base rate, NaN outside the model, shape (n,)."""
    rate = np.array([cell.base_rate for cell in model.cells])
    cell = model.cell_of(cohort.columns)
    return np.where(cell >= 0, np.log(rate / (1 - rate))[cell], np.nan)


def score_values(cohort: LearningCohort) -> dict[str, Array]:
    """Return each published score, ratios on the log2 scale; NaN where it cannot be computed."""
    inputs = {name for score in PUBLISHED_SCORES for name in score.inputs}
    given = {name: np.asarray(cohort.columns[name], dtype=float) for name in inputs}
    values = {score.name: np.full(len(cohort), np.nan) for score in PUBLISHED_SCORES}
    for i in range(len(cohort)):
        known = {name: float(column[i]) for name, column in given.items() if column[i] >= 0}
        for score, result in zip(PUBLISHED_SCORES, published_scores(known), strict=True):
            value = result.log2 if score.on_log2_scale else result.value
            values[score.name][i] = np.nan if value is None else value
    return values


def recalibrated(value: Array, outcome: Array, folds: Sequence[Fit]) -> Array:
    """Return left-out log-odds of a logistic regression of the outcome on a value, shape (n,).

    NaN where the value is, and where the other folds hold one class or one value only.
    """
    log_odds = np.full(len(value), np.nan)
    for fold in folds:
        seen = fold.seen[~np.isnan(value[fold.seen])]
        scored = fold.scored[~np.isnan(value[fold.scored])]
        x, y = value[seen], outcome[seen]
        if len(scored) == 0 or len(np.unique(y)) < 2 or np.ptp(x) == 0:
            continue
        centre, spread = x.mean(), x.std()
        fitted = LogisticRegression(C=_WEAK_PENALTY).fit((x[:, None] - centre) / spread, y)
        log_odds[scored] = fitted.decision_function((value[scored, None] - centre) / spread)
    return log_odds


def with_recalibrated(
    published: dict[str, Array], cohort: LearningCohort, folds: Sequence[Fit]
) -> dict[str, Array]:
    """Return predictions as published, the same recalibrated, and every published score.

    Parameters
    ----------
    published
        Log-odds by name, shape (n,), from whatever has not seen the patients' outcomes.
    folds
        Of one repeat of cross-validation; where there is none, nothing can be recalibrated.
    """
    if not folds:
        return published
    own = {f"recalibrated_{name}": value for name, value in published.items()}
    return published | {
        name: recalibrated(value, cohort.outcome, folds)
        for name, value in (own | score_values(cohort)).items()
    }
