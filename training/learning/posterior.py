"""From a Gaussian prior and a cohort to a Gaussian posterior of the log-odds coefficients.

The prior is the synthesis of published evidence, so this is where local data correct it.
How far the evidence may be trusted (its slope) and how far a centre may deviate from it (its
spread) are not chosen once: the posterior is averaged over a small grid of both, each weighted by
how well it predicts the cohort (Laplace's approximation of the marginal likelihood). How far its
level of risk may deviate is averaged as well.
Averages of log-odds stay linear, so the explanation stays exact.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit, logsumexp

from serving.model.risk_model import Posterior

Array = np.ndarray

EVIDENCE_SLOPES = {0.0: 0.05, 0.5: 0.20, 1.0: 0.50, 1.5: 0.20, 2.0: 0.05}
"""Multipliers of the published effects, with their weight before any patient is seen.

0 switches a literature off that the cohort contradicts.
"""

DEVIATION_SPREADS = {0.5: 0.35, 1.0: 0.50, 2.0: 0.15}
"""Multipliers of the spread between centres, with their weight before any patient is seen."""

LEVEL_SPREADS = {0.5: 0.40, 1.0: 0.50, 2.0: 0.10}
"""Multipliers of the sd of the intercept, with their weight before any patient is seen.

They leave its variance as it is and give it longer tails: a centre far from all published rates is
believed sooner, and one near to them is held closer (West M, Biometrika 1987;74:646-648).
"""

_HELD = 1e-4
"""Share of its prior sd that is left to an effect which the cohort shall not move."""

_CONVERGED = 1e-9
"""Newton's promise of what another step could gain, twice, in nats."""

_MOST_STEPS = 200

RELEASE_NATS = 4.0
"""A declared direction is let go only if it costs the cohort this much log-likelihood."""


@dataclass(frozen=True)
class Prior:
    """What is believed before the cohort.

    ``mean`` has shape (p,), ``covariance`` (p, p); the first ``n_free`` parameters are intercept
    and cells, the last ``n_sites`` are centres, the rest effects. ``direction`` (p,) is the sign
    an effect must keep, 0 for either. ``levels`` holds, by evidence slope, what is added to the
    means of the cells, (n_cells,): effects twice as strong around the same mean rates go with a
    lower risk of the typical patient.
    """

    mean: Array
    covariance: Array
    direction: Array
    n_free: int
    n_sites: int = 0
    levels: Mapping[float, Array] = field(default_factory=dict)

    @property
    def is_effect(self) -> Array:
        """Which parameters are effects of terms, shape (p,)."""
        place = np.arange(len(self.mean))
        return (place >= self.n_free) & (place < len(self.mean) - self.n_sites)

    @property
    def has_published_effects(self) -> bool:
        """Tell whether there is anything that an evidence slope could multiply."""
        return bool(self.mean[self.is_effect].any())

    def scaled(self, slope: float, spread: float) -> "Prior":
        """Return the prior at an evidence slope, the sd of its effects times spread."""
        mean = np.where(self.is_effect, slope * self.mean, self.mean)
        mean[1 : self.n_free] += self.levels.get(slope, 0.0)
        return replace(self._with_spread(spread), mean=mean, levels={})

    def with_held_effects(self) -> "Prior":
        """Return the prior with its effects held where they are: only their common slope moves."""
        return self._with_spread(_HELD)

    def _with_spread(self, times: float) -> "Prior":
        factor = np.where(self.is_effect, times, 1.0)
        return replace(self, covariance=self.covariance * np.outer(factor, factor))

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


def fit_level_and_slope(X: Array, y: Array, prior: Prior) -> FittedPosterior:
    """Return the posterior after a cohort with too few events to say anything of single effects.

    It moves the level and, by the grid, the slope of the evidence as a whole: the two parameters of
    a Bayesian recalibration. What is not known of each effect stays not known.
    """
    fitted = average_over_grid(X, y, prior.with_held_effects())
    untouched = np.where(np.outer(prior.is_effect, prior.is_effect), prior.covariance, 0.0)
    moved = fitted.posterior
    return replace(fitted, posterior=Posterior(moved.mean, moved.covariance + untouched))


def average_over_grid(X: Array, y: Array, prior: Prior) -> FittedPosterior:
    """Average the posteriors of the grid by their marginal likelihood."""
    modes, covariances, log_weights = [], [], []
    at: list[tuple[float, float]] = []
    start = prior.mean
    for slope, spread in itertools.product(EVIDENCE_SLOPES, DEVIATION_SPREADS):
        scaled = prior.scaled(slope, spread)
        start = posterior_mode(X, y, scaled, start)
        covariance, evidence = laplace(X, y, scaled, start)
        evidence += np.log(EVIDENCE_SLOPES[slope]) + np.log(DEVIATION_SPREADS[spread])
        for times, weight in LEVEL_SPREADS.items():
            moved, ratio = with_level_spread(Posterior(start, covariance), scaled, times)
            modes.append(moved.mean)
            covariances.append(moved.covariance)
            log_weights.append(evidence + ratio + np.log(weight))
            at.append((slope, spread))
    weights = np.exp(np.array(log_weights) - logsumexp(log_weights))
    mean = weights @ np.array(modes)
    spread_of_modes = np.array(modes) - mean
    covariance = np.einsum("k,kij->ij", weights, np.array(covariances))
    covariance += np.einsum("k,ki,kj->ij", weights, spread_of_modes, spread_of_modes)
    by_point = dict.fromkeys(at, 0.0)
    for point, weight in zip(at, weights.tolist(), strict=True):
        by_point[point] += weight
    return FittedPosterior(Posterior(mean, covariance), by_point, np.zeros(len(mean), bool))


