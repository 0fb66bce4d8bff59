"""From a Gaussian prior and a cohort to a Gaussian posterior of the log-odds coefficients.

The prior is the synthesis of published evidence, so this is where local data correct it.
How far the evidence may be trusted (its slope) and how far a centre may deviate from it (its
spread) are not chosen once: the posterior is averaged over a small grid of both, each weighted by
how well it predicts the cohort (Laplace's approximation of the marginal likelihood).
Averages of log-odds stay linear, so the explanation stays exact.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

from serving.risk_model import Posterior

Array = np.ndarray

EVIDENCE_SLOPES = {0.0: 0.05, 0.5: 0.20, 1.0: 0.50, 1.5: 0.20, 2.0: 0.05}
"""Multipliers of the published effects, with their weight before any patient is seen.

0 switches a literature off that the cohort contradicts.
"""

DEVIATION_SPREADS = {0.5: 0.35, 1.0: 0.50, 2.0: 0.15}
"""Multipliers of the spread between centres, with their weight before any patient is seen."""

RELEASE_NATS = 4.0
"""A declared direction is let go only if it costs the cohort this much log-likelihood."""


@dataclass(frozen=True)
class Prior:
    """What is believed before the cohort.

    ``mean`` has shape (p,), ``covariance`` (p, p); the first ``n_free`` parameters are intercept
    and cells, the last ``n_sites`` are centres, the rest effects. ``direction`` (p,) is the sign
    an effect must keep, 0 for either.
    """

    mean: Array
    covariance: Array
    direction: Array
    n_free: int
    n_sites: int = 0

    @property
    def is_effect(self) -> Array:
        """Which parameters are effects of terms, shape (p,)."""
        place = np.arange(len(self.mean))
        return (place >= self.n_free) & (place < len(self.mean) - self.n_sites)

    def scaled(self, slope: float, spread: float) -> "Prior":
        """Return the prior with its effects' means times slope and their sd times spread."""
        factor = np.where(self.is_effect, spread, 1.0)
        mean = np.where(self.is_effect, slope * self.mean, self.mean)
        return replace(self, mean=mean, covariance=self.covariance * np.outer(factor, factor))

    def without_directions(self, released: Array) -> "Prior":
        """Return the prior with the directions of the released parameters let go."""
        return replace(self, direction=np.where(released, 0, self.direction))


@dataclass(frozen=True)
class FittedPosterior:
    """The averaged posterior and what the average was made of.

    ``weights`` maps (evidence slope, deviation spread) to its weight; ``released`` (p,) marks
    directions that were let go; ``likeliest`` is the grid point of the largest weight.
    """

    posterior: Posterior
    weights: dict[tuple[float, float], float]
    released: Array

    @property
    def likeliest(self) -> tuple[float, float]:
        """The grid point that the cohort supports most."""
        return max(self.weights, key=lambda point: self.weights[point])


def prior_only(prior: Prior) -> FittedPosterior:
    """Return the posterior of no patients: the evidence itself."""
    nothing = np.zeros((0, len(prior.mean)))
    return average_over_grid(nothing, np.zeros(0), prior)


def fit_posterior(X: Array, y: Array, prior: Prior) -> FittedPosterior:
    """Return the posterior after a cohort.

    Parameters
    ----------
    X
        Rows of the design with intercept and cells, shape (n, p).
    y
        Outcome, 0 or 1, shape (n,).
    """
    released = contradicted_directions(X, y, prior)
    fitted = average_over_grid(X, y, prior.without_directions(released))
    return FittedPosterior(fitted.posterior, fitted.weights, released)


