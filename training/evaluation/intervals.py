"""From arrays of numbers to estimates: closed-form ends, bootstrap centiles, means over repeats."""

import numpy as np

from training.evaluation.estimate import Curve, Estimate, Method
from training.evaluation.seen import Seen

Array = np.ndarray

NORMAL_95 = 1.959963984540054
FEW_DRAWS = "fewer than 9 in 10 bootstrap draws could be measured"
_MOST_UNMEASURED = 0.1


def missing(reason: str) -> Estimate:
    """Return an estimate that does not exist."""
    return Estimate(reason=reason)


def over_repeats(value: Array, low: Array, high: Array, method: Method, reason: str) -> Estimate:
    """Return the mean over repeats of value and ends, (R,) each; what is NaN in one is missing."""
    if not np.isfinite(value).all():
        return missing(reason)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return Estimate(value=float(value.mean()), reason=reason)
    return Estimate(
        value=float(value.mean()), low=float(low.mean()), high=float(high.mean()), method=method
    )


def no_spread(seen: Seen) -> str | None:
    """Return why what patients contribute to a mean has no interval, if so."""
    return "one patient has no spread" if len(seen) == 1 else seen.one_class


def mean_of_patients(each: Array, seen: Seen) -> Estimate:
    """Return the mean of what each patient contributes, (R, m), with its normal interval.

    Where all had the outcome, or none, the next patient may be the first of the other kind, who
    contributes most: there is no interval then.
    """
    m = each.shape[1]
    value = each.mean(axis=1)
    if why := no_spread(seen):
        return Estimate(value=float(value.mean()), reason=why)
    half = NORMAL_95 * each.std(axis=1, ddof=1) / np.sqrt(m)
    return over_repeats(value, value - half, value + half, "normal", "")


def wilson(count: Array, of: Array, reason: str) -> Estimate:
    """Return a share with its score interval, from counts in each repeat, (R,) each.

    Wilson EB, J Am Stat Assoc 1927;22:209-212.
    """
    if not (of > 0).all():
        return missing(reason)
    share, square = count / of, NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = np.sqrt(share * (1 - share) / of + square / (4 * of**2)) / (1 + square / of)
    half = NORMAL_95 * half
    return over_repeats(share, middle - half, middle + half, "wilson", reason)


def draws_of_patients(m: int, draws: int, seed: int) -> Array:
    """Return how often each bootstrap sample of m patients drew each of them, shape (draws, m)."""
    drawn = np.random.default_rng(seed).integers(0, max(m, 1), (draws, m))
    return counts(drawn, m)


def counts(drawn: Array, n: int) -> Array:
    """Return how often each of n patients stands in each row of ``drawn``, (B, n) floats."""
    rows = np.arange(len(drawn))[:, None]
    flat = np.bincount((rows * n + drawn).ravel(), minlength=len(drawn) * n)
    return flat.reshape(len(drawn), n).astype(float)


def from_draws(value: float, draws: Array) -> Estimate:
    """Return a value with the 2.5th and 97.5th centile of its bootstrap draws, (B,)."""
    known = draws[np.isfinite(draws)]
    if len(known) < (1 - _MOST_UNMEASURED) * len(draws):
        return Estimate(value=value, reason=FEW_DRAWS)
    low, high = np.quantile(known, (0.025, 0.975))
    return Estimate(value=value, low=float(low), high=float(high), method="bootstrap")


def from_inflated_draws(value: float, draws: Array) -> Estimate:
    """Return the same for a distance, which drawing patients anew makes larger on average.

    The draws are moved so that their mean is the value, and do not fall below 0.
    """
    known = draws[np.isfinite(draws)]
    excess = known.mean() - value if len(known) else 0.0
    return from_draws(value, np.maximum(draws - excess, 0.0))


def curve_from_draws(value: Array, draws: Array, seen: Seen) -> Curve:
    """Return a curve (T,) with the pointwise centiles of its bootstrap draws, (B, T).

    Without a band where :func:`mean_of_patients` has no interval.
    """
    if why := no_spread(seen):
        return Curve(value=tuple(value.tolist()), reason=why)
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return Curve(value=tuple(value.tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()))
