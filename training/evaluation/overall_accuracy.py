"""How far risks are from what happened: Brier score, scaled Brier score, log-loss."""

import numpy as np
from scipy.special import expit

from training.evaluation.estimate import Estimate
from training.evaluation.intervals import from_draws, mean_of_patients, missing
from training.evaluation.seen import Seen

Array = np.ndarray


def squared_errors(log_odds: Array, outcome: Array) -> Array:
    """Return (risk - outcome) squared, of the shape of ``log_odds``."""
    return (expit(log_odds) - outcome) ** 2


def log_losses(log_odds: Array, outcome: Array) -> Array:
    """Return -ln(probability of what happened), of the shape of ``log_odds``."""
    return np.logaddexp(0.0, log_odds) - outcome * log_odds


def brier_estimate(seen: Seen) -> Estimate:
    """Return the Brier score with its normal interval (Brier GW, Mon Weather Rev 1950;78:1-3)."""
    if seen.without_patients:
        return missing(seen.without_patients)
    return mean_of_patients(squared_errors(seen.log_odds, seen.outcome), seen)


def log_loss_estimate(seen: Seen) -> Estimate:
    """Return the mean log-loss with its normal interval."""
    if seen.without_patients:
        return missing(seen.without_patients)
    return mean_of_patients(log_losses(seen.log_odds, seen.outcome), seen)


def scaled_brier_estimate(seen: Seen, draws: Array) -> Estimate:
    """Return 1 - Brier / Brier of the prevalence, with its bootstrap interval.

    Steyerberg EW, Epidemiology 2010;21:128-138.
    """
    if seen.one_class:
        return missing(seen.one_class)
    each = squared_errors(seen.log_odds, seen.outcome).mean(axis=0)
    value = scaled_brier(each, seen.outcome, np.ones((1, len(seen))))[0]
    return from_draws(float(value), scaled_brier(each, seen.outcome, draws))


def scaled_brier(each: Array, outcome: Array, weights: Array) -> Array:
    """Return the scaled Brier score of squared errors (m,) under each row of weights (B, m)."""
    total = weights.sum(axis=1)
    prevalence = weights @ outcome / total
    reference = prevalence * (1 - prevalence)
    unknown = np.full(len(total), np.nan)
    return 1 - np.divide(weights @ each / total, reference, out=unknown, where=reference > 0)
