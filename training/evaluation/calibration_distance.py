"""ICI, E50 and E90 with their intervals, and the ICI that chance alone would show."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from training.evaluation.calibration_curve import NO_CURVE, Smooth, distance_centile, distances
from training.evaluation.estimate import Estimate
from training.evaluation.intervals import FEW_DRAWS, from_inflated_draws, missing
from training.evaluation.seen import Seen

Array = np.ndarray


@dataclass(frozen=True)
class Distances:
    """The distances of a smooth curve from the diagonal."""

    ici: Estimate
    e50: Estimate
    e90: Estimate
    by_chance: Estimate


def calibration_distances(
    seen: Seen, curves: list[Smooth | None], draws: Array, seed: int
) -> Distances:
    """Return the distances, each the mean over repeats, with bootstrap intervals.

    ``curves`` holds the fit of each repeat, ``draws`` (B, m) the weights of bootstrap samples; the
    knots stay where all patients put them.
    """
    fitted = [curve for curve in curves if curve is not None]
    if seen.no_line or len(fitted) < len(curves):
        absent = missing(seen.no_line or NO_CURVE)
        return Distances(absent, absent, absent, absent)
    pairs = list(zip(fitted, seen.log_odds, strict=True))
    one = np.ones((1, len(seen)))
    value = np.mean([_three(c, z, c.beta[None], one) for c, z in pairs], axis=0)[:, 0]
    drawn = np.mean(
        [_three(c, z, c.refitted(z, seen.outcome, draws), draws) for c, z in pairs], axis=0
    )
    ici, e50, e90 = (from_inflated_draws(float(v), d) for v, d in zip(value, drawn, strict=True))
    return Distances(ici, e50, e90, _by_chance(seen, pairs, len(draws), seed))


def _three(curve: Smooth, log_odds: Array, beta: Array, weights: Array) -> Array:
    """Return mean, median and 90th centile of the distances under each row, (3, B)."""
    each = distances(curve, log_odds, beta)
    mean = (each * weights).sum(axis=1) / weights.sum(axis=1)
    centiles = [distance_centile(each, weights, share) for share in (0.5, 0.9)]
    return np.array([mean, *centiles])


def _by_chance(seen: Seen, pairs: list[tuple[Smooth, Array]], draws: int, seed: int) -> Estimate:
    """Draw outcomes from the risks themselves and measure the ICI that remains."""
    uniform = np.random.default_rng(seed).random((draws, len(seen)))
    one = np.ones((draws, len(seen)))
    found = np.mean([_ici_of_drawn(c, z, uniform, one) for c, z in pairs], axis=0)
    known = found[np.isfinite(found)]
    if len(known) < 0.9 * draws:
        return missing(FEW_DRAWS)
    low, high = np.quantile(known, (0.025, 0.975))
    return Estimate(value=float(known.mean()), low=float(low), high=float(high), method="bootstrap")


def _ici_of_drawn(curve: Smooth, log_odds: Array, uniform: Array, one: Array) -> Array:
    outcome = (uniform < expit(log_odds)).astype(float)
    beta = curve.refitted(log_odds, outcome, one)
    return distances(curve, log_odds, beta).mean(axis=1)
