"""Measures of one row of log-odds, by plain formulas of another hand than the code they check."""

import math
from typing import Any

import numpy as np
from scipy.stats import norm

Array = np.ndarray

Z95 = norm.ppf(0.975)


def risk(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def logit(p: Any) -> Any:
    return np.log(p) - np.log1p(-np.asarray(p))


def regression(columns: list[Array], y: Array, offset: Any = 0.0) -> tuple[Array, Array]:
    """Newton's steps, halved while the loss would grow; coefficients and covariance."""
    X = np.column_stack(columns)
    beta = np.zeros(X.shape[1])
    beta[0] = logit(y.mean()) - np.mean(offset)

    def loss(at: Array) -> float:
        return float(log_losses(X @ at + offset, y).sum())

    for _ in range(200):
        p = risk(X @ beta + offset)
        information = X.T @ ((p * (1 - p))[:, None] * X)
        step = np.linalg.solve(information, X.T @ (y - p))
        while loss(beta + step) > loss(beta) + 1e-9:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-11:
            break
    return beta, np.linalg.inv(information)


def auroc(z: Array, y: Array) -> float:
    """Share of pairs in which the one with the outcome has the higher risk, ties half."""
    return float(np.mean(_wins(z, y)))


def _wins(z: Array, y: Array) -> Array:
    a, b = z[y == 1][:, None], z[y == 0][None, :]
    return (a > b) + 0.5 * (a == b)


def auroc_with_ends(z: Array, y: Array) -> tuple[float, float, float]:
    wins = _wins(z, y)
    variance = wins.mean(1).var(ddof=1) / wins.shape[0] + wins.mean(0).var(ddof=1) / wins.shape[1]
    area = wins.mean()
    half = Z95 * math.sqrt(variance) / (area * (1 - area))
    return area, risk(logit(area) - half), risk(logit(area) + half)


def auprc(z: Array, y: Array) -> float:
    total, area, before = y.sum(), 0.0, 0.0
    for cut in sorted(set(z), reverse=True):
        above = z >= cut
        found = y[above].sum()
        area += (found - before) / total * found / above.sum()
        before = found
    return float(area)


def with_normal_ends(each: Array) -> tuple[float, float, float]:
    half = Z95 * each.std(ddof=1) / math.sqrt(len(each))
    return each.mean(), each.mean() - half, each.mean() + half


def log_losses(z: Array, y: Array) -> Array:
    return np.logaddexp(0.0, np.where(y == 1, -z, z))


def observed_over_expected(z: Array, y: Array) -> tuple[float, float, float]:
    ratio = y.sum() / risk(z).sum()
    factor = math.exp(Z95 * math.sqrt((1 - y.mean()) / y.sum()))
    return ratio, ratio / factor, ratio * factor


def intercept(z: Array, y: Array) -> tuple[float, float, float]:
    beta, covariance = regression([np.ones(len(z))], y, z)
    half = Z95 * math.sqrt(covariance[0, 0])
    return beta[0], beta[0] - half, beta[0] + half


def slope(z: Array, y: Array) -> tuple[float, float, float]:
    beta, covariance = regression([np.ones(len(z)), z], y)
    half = Z95 * math.sqrt(covariance[1, 1])
    return beta[1], beta[1] - half, beta[1] + half


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """Roots of (share - p)^2 = z^2 p (1 - p) / of."""
    share, z2 = hits / of, Z95**2
    a, b, c = 1 + z2 / of, -(2 * share + z2 / of), share**2
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    return share, (-b - root) / (2 * a), (-b + root) / (2 * a)


def benefit_of_each(z: Array, y: Array, t: float) -> Array:
    above = z >= logit(t) - 1e-9
    return np.where(above, np.where(y == 1, 1.0, -t / (1 - t)), 0.0)


def knots_of(z: Array, y: Array) -> Array:
    rarer = min(y.sum(), len(y) - y.sum())
    centiles = [0.05, 0.35, 0.65, 0.95] if rarer >= 100 else [0.1, 0.5, 0.9] if rarer >= 30 else []
    knots = np.quantile(z, centiles)
    few = len(set((z - z.mean()) / z.std())) <= len(knots)
    return np.empty(0) if few or (np.diff(knots) < 0.01 * z.std()).any() else knots


def spline(z: Array, knots: Array) -> list[Array]:
    """Cubic between the knots, straight beyond: d_j - d_(k-1) of Hastie, Tibshirani, Friedman."""
    if len(knots):
        middle, scale = knots.mean(), knots[-1] - knots[0]
        z, knots = (z - middle) / scale, (knots - middle) / scale
    columns = [np.ones(len(z)), z]

    def d(j: int) -> Array:
        last = np.maximum(z - knots[-1], 0) ** 3
        return (np.maximum(z - knots[j], 0) ** 3 - last) / (knots[-1] - knots[j])

    return columns + [d(j) - d(len(knots) - 2) for j in range(len(knots) - 2)]


def distances(z: Array, y: Array, sample: Array, knots: Array) -> Array:
    """|curve - risk| of the patients of a sample, where the curve is fitted to the sample."""
    beta, _ = regression(spline(z[sample], knots), y[sample])
    curve = risk(np.column_stack(spline(z[sample], knots)) @ beta)
    return np.abs(curve - risk(z[sample]))


def centile(each: Array, share: float) -> float:
    return float(np.sort(each)[math.ceil(share * len(each) - 1e-9) - 1])


def curve_on(grid: Array, z: Array, y: Array) -> Array:
    """The curve and its band at log-odds of the grid, (3, G)."""
    knots = knots_of(z, y)
    beta, covariance = regression(spline(z, knots), y)
    X = np.column_stack(spline(grid, knots))
    middle = X @ beta
    half = Z95 * np.sqrt(np.sum((X @ covariance) * X, axis=1))
    return risk(np.array([middle, middle - half, middle + half]))
