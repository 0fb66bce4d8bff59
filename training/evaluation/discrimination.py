"""How well risks rank patients: AUROC and average precision."""

import numpy as np
from scipy.special import expit, logit
from scipy.stats import rankdata

from training.evaluation.estimate import Estimate
from training.evaluation.intervals import NORMAL_95, from_draws, missing, over_repeats
from training.evaluation.seen import Seen

Array = np.ndarray


def auroc(log_odds: Array, outcome: Array, weights: Array) -> Array:
    """Return the AUROC under each row of weights, ties counting half; NaN with one class only.

    ``log_odds`` and ``outcome`` have shape (m,), ``weights`` (B, m).
    """
    events, others = _by_risk(log_odds, outcome, weights)
    below = np.cumsum(others, axis=1) - others
    won = (events * (below + others / 2)).sum(axis=1)
    pairs = events.sum(axis=1) * others.sum(axis=1)
    return np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def average_precision(log_odds: Array, outcome: Array, weights: Array) -> Array:
    """Return the average precision under each row of weights; NaN without an event.

    The sum over thresholds of (gain in sensitivity) x (precision), without interpolation.
    """
    events, others = _by_risk(-log_odds, outcome, weights)
    true = np.cumsum(events, axis=1)
    above = true + np.cumsum(others, axis=1)
    precision = np.divide(true, above, out=np.zeros_like(true), where=above > 0)
    total = true[:, -1]
    area = (events * precision).sum(axis=1)
    return np.divide(area, total, out=np.full(len(total), np.nan), where=total > 0)


def _by_risk(log_odds: Array, outcome: Array, weights: Array) -> tuple[Array, Array]:
    """Return the weights of events and of others at each distinct risk, ascending, (B, u) each."""
    order = np.argsort(log_odds, kind="stable")
    ascending = log_odds[order]
    starts = np.flatnonzero(np.r_[True, ascending[1:] > ascending[:-1]])
    sorted_weights = weights[:, order]
    events = np.add.reduceat(sorted_weights * outcome[order], starts, axis=1)
    return events, np.add.reduceat(sorted_weights, starts, axis=1) - events


def delong(log_odds: Array, outcome: Array) -> tuple[float, float]:
    """Return the AUROC and its standard error, NaN with fewer than two patients of a class.

    DeLong ER, Biometrics 1988;44:837-845, by the ranks of Sun X, Xu W, IEEE Signal Process Lett
    2014;21:1389-1393.
    """
    with_it, without_it = log_odds[outcome == 1], log_odds[outcome == 0]
    m, n = len(with_it), len(without_it)
    ranks = rankdata(np.r_[with_it, without_it])
    of_event = (ranks[:m] - rankdata(with_it)) / n
    of_other = 1 - (ranks[m:] - rankdata(without_it)) / m
    if min(m, n) < 2:
        return float(of_event.mean()), np.nan
    variance = of_event.var(ddof=1) / m + of_other.var(ddof=1) / n
    return float(of_event.mean()), float(np.sqrt(variance))


def auroc_estimate(seen: Seen) -> Estimate:
    """Return the AUROC with DeLong's variance and an interval on the logit scale.

    On that scale the interval stays within 0 and 1 and groups may be pooled (Debray TPA, BMJ
    2017;356:i6460). An AUROC of 0 or 1 has none.
    """
    if seen.one_class:
        return missing(seen.one_class)
    area, error = np.array([delong(z, seen.outcome) for z in seen.log_odds]).T
    inside = (area > 0) & (area < 1) & (error > 0)
    middle = logit(np.where(inside, area, 0.5))
    half = NORMAL_95 * error / np.where(inside, area * (1 - area), np.nan)
    reason = "an AUROC of 0 or 1, or of one patient with or without the outcome, has no interval"
    return over_repeats(area, expit(middle - half), expit(middle + half), "delong", reason)


def auprc_estimate(seen: Seen, draws: Array) -> Estimate:
    """Return the average precision with its bootstrap interval."""
    if seen.one_class:
        return missing(seen.one_class)
    one = np.ones((1, len(seen)))
    value = np.mean([average_precision(z, seen.outcome, one)[0] for z in seen.log_odds])
    drawn = [average_precision(z, seen.outcome, draws) for z in seen.log_odds]
    return from_draws(float(value), np.mean(drawn, axis=0))