def average_over_grid(X: Array, y: Array, prior: Prior) -> FittedPosterior:
    """Average the posteriors of the grid by their marginal likelihood."""
    points = list(itertools.product(EVIDENCE_SLOPES, DEVIATION_SPREADS))
    modes, covariances, log_weights = [], [], []
    start = prior.mean
    for slope, spread in points:
        scaled = prior.scaled(slope, spread)
        mode = posterior_mode(X, y, scaled, start)
        covariance, evidence = laplace(X, y, scaled, mode)
        modes.append(mode)
        covariances.append(covariance)
        log_weights.append(
            evidence + np.log(EVIDENCE_SLOPES[slope]) + np.log(DEVIATION_SPREADS[spread])
        )
        start = mode
    weights = np.exp(np.array(log_weights) - logsumexp(log_weights))
    mean = weights @ np.array(modes)
    spread_of_modes = np.array(modes) - mean
    covariance = np.einsum("k,kij->ij", weights, np.array(covariances))
    covariance += np.einsum("k,ki,kj->ij", weights, spread_of_modes, spread_of_modes)
    return FittedPosterior(
        Posterior(mean, covariance),
        dict(zip(points, weights.tolist(), strict=True)),
        np.zeros(len(mean), bool),
    )


def posterior_mode(X: Array, y: Array, prior: Prior, start: Array | None = None) -> Array:
    """Return the mode under the declared directions, shape (p,).

    Searched in units of each parameter's prior sd, where all of them matter alike.
    """
    sd = np.sqrt(np.diag(prior.covariance))
    precision = np.linalg.inv(prior.covariance / np.outer(sd, sd))
    scaled, offset = X * sd, X @ prior.mean

    def loss(away: Array) -> tuple[float, Array]:
        z = offset + scaled @ away
        pull = precision @ away
        value = np.logaddexp(0.0, z).sum() - y @ z + 0.5 * away @ pull
        return float(value), scaled.T @ (expit(z) - y) + pull

    low, high = _bounds(prior.direction)
    bounds = np.column_stack([(low - prior.mean) / sd, (high - prior.mean) / sd])
    begin = np.zeros(len(sd)) if start is None else (start - prior.mean) / sd
    result = minimize(
        loss,
        np.clip(begin, bounds[:, 0], bounds[:, 1]),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-7},
    )
    return np.asarray(np.clip(prior.mean + sd * result.x, low, high))


def _bounds(direction: Array) -> tuple[Array, Array]:
    """Return the lowest and highest value that each direction allows."""
    return np.where(direction > 0, 0.0, -np.inf), np.where(direction < 0, 0.0, np.inf)


def laplace(X: Array, y: Array, prior: Prior, mode: Array) -> tuple[Array, float]:
    """Return the covariance at the mode and the log marginal likelihood.

    A direction that binds is not counted as knowledge: the covariance ignores it, so intervals
    err on the wide side.
    """
    z = X @ mode
    p = expit(z)
    precision = np.linalg.inv(prior.covariance)
    hessian = (X * (p * (1 - p))[:, None]).T @ X + precision
    away = mode - prior.mean
    log_likelihood = y @ z - np.logaddexp(0.0, z).sum()
    evidence = (
        log_likelihood
        - 0.5 * away @ precision @ away
        - 0.5 * np.linalg.slogdet(prior.covariance)[1]
        - 0.5 * np.linalg.slogdet(hessian)[1]
    )
    return np.linalg.inv(hessian), float(evidence)


def contradicted_directions(X: Array, y: Array, prior: Prior) -> Array:
    """Return which declared directions the cohort contradicts beyond doubt, shape (p,).

    A direction is a promise to the clinician. It is let go only where the cohort as a whole pays
    more than ``RELEASE_NATS`` for the promises, and then only for effects that lie more than one
    posterior standard deviation on the wrong side; the manifest names them.
    """
    wide = prior.scaled(0.0, max(DEVIATION_SPREADS))
    free = wide.without_directions(np.ones(len(prior.mean), bool))
    kept, let_go = posterior_mode(X, y, wide), posterior_mode(X, y, free)
    if _log_posterior(X, y, free, let_go) - _log_posterior(X, y, free, kept) < RELEASE_NATS:
        return np.zeros(len(prior.mean), bool)
    sd = np.sqrt(np.diag(laplace(X, y, free, let_go)[0]))
    return let_go * prior.direction < -sd


def _log_posterior(X: Array, y: Array, prior: Prior, theta: Array) -> float:
    z = X @ theta
    away = theta - prior.mean
    return float(
        y @ z - np.logaddexp(0.0, z).sum() - 0.5 * away @ np.linalg.solve(prior.covariance, away)
    )
