"""What acting on the risk is worth: net benefit over a declared range of threshold risks.

Vickers AJ, Elkin EB, Med Decis Making 2006;26:565-574.
"""

import numpy as np
from scipy.special import logit

from training.evaluation.estimate import Curve, Estimate
from training.evaluation.intervals import curve_from_draws, mean_of_patients, missing, wilson
from training.evaluation.seen import Seen
from training.evaluation.view_record import AtThreshold, DecisionCurve

Array = np.ndarray

_STEP = 0.01
_AT_LEAST = 1e-9
"""A risk this close below a threshold, in log-odds, is at it: rates are often round numbers."""


def threshold_grid(net_benefit_range: tuple[float, float]) -> Array:
    """Return the thresholds of the declared range, both ends included, about 0.01 apart, (T,)."""
    low, high = net_benefit_range
    return np.round(np.linspace(low, high, max(2, round((high - low) / _STEP) + 1)), 12)


def above(log_odds: Array, thresholds: Array) -> Array:
    """Return whether each risk is the threshold or more, (..., m) and (T,) to (..., m, T)."""
    return log_odds[..., None] >= logit(thresholds) - _AT_LEAST


def benefits(log_odds: Array, outcome: Array, thresholds: Array) -> Array:
    """Return each patient's part in the net benefit, (..., m) and (m,), (T,) to (..., m, T).

    Its mean over patients is TP/n - FP/n * t/(1 - t).
    """
    return above(log_odds, thresholds) * of_treating(outcome, thresholds)


def of_treating(outcome: Array, thresholds: Array) -> Array:
    """Return what treating each patient is worth at each threshold, (m,) and (T,) to (m, T)."""
    return outcome[:, None] - (1 - outcome[:, None]) * thresholds / (1 - thresholds)


def benefit_curve(each: Array, draws: Array, seen: Seen) -> Curve:
    """Return the mean over patients of (m, T) with its bootstrap band, draws (B, m)."""
    return curve_from_draws(each.mean(axis=0), draws @ each / len(each), seen)


def decision_curve(
    seen: Seen, net_benefit_range: tuple[float, float], draws: Array
) -> DecisionCurve | None:
    """Return the decision curve with bootstrap bands; None if nobody was measured."""
    if seen.without_patients:
        return None
    thresholds = threshold_grid(net_benefit_range)
    each = benefits(seen.log_odds, seen.outcome, thresholds).mean(axis=0)
    return DecisionCurve(
        thresholds=tuple(thresholds.tolist()),
        model=benefit_curve(each, draws, seen),
        treat_all=benefit_curve(of_treating(seen.outcome, thresholds), draws, seen),
        treat_none=(0.0,) * len(thresholds),
    )


def net_benefit_estimate(seen: Seen, threshold: float) -> Estimate:
    """Return the net benefit at one threshold with its normal interval."""
    if seen.without_patients:
        return missing(seen.without_patients)
    worth = benefits(seen.log_odds, seen.outcome, np.array([threshold]))[..., 0]
    return mean_of_patients(worth, seen)


def at_threshold(seen: Seen, threshold: float) -> AtThreshold:
    """Return what acting at one declared risk would have meant, shares with Wilson intervals."""
    acted = above(seen.log_odds, np.array([threshold]))[..., 0]
    had = seen.outcome == 1
    repeats = seen.repeats

    def share(hit: Array, of: Array, reason: str) -> Estimate:
        among = np.broadcast_to(of, acted.shape).sum(axis=1).astype(float)
        return wilson((hit & of).sum(axis=1), among, reason)

    anybody = np.ones((repeats, len(seen)), bool)
    return AtThreshold(
        threshold=threshold,
        share_above=share(acted, anybody, "no patient has a log-odds"),
        sensitivity=share(acted, had, "no patient had the outcome"),
        specificity=share(~acted, ~had, "no patient was without the outcome"),
        ppv=share(
            np.broadcast_to(had, acted.shape), acted, "no patient is at the threshold or above"
        ),
        npv=share(np.broadcast_to(~had, acted.shape), ~acted, "no patient is below the threshold"),
        net_benefit=net_benefit_estimate(seen, threshold),
    )
