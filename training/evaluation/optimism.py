"""Apparent performance less its optimism, from whole fits on bootstrap samples.

Harrell FE, Lee KL, Mark DB, Stat Med 1996;15:361-387: each refit is measured on the patients whom
its sample drew and on all patients; the mean difference is what the apparent performance flatters
itself by.
The interval is the apparent one moved by the optimism (Noma H, Stat Med 2021;40:5691-5701, by
whom such intervals are somewhat too narrow).
"""

from collections.abc import Callable
from math import inf

import numpy as np

from training.evaluation.asked import Asked
from training.evaluation.bootstrapped import FEWEST_REFITS, Bootstrapped, bootstrapped
from training.evaluation.calibration import intercept, observed_over_expected, slope
from training.evaluation.calibration_curve import distances, smooth
from training.evaluation.decision_curve import benefits, threshold_grid
from training.evaluation.discrimination import auroc
from training.evaluation.estimate import Estimate
from training.evaluation.intervals import missing
from training.evaluation.overall_accuracy import log_losses, squared_errors
from training.evaluation.record import Corrected, OptimismCorrected
from training.evaluation.scored_cohort import ScoredCohort
from training.evaluation.view import view

Array = np.ndarray
Measured = Callable[[Array, Array, Array], Array]
"""Log-odds (m,), outcome (m,) and weights (B, m) to the measure under each row, (B,)."""


_NOT_MEASURED = "fewer than 9 in 10 refits could be measured"


def ici(log_odds: Array, outcome: Array, weights: Array) -> Array:
    """Return the ICI under each row of weights, with the knots of all patients; NaN if none."""
    curve = smooth(log_odds, outcome)
    if curve is None:
        return np.full(len(weights), np.nan)
    each = distances(curve, log_odds, curve.refitted(log_odds, outcome, weights))
    return (each * weights).sum(axis=1) / weights.sum(axis=1)


def _mean(each: Callable[[Array, Array], Array]) -> Measured:
    def weighted(log_odds: Array, outcome: Array, weights: Array) -> Array:
        return weights @ each(log_odds, outcome) / weights.sum(axis=1)

    return weighted


_POSSIBLE = {"auroc": (0.0, 1.0)} | dict.fromkeys(("ici", "brier", "log_loss"), (0.0, inf))
"""What a measure can be at all: a correction moves both ends of an interval by as much."""

CORRECTED: dict[str, Measured] = {
    "auroc": auroc,
    "calibration_slope": slope,
    "calibration_intercept": intercept,
    "observed_over_expected": observed_over_expected,
    "brier": _mean(squared_errors),
    "log_loss": _mean(log_losses),
    "ici": ici,
}


def optimism_corrected(scored: ScoredCohort, asked: Asked) -> OptimismCorrected | None:
    """Return the corrected measures, or None where there are too few refits or one class only."""
    boot = bootstrapped(scored)
    seen, outcome = boot.seen, boot.seen.outcome
    if len(boot.refits) < FEWEST_REFITS or seen.one_class:
        return None
    pairs = zip(boot.refits, boot.drawn, strict=True)
    rows = [_drawn_all_and_missed(z, outcome, drawn) for z, drawn in pairs]
    apparent = view(seen, asked).measures.estimates()
    corrected = {
        name: _corrected(name, apparent[name], np.array([row[name] for row in rows]))
        for name in CORRECTED
    }
    thresholds = threshold_grid(asked.net_benefit_range)
    return OptimismCorrected(
        refits=len(boot.refits),
        patients=len(seen),
        thresholds=tuple(thresholds.tolist()),
        net_benefit=tuple(_net_benefit(boot, thresholds).tolist()),
        **corrected,
    )


def _drawn_all_and_missed(log_odds: Array, outcome: Array, drawn: Array) -> dict[str, Array]:
    """Return how a refit does on the patients it drew, on all, and on those it missed, (3,)."""
    missed = drawn == 0
    weights = np.stack([drawn, np.ones_like(drawn), missed][: 3 if missed.any() else 2])
    measured = {name: measure(log_odds, outcome, weights) for name, measure in CORRECTED.items()}
    return {name: np.r_[each, np.nan][:3] for name, each in measured.items()}


def _corrected(name: str, apparent: Estimate, measured: Array) -> Corrected:
    """Correct one measure by what refits say of it, (B, 3), within what it can be at all."""
    optimism = _mean_of_most(measured[:, 0] - measured[:, 1])
    missed = _mean_of_most(measured[:, 2])
    if apparent.value is None or optimism is None:
        absent = missing(apparent.reason or _NOT_MEASURED)
        return Corrected(
            apparent=apparent.value, optimism=None, corrected=absent, out_of_bag=missed
        )
    least, most = _POSSIBLE.get(name, (-inf, inf))
    value = min(max(apparent.value - optimism, least), most)
    if apparent.low is None or apparent.high is None:
        moved = Estimate(value=value, reason=apparent.reason)
    else:
        low, high = max(apparent.low - optimism, least), min(apparent.high - optimism, most)
        moved = Estimate(value=value, low=low, high=high, method="shifted_apparent")
    return Corrected(apparent=apparent.value, optimism=optimism, corrected=moved, out_of_bag=missed)


def _mean_of_most(each: Array) -> float | None:
    """Return the mean of what could be measured, None if that is less than 9 in 10."""
    known = each[np.isfinite(each)]
    return float(known.mean()) if len(known) >= 0.9 * len(each) else None


def _net_benefit(boot: Bootstrapped, thresholds: Array) -> Array:
    """Return the corrected net benefit at each threshold, (T,)."""
    outcome = boot.seen.outcome
    gains = np.zeros(len(thresholds))
    for log_odds, drawn in zip(boot.refits, boot.drawn, strict=True):
        each = benefits(log_odds, outcome, thresholds)
        gains += drawn @ each / drawn.sum() - each.mean(axis=0)
    apparent = benefits(boot.seen.log_odds[0], outcome, thresholds).mean(axis=0)
    return apparent - gains / len(boot.refits)
