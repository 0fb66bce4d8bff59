"""From a published contrast to a log-odds per spread of the transformed predictor.

One function a kind of contrast, so that "high against low" can never be read as "per unit".
Each takes the published figure as printed and returns an estimate with its standard error, in
log-odds per ``spread`` (one standard deviation of the predictor on its transformed scale).
"""

from math import exp, expm1, log, log1p, sqrt
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()
_WIDTH_95 = 2 * _NORMAL.inv_cdf(0.975)
DEFAULT_ERROR = 0.5
"""Standard error of a log ratio printed without an interval or an exact p."""


class Effect(NamedTuple):
    """An estimate in log-odds per spread, and its standard error."""

    estimate: float
    error: float


def log_ratio_error(
    ratio: float, ci_low: float | None, ci_high: float | None, p: float | None = None
) -> float:
    """Return the standard error of a log ratio from its 95 % interval, or from its two-sided p.

    A p printed as a bound ("< 0.001") gives the largest error that the bound allows.
    """
    if ci_low is not None and ci_high is not None:
        return (log(ci_high) - log(ci_low)) / _WIDTH_95
    if p is not None and ratio != 1:
        return abs(log(ratio)) / -_NORMAL.inv_cdf(p / 2)
    return DEFAULT_ERROR


def per_doubling(odds_ratio: float, error: float, spread: float) -> Effect:
    """Convert an odds ratio per two-fold increase, for a predictor whose spread is in ln units.

    The same coefficient holds for every factor of a product score: log2(LDH x creatinine /
    platelets) is a sum, so EASIX per doubling is LDH per doubling with the others held.
    """
    return Effect(log(odds_ratio) / log(2) * spread, error / log(2) * spread)


def per_unit(odds_ratio: float, error: float, unit: float, spread: float) -> Effect:
    """Convert an odds ratio per ``unit`` of an untransformed predictor."""
    return Effect(log(odds_ratio) / unit * spread, error / unit * spread)


def above_threshold(
    odds_ratio: float, error: float, threshold: float, centre: float, spread: float
) -> Effect:
    """Convert "above against not above" a cut, all three on the transformed scale.

    For a Gaussian predictor the two groups' means lie
    ``spread * (phi(z) / (1 - Phi(z)) + phi(z) / Phi(z))`` apart, with ``z`` the standardised cut
    (Chinn S, Stat Med 2000;19:3127-3131, gives the idea for a median split).
    """
    return Effect(
        *(x / _distance_between_groups(threshold, centre, spread) for x in (log(odds_ratio), error))
    )


def _distance_between_groups(threshold: float, centre: float, spread: float) -> float:
    z = (threshold - centre) / spread
    density = _NORMAL.pdf(z)
    return density / _NORMAL.cdf(-z) + density / _NORMAL.cdf(z)


def hazard_to_odds_ratio(hazard_ratio: float, risk: float) -> float:
    """Convert a hazard ratio of an event whose risk in the reference group is known.

    ``1 - (1 - risk) ** HR`` is the other group's risk (proportional hazards); rare events need no
    conversion, "any ICANS" in 43 % does.
    """
    # Odds of 1 - s are 1 / s - 1; so written, nothing is divided by what a risk near 1 leaves.
    odds = expm1(-hazard_ratio * log1p(-risk))
    return odds / (risk / (1 - risk))


def standardised_from_z(ratio: float, error: float, patients: int, event_rate: float) -> Effect:
    """Convert a ratio per unit of unknown size through its z value.

    A logistic slope per standard deviation has error ``1 / sqrt(n p (1 - p))`` near the null, so
    ``z / sqrt(n p (1 - p))`` estimates it whatever the unit was.
    """
    information = sqrt(patients * event_rate * (1 - event_rate))
    return Effect(log(ratio) / error / information, 1 / information)


def from_auc(auc: float, auc_error: float, spread_of_score: float, spread: float) -> Effect:
    """Convert the AUC of a log2 score to the effect of one of its factors.

    For a score that is Gaussian in both groups the logistic slope is ``sqrt(2) Phi^-1(AUC)`` per
    spread of the score (Hanley JA, McNeil BJ, Radiology 1982;143:29-36, for the binormal form).
    A factor's own spread is in ln units, the score's in doublings.
    The error is carried over by a slope, which near 0 or 1 is taken from a part of it.
    """
    per_doubling_ = separation(auc) / spread_of_score
    step = min(auc_error, auc / 2, (1 - auc) / 2)
    error = (separation(auc + step) - separation(auc - step)) / 2 * (auc_error / step)
    return Effect(per_doubling_ / log(2) * spread, error / spread_of_score / log(2) * spread)


def auc_error(auc: float, patients: int, events: int) -> float:
    """Return the standard error of an AUC (Hanley JA, McNeil BJ, Radiology 1982;143:29-36)."""
    others = patients - events
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (events - 1) * (q1 - auc**2) + (others - 1) * (q2 - auc**2)
    return sqrt(variance / (events * others))


def odds_ratio_of_percentages(
    exposed_pct: float, exposed_n: float, unexposed_pct: float, unexposed_n: float
) -> tuple[float, float]:
    """Return odds ratio and error of its log from two percentages, half an event added to each."""
    cells = []
    for pct, n in ((exposed_pct, exposed_n), (unexposed_pct, unexposed_n)):
        events = pct * n / 100
        cells += [events + 0.5, n - events + 0.5]
    a, b, c, d = cells
    return exp(log(a / b) - log(c / d)), sqrt(sum(1 / cell for cell in cells))


def pooled(effects: list[Effect], heterogeneity: float) -> Effect:
    """Pool effects by inverse variance, each widened by the spread between studies."""
    weights = [1 / (effect.error**2 + heterogeneity**2) for effect in effects]
    total = sum(weights)
    mean = sum(w * effect.estimate for w, effect in zip(weights, effects, strict=True)) / total
    return Effect(mean, sqrt(1 / total))


def separation(auc: float) -> float:
    """Return the distance between the groups' means, in spreads, that an AUC stands for."""
    return sqrt(2) * _NORMAL.inv_cdf(auc)


def quantile(share_below: float) -> float:
    """Return the standard normal value below which this share lies."""
    return _NORMAL.inv_cdf(share_below)
