"""Performance over groups: a random-effects mean, and where a new group would lie.

AUROC is pooled as its logit, O/E as its logarithm, the slope as it is (Debray TPA, BMJ
2017;356:i6460; Snell KIE, Stat Methods Med Res 2018;27:3505-3522).
The variance between groups is that of Paule and Mandel (DerSimonian R, Kacker R, Contemp Clin
Trials 2007;28:105-114), the interval that of Hartung and Knapp, never narrower than with known
variances (Knapp G, Hartung J, Stat Med 2003;22:2693-2710), the prediction interval Student's with
k - 2 degrees of freedom (Higgins JPT, J R Stat Soc A 2009;172:137-159).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import t as student

from training.evaluation.estimate import Estimate
from training.evaluation.intervals import NORMAL_95
from training.evaluation.record import Pooled

Array = np.ndarray
Transform = Callable[[Array], Array]

_FEWEST_GROUPS = 2


@dataclass(frozen=True)
class Scale:
    """Where a measure is nearly normal, and the way back."""

    to: Transform
    back: Transform

    def holds(self, estimate: Estimate) -> bool:
        """Tell whether an estimate's interval has a width here."""
        ends = np.array([estimate.low, estimate.high], dtype=float)
        with np.errstate(divide="ignore"):
            return bool(np.isfinite(self.to(ends)).all())


LOGIT = Scale(logit, expit)
LOG = Scale(np.log, np.exp)
NATURAL = Scale(np.asarray, np.asarray)


def pooled(estimates: Sequence[Estimate], scale: Scale) -> Pooled:
    """Pool the estimates that have an interval; its width is their standard error.

    An O/E of 0, whose logarithm is none, is left out: where 5 events are expected, one group in 150
    has none.
    """
    whole = [e for e in estimates if None not in (e.value, e.low, e.high) and scale.holds(e)]
    if len(whole) < _FEWEST_GROUPS:
        reason = "fewer than 2 groups have an estimate with an interval"
        return Pooled(
            groups=len(whole),
            mean=Estimate(reason=reason),
            prediction_low=None,
            prediction_high=None,
            tau_squared=None,
            i_squared=None,
        )
    effect = scale.to(np.array([e.value for e in whole], dtype=float))
    ends = scale.to(np.array([[e.low, e.high] for e in whole], dtype=float))
    return _pooled(effect, ((ends[:, 1] - ends[:, 0]) / (2 * NORMAL_95)) ** 2, scale)


def _pooled(effect: Array, variance: Array, scale: Scale) -> Pooled:
    k = len(effect)
    between = paule_mandel(effect, variance)
    weight = 1 / (variance + between)
    mean = weight @ effect / weight.sum()
    # Hartung and Knapp's factor, held at 1 or more, is 1: after Paule and Mandel's variance the
    # scatter is what chance would give, or less.
    error = np.sqrt(1 / weight.sum())
    half = student.ppf(0.975, k - 1) * error
    value, low, high = scale.back(np.array([mean, mean - half, mean + half])).tolist()
    predicted = _prediction(mean, between, error, k, scale)
    return Pooled(
        groups=k,
        mean=Estimate(value=value, low=low, high=high, method="hartung_knapp"),
        prediction_low=predicted[0],
        prediction_high=predicted[1],
        tau_squared=between,
        i_squared=i_squared(effect, variance),
    )


def _prediction(
    mean: float, between: float, error: float, k: int, scale: Scale
) -> tuple[float | None, float | None]:
    if k < 3:
        return None, None
    half = student.ppf(0.975, k - 2) * np.sqrt(between + error**2)
    low, high = scale.back(np.array([mean - half, mean + half])).tolist()
    return low, high


def paule_mandel(effect: Array, variance: Array) -> float:
    """Return the variance between groups for which the scatter is what chance would give, (k,)."""

    def excess(between: float) -> float:
        weight = 1 / (variance + between)
        mean = weight @ effect / weight.sum()
        return float(weight @ (effect - mean) ** 2 - (len(effect) - 1))

    if excess(0.0) <= 0:
        return 0.0
    most = float(np.sum((effect - effect.mean()) ** 2)) + float(variance.max())
    return float(brentq(excess, 0.0, most, xtol=1e-14, rtol=1e-14))


def i_squared(effect: Array, variance: Array) -> float:
    """Return the share of the scatter that is not chance (Higgins JPT, BMJ 2003;327:557-560)."""
    weight = 1 / variance
    scatter = float(weight @ (effect - weight @ effect / weight.sum()) ** 2)
    return max(0.0, 1 - (len(effect) - 1) / scatter) if scatter > 0 else 0.0
