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
from training.learner import Learnt, rows_of, settled
from training.posterior import posterior_mode
from training.prior import ModelPrior
from training.recipes import Recipe

Array = np.ndarray

_NORMAL_90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Stability:
    """What refits say of a model.

    ``mean_absolute_change`` is the mean over patients of how far a refit's risk lies from the
    model's, as a probability. ``width_over_bootstrap`` is the mean half-width of the served
    interval over that of the refits, in log-odds.
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
    prior = settled(model_prior, learnt, recipe)
    direction = prior.direction[prior.n_free :]
    calibration = learnt.model.recalibration
    rng = np.random.default_rng(seed)
    log_odds = np.empty((refits, len(rows.y)))
    for b in range(refits):
        drawn = rows.take(rng.integers(0, len(rows.y), len(rows.y)))
        mode = posterior_mode(drawn.X, drawn.y, prior, learnt.model.posterior.mean)
        margin = drawn.X @ mode
        grown = grow(drawn.values, drawn.y, margin, direction, learnt.rounds, Growth(seed))
        linear = rows.X @ mode
        if grown.booster is not None:
            trees = as_arrays(grown.booster, recipe.tree_weight)
            linear = linear + trees.log_odds(rows.values)
        log_odds[b] = calibration.intercept + calibration.slope * linear
        progress(b + 1)
    prediction = learnt.model.predict(cohort.columns)
    inside = prediction.in_scope
    released = prediction.logit[inside]
    served = (prediction.high - prediction.low)[inside] / 2
    spread = _NORMAL_90 * log_odds.std(axis=0)
    return Stability(
        refits=refits,
        mean_absolute_change=float(np.abs(expit(log_odds) - expit(released)).mean()),
        width_over_bootstrap=float((served / spread).mean()),
    )
