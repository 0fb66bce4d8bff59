"""How often the outcome happens at each risk: a smooth curve, and its distance from the diagonal.

The curve is a logistic regression on a natural (restricted) cubic spline of the log-odds, with
knots at Harrell's centiles (Regression Modeling Strategies 2015, table 2.3; curves of this kind:
Austin PC, Harrell FE, van Klaveren D, Stat Med 2020;39:2714-2742).
The distances ICI, E50 and E90 are those of Austin PC, Steyerberg EW, Stat Med 2019;38:4051-4065.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from training.evaluation.estimate import Curve
from training.evaluation.intervals import NORMAL_95
from training.evaluation.logistic import covariance, fit_logistic
from training.evaluation.seen import Seen, one_risk
from training.evaluation.view_record import CalibrationCurve

Array = np.ndarray

_KNOT_CENTILES = {4: (0.05, 0.35, 0.65, 0.95), 3: (0.1, 0.5, 0.9), 0: ()}
_FOUR_KNOTS_FROM, _THREE_KNOTS_FROM = 100, 30
"""Patients of the rarer class that the knots ask for; with fewer the curve is a line."""
_GRID_POINTS = 50
NO_CURVE = "no finite curve fits"


@dataclass(frozen=True)
class Smooth:
    """A spline of the log-odds and its coefficients on unweighted patients, (k,)."""

    centre: float
    spread: float
    knots: Array
    """In standardised log-odds; none for a straight line."""
    beta: Array

    def design(self, log_odds: Array) -> Array:
        """Return the spline's columns at the log-odds, (m,) to (m, k)."""
        return _design((log_odds - self.centre) / self.spread, self.knots)

    def refitted(self, log_odds: Array, outcome: Array, weights: Array) -> Array:
        """Return the coefficients under each row of weights, (B, k); NaN where there are none.

        ``outcome`` has shape (m,), or (B, m) where it differs by row.
        """
        return fit_logistic(self.design(log_odds), outcome, weights, start=self.beta)


def smooth(log_odds: Array, outcome: Array) -> Smooth | None:
    """Return the spline with as many knots as the patients carry, a line, or None.

    The line is the answer where the spline has no finite fit.
    """
    if one_risk(log_odds):
        return None
    centre, spread = log_odds.mean(), log_odds.std()
    standard = (log_odds - centre) / spread
    for knots in (_knots(standard, outcome), np.empty(0)):
        X = _design(standard, knots)
        beta = fit_logistic(X, outcome, np.ones((1, len(outcome))))[0]
        if np.isfinite(beta).all():
            return Smooth(centre, spread, knots, beta)
    return None


def _knots(standard: Array, outcome: Array) -> Array:
    rarer = min(outcome.sum(), len(outcome) - outcome.sum())
    wanted = 4 if rarer >= _FOUR_KNOTS_FROM else 3 if rarer >= _THREE_KNOTS_FROM else 0
    knots = np.quantile(standard, _KNOT_CENTILES[wanted])
    too_close = wanted and np.diff(knots).min() < 0.01
    return np.empty(0) if too_close or len(np.unique(standard)) <= wanted else knots


def _design(standard: Array, knots: Array) -> Array:
    """Return ones, the variable, and the truncated cubics that are straight beyond the end knots.

    Harrell's parametrisation, divided by the squared distance of the end knots.
    """
    columns = [np.ones(len(standard)), standard]
    if len(knots):
        last, before = knots[-1], knots[-2]
        cubes = np.maximum(standard[:, None] - knots, 0.0) ** 3
        for j in range(len(knots) - 2):
            of_before = (last - knots[j]) / (last - before)
            of_last = (before - knots[j]) / (last - before)
            column = cubes[:, j] - of_before * cubes[:, -2] + of_last * cubes[:, -1]
            columns.append(column / (last - knots[0]) ** 2)
    return np.column_stack(columns)


def distances(curve: Smooth, log_odds: Array, beta: Array) -> Array:
    """Return |curve - risk| of each patient under each row of coefficients, (B, k) to (B, m)."""
    return np.abs(expit(beta @ curve.design(log_odds).T) - expit(log_odds))


def distance_centile(each: Array, weights: Array, share: float) -> Array:
    """Return the smallest distance that ``share`` of the weight does not exceed, (B, m) to (B,)."""
    order = np.argsort(each, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    first = (reached >= share * reached[:, -1:] - 1e-9).argmax(axis=1)
    place = np.take_along_axis(order, first[:, None], axis=1)
    return np.take_along_axis(each, place, axis=1)[:, 0]


def risk_grid(log_odds: Array) -> Array:
    """Return log-odds, evenly from the 1st to the 99th centile of all given, (50,)."""
    low, high = np.quantile(log_odds, (0.01, 0.99))
    return np.linspace(low, high, _GRID_POINTS)


def calibration_curve(seen: Seen, curves: list[Smooth | None]) -> CalibrationCurve:
    """Return the curve with its pointwise Wald band, the mean over repeats.

    ``curves`` holds the fit of each repeat.
    """
    fitted = [curve for curve in curves if curve is not None]
    if seen.no_line or len(fitted) < len(curves):
        return CalibrationCurve(risk=(), observed=None, knots=0, reason=seen.no_line or NO_CURVE)
    grid = risk_grid(seen.log_odds)
    pairs = zip(fitted, seen.log_odds, strict=True)
    middle, low, high = np.mean([_with_band(curve, z, grid) for curve, z in pairs], axis=0)
    return CalibrationCurve(
        risk=tuple(expit(grid).tolist()),
        observed=Curve(
            value=tuple(middle.tolist()), low=tuple(low.tolist()), high=tuple(high.tolist())
        ),
        knots=min(len(curve.knots) for curve in fitted),
    )


def _with_band(curve: Smooth, log_odds: Array, grid: Array) -> Array:
    X = curve.design(grid)
    spread = covariance(curve.design(log_odds), 0.0, curve.beta)
    half = NORMAL_95 * np.sqrt(np.einsum("gi,ij,gj->g", X, spread, X))
    middle = X @ curve.beta
    return expit([middle, middle - half, middle + half])