def with_level_spread(posterior: Posterior, prior: Prior, times: float) -> tuple[Posterior, float]:
    """Return a posterior had the prior sd of the intercept been ``times`` as large.

    Beside it the log of what that multiplies the marginal likelihood by. Both are exact for a
    Gaussian posterior, so no pass over the cohort is needed; directions are kept.
    """
    mean, covariance, prior_variance = posterior.mean, posterior.covariance, prior.covariance[0, 0]
    taken = (1 - 1 / times**2) / prior_variance
    column, left = covariance[:, 0], 1 - taken * covariance[0, 0]
    moved = mean + column * taken * mean[0] / left
    ratio = 0.5 * taken * mean[0] ** 2 / left - 0.5 * np.log(left) - np.log(times)
    wider = covariance + taken / left * np.outer(column, column)
    return Posterior(np.clip(moved, *_bounds(prior.direction)), wider), float(ratio)


def posterior_mode(X: Array, y: Array, prior: Prior, start: Array | None = None) -> Array:
    """Return the mode under the declared directions, shape (p,).

    Newton's method on the parameters that no direction holds at 0, projected onto the directions
    (Bertsekas DP, SIAM J Control Optim 1982;20:221-246): a handful of passes over the cohort where
    quasi-Newton methods need a hundred.

    Raises
    ------
    ArithmeticError
        If it has not converged, which a proper prior rules out.
    """
    precision = np.linalg.inv(prior.covariance)
    low, high = _bounds(prior.direction)
    theta = np.clip(prior.mean if start is None else start, low, high)
    value = _loss(X, y, prior.mean, precision, theta)
    for _ in range(_MOST_STEPS):
        risk = expit(X @ theta)
        gradient = X.T @ (risk - y) + precision @ (theta - prior.mean)
        free = ~(((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0)))
        move = np.zeros(len(theta))
        move[free] = np.linalg.solve(
            _hessian(X, risk, precision)[np.ix_(free, free)], -gradient[free]
        )
        share, converged = 1.0, -gradient @ move < _CONVERGED
        while True:
            there = np.clip(theta + share * move, low, high)
            reached = _loss(X, y, prior.mean, precision, there)
            # Rounding of a sum over a large cohort must not look like a rise.
            if reached <= value + 1e-4 * gradient @ (there - theta) + 1e-12 * abs(value):
                break
            share /= 2
        theta, value = there, reached
        if converged:
            return np.asarray(theta)
    raise ArithmeticError("the posterior's mode was not reached")


def _loss(X: Array, y: Array, mean: Array, precision: Array, theta: Array) -> float:
    """Return the negative log posterior, up to a constant."""
    z, away = X @ theta, theta - mean
    return float(np.logaddexp(0.0, z).sum() - y @ z + 0.5 * away @ precision @ away)


def _hessian(X: Array, risk: Array, precision: Array) -> Array:
    weighted = X * np.sqrt(risk * (1 - risk))[:, None]
    return np.asarray(weighted.T @ weighted + precision)


def _bounds(direction: Array) -> tuple[Array, Array]:
    """Return the lowest and highest value that each direction allows."""
    return np.where(direction > 0, 0.0, -np.inf), np.where(direction < 0, 0.0, np.inf)


def laplace(X: Array, y: Array, prior: Prior, mode: Array) -> tuple[Array, float]:
    """Return the covariance at the mode and the log marginal likelihood.

    A direction that binds is not counted as knowledge: the covariance ignores it, so intervals
    err on the wide side.
    """
    precision = np.linalg.inv(prior.covariance)
    hessian = _hessian(X, expit(X @ mode), precision)
    determinants = np.linalg.slogdet(prior.covariance)[1] + np.linalg.slogdet(hessian)[1]
    log_posterior = -_loss(X, y, prior.mean, precision, mode)
    return np.linalg.inv(hessian), float(log_posterior - 0.5 * determinants)


def contradicted_directions(X: Array, y: Array, prior: Prior) -> Array:
    """Return which declared directions the cohort contradicts beyond doubt, shape (p,).

    A direction is a promise to the clinician. It is let go only where the cohort as a whole pays
    more than ``RELEASE_NATS`` for the promises, and then only for effects that lie more than one
    posterior standard deviation on the wrong side; the manifest names them.
    """
    wide = prior.scaled(0.0, max(DEVIATION_SPREADS))
    free = wide.without_directions(np.ones(len(prior.mean), bool))
    kept, let_go = posterior_mode(X, y, wide), posterior_mode(X, y, free)
    precision = np.linalg.inv(free.covariance)
    paid = _loss(X, y, free.mean, precision, kept) - _loss(X, y, free.mean, precision, let_go)
    if paid < RELEASE_NATS:
        return np.zeros(len(prior.mean), bool)
    sd = np.sqrt(np.diag(laplace(X, y, free, let_go)[0]))
    return let_go * prior.direction < -sd
