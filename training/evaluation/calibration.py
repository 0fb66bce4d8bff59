"""Whether risks come true as often as they say, on average and along one straight line.

The hierarchy is that of Van Calster B, J Clin Epidemiol 2016;74:167-176: in the large (O/E and
intercept), weak (slope), moderate (the curve of ``calibration_curve``).
"""

import numpy as np
from scipy.special import expit

from training.evaluation.estimate import Estimate
from training.evaluation.intervals import NORMAL_95, missing, over_repeats
from training.evaluation.logistic import covariance, fit_logistic
from training.evaluation.seen import Seen, one_risk

Array = np.ndarray

_ONE_TAIL = 0.025


def observed_over_expected(log_odds: Array, outcome: Array, weights: Array) -> Array:
    """Return events over the sum of risks under each row of weights, (m,), (m,), (B, m) to (B,)."""
    return (weights @ outcome) / (weights @ expit(log_odds))


def intercept(log_odds: Array, outcome: Array, weights: Array) -> Array:
    """Return the shift of log-odds that makes observed and expected equal, (B,); NaN if none."""
    return fit_logistic(np.ones((len(outcome), 1)), outcome, weights, offset=log_odds)[:, 0]


def slope(log_odds: Array, outcome: Array, weights: Array) -> Array:
    """Return the coefficient of the outcome's logistic regression on the log-odds, (B,).

    Cox DR, Biometrika 1958;45:562-565. NaN where there is none.
    """
    if one_risk(log_odds):
        return np.full(len(weights), np.nan)
    return fit_logistic(_line(log_odds), outcome, weights)[:, 1] / log_odds.std()


def _line(log_odds: Array) -> Array:
    """Return the design of a straight line in standardised log-odds, (m, 2)."""
    standard = (log_odds - log_odds.mean()) / log_odds.std()
    return np.column_stack([np.ones(len(log_odds)), standard])


def observed_over_expected_estimate(seen: Seen) -> Estimate:
    """Return O/E with an interval on the log scale, from SE(ln O/E)^2 = (1 - O/n) / O.

    Debray TPA, BMJ 2017;356:i6460. Without an event the O/E is 0, and its upper end comes from the
    exact one of a share of 0 (Clopper CJ, Pearson ES, Biometrika 1934;26:404-413).
    """
    if seen.without_patients:
        return missing(seen.without_patients)
    expected = expit(seen.log_odds).sum(axis=1)
    ratio = seen.events / expected
    if seen.events == 0:
        most = len(seen) * -np.expm1(np.log(_ONE_TAIL) / len(seen))
        return over_repeats(ratio, ratio, most / expected, "exact", "")
    if seen.one_class:
        return Estimate(value=float(ratio.mean()), reason=seen.one_class)
    error = np.sqrt((1 - seen.events / len(seen)) / seen.events)
    factor = np.exp(NORMAL_95 * error)
    return over_repeats(ratio, ratio / factor, ratio * factor, "wald", "")


def intercept_estimate(seen: Seen) -> Estimate:
    """Return the calibration intercept with its Wald interval."""
    if seen.one_class:
        return missing(seen.one_class)
    one = np.ones((1, len(seen)))
    value = np.array([intercept(z, seen.outcome, one)[0] for z in seen.log_odds])
    risk = expit(seen.log_odds + value[:, None])
    half = NORMAL_95 / np.sqrt((risk * (1 - risk)).sum(axis=1))
    return over_repeats(value, value - half, value + half, "wald", "no finite intercept fits")


def slope_estimate(seen: Seen) -> Estimate:
    """Return the calibration slope with its Wald interval."""
    if seen.no_line:
        return missing(seen.no_line)
    value, error = np.array([_slope_and_error(z, seen.outcome) for z in seen.log_odds]).T
    half = NORMAL_95 * error
    return over_repeats(value, value - half, value + half, "wald", "no finite slope fits")


def _slope_and_error(log_odds: Array, outcome: Array) -> tuple[float, float]:
    X, spread = _line(log_odds), log_odds.std()
    beta = fit_logistic(X, outcome, np.ones((1, len(outcome))))[0]
    if np.isnan(beta).any():
        return np.nan, np.nan
    return beta[1] / spread, np.sqrt(covariance(X, 0.0, beta)[1, 1]) / spread
