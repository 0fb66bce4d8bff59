"""Logistic regression of few columns on many weightings of the same patients at once.

Every bootstrap draw is a row of weights, so that thousands of small fits are a few matrix products.
"""

import numpy as np
from scipy.special import expit, logit

Array = np.ndarray

_MOST_STEPS = 60
_CONVERGED = 1e-6


def fit_logistic(
    X: Array, y: Array, weights: Array, offset: Array | float = 0.0, start: Array | None = None
) -> Array:
    """Return maximum-likelihood coefficients, shape (B, k), by damped Newton steps.

    A step that changes some log-odds by r > 1 is shortened by ln(1 + r) / r, which is sure to
    lower the loss (Sun T, Tran-Dinh Q, Math Program 2019;178:145-213, for losses whose curvature
    changes no faster than a logistic one's).
    A row is NaN where the likelihood has no finite maximum: one class, or classes that do not
    overlap.

    Parameters
    ----------
    X
        Design, shape (n, k); columns near unit spread, the first of ones.
    y
        Outcome, shape (n,), or (B, n) where it differs by row.
    weights
        Weight of each patient in each fit, shape (B, n).
    offset
        Known part of the log-odds, shape (n,).
    start
        Where to begin, shape (k,); the logit of the event fraction unless given.
    """
    total, events = weights.sum(axis=1), (weights * y).sum(axis=1)
    active = np.flatnonzero((events > 0) & (events < total))
    beta = np.full((len(weights), X.shape[1]), np.nan)
    beta[active] = _begin(events[active] / total[active], offset, start, X.shape[1])
    target = (weights * y)[active] @ X
    weights, at = weights[active], beta[active]
    for _ in range(_MOST_STEPS):
        if active.size == 0:
            return beta
        risk = expit(at @ X.T + offset)
        gradient = target - (weights * risk) @ X
        hessian = _invertible(_information(X, weights * risk * (1 - risk)))
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        change = np.abs(step @ X.T).max(axis=1)
        damping = np.where(change > 1, np.log1p(change) / np.maximum(change, 1), 1.0)
        at = at + step * damping[:, None]
        beta[active] = at
        going = change >= _CONVERGED
        if not going.all():
            active, at, weights, target = active[going], at[going], weights[going], target[going]
    beta[active] = np.nan
    return beta


def covariance(X: Array, offset: Array | float, beta: Array) -> Array:
    """Return the covariance of the coefficients of one unweighted fit, (k,) to (k, k)."""
    risk = expit(X @ beta + offset)
    return np.linalg.inv(_invertible(_information(X, (risk * (1 - risk))[None]))[0])


def _begin(fraction: Array, offset: Array | float, start: Array | None, k: int) -> Array:
    if start is not None:
        return np.broadcast_to(start, (len(fraction), k))
    first = np.zeros((len(fraction), k))
    first[:, 0] = logit(fraction) - np.median(offset)
    return first


def _information(X: Array, weights: Array) -> Array:
    """Return X' diag(w) X for each row of weights, (n, k) and (B, n) to (B, k, k)."""
    n, k = X.shape
    squares = (X[:, :, None] * X[:, None, :]).reshape(n, k * k)
    return (weights @ squares).reshape(-1, k, k)


def _invertible(hessian: Array) -> Array:
    """Add a trace of a diagonal: it changes how a flat direction is left, not where it ends."""
    k = hessian.shape[-1]
    size = np.trace(hessian, axis1=1, axis2=2)[:, None, None]
    return hessian + (1e-14 * size + 1e-300) * np.eye(k)
