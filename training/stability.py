"""How much the model would differ had other patients of the same kind come: bootstrap refits.

The spread of the refits is one part of a patient's uncertainty, that of estimation; the interval
that is served also holds the spread between centres and what was not measured, so it should be
the wider of the two (Riley RD, Collins GS, Biom J 2023;65:2200302, for instability of risks).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from training.boosting import Growth, as_arrays, grow
from training.cohort import LearningCohort
from training.learner import Learnt, Rows, rows_of, settled
from training.posterior import Prior, posterior_mode
from training.prior import ModelPrior
from training.recipes import Recipe

Array = np.ndarray

_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Stability:
    """What refits say of a model.

    ``mean_absolute_change`` is the mean over patients of how far a refit's risk lies from that of
    the same fit on the cohort itself, as a probability. ``width_over_bootstrap`` is the mean
    half-width of the served interval over that of the refits, in log-odds.
    """

    refits: int
    mean_absolute_change: float
    width_over_bootstrap: float


def stability(
    model_prior: ModelPrior,
    cohort: LearningCohort,
    learnt: Learnt,
    recipe: Recipe,
    seed: int,
    refits: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> Stability:
    """Refit posterior and trees on bootstrap samples of the cohort.

    The grid point, the number of trees and the recalibration are kept: they are what the released
    model says of them.
    """
    rows = rows_of(learnt.model, cohort)
    prior = settled(model_prior, learnt, recipe, rows)
    rng = np.random.default_rng(seed)

    def refit(drawn: Rows) -> Array:
        return _log_odds(rows, drawn, prior, learnt, recipe.tree_weight, seed)

    original = refit(rows)
    log_odds = np.empty((refits, len(rows.y)))
    for b in range(refits):
        log_odds[b] = refit(rows.take(rng.integers(0, len(rows.y), len(rows.y))))
        progress(b + 1)
    prediction = learnt.model.predict(cohort.columns)
    served = (prediction.high - prediction.low)[prediction.in_scope] / 2
    return Stability(
        refits=refits,
        mean_absolute_change=float(np.abs(expit(log_odds) - expit(original)).mean()),
        width_over_bootstrap=float((served / (_NORMAL_90 * log_odds.std(axis=0))).mean()),
    )


def _log_odds(
    rows: Rows, drawn: Rows, prior: Prior, learnt: Learnt, tree_weight: float, seed: int
) -> Array:
    """Fit on the drawn patients; return the recalibrated log-odds of all, shape (n,)."""
    p, direction = rows.X.shape[1], prior.direction[prior.is_effect]
    mode = posterior_mode(drawn.full, drawn.y, prior, learnt.fitted.posterior.mean)
    margin = drawn.full @ mode
    grown = grow(drawn.values, drawn.y, margin, direction, learnt.rounds, Growth(seed))
    linear = rows.X @ mode[:p]
    if grown.booster is not None:
        linear = linear + as_arrays(grown.booster, tree_weight).log_odds(rows.values)
    calibration = learnt.model.recalibration
    return calibration.intercept + calibration.slope * linear
