"""How a finished model is updated at another centre: as little as its events allow.

Written for log-odds ``z`` of the model as it is, an update is ``a + b z``. What may move depends on
the number of patients of the rarer class; the limits are proposals, in the spirit of Vergouwe Y
(Stat Med 2017;36:4529-4539) and Riley RD (BMJ 2020;368:m441). Nothing here revises a coefficient:
for that a centre trains anew, from the same evidence.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2

from serving.model.risk_model import Posterior, Recalibration, RiskModel
from training.evaluation.logistic import covariance, fit_logistic
from training.evaluation.overall_accuracy import log_losses

Array = np.ndarray

EVENTS_FOR_INTERCEPT = 10
EVENTS_FOR_SLOPE = 30
EVENTS_FOR_CLOSED_TEST = 100

INTERCEPT_SD, SLOPE_SD = 0.5, 0.2
"""Prior sd of the intercept around 0, that of centres around their mean, and of the slope around 1.
"""

SIGNIFICANCE = 0.05
_MOST_STEPS = 50


@dataclass(frozen=True)
class Update:
    """``a + b z``, the covariance of (a, b), shape (2, 2), and how it was found, in words."""

    intercept: float
    slope: float
    covariance: Array
    how: str

    def of(self, log_odds: Array) -> Array:
        """Return updated log-odds."""
        return self.intercept + self.slope * log_odds

    @property
    def changes(self) -> bool:
        """Tell whether anything is updated at all."""
        return (self.intercept, self.slope) != (0.0, 1.0)

    @property
    def in_words(self) -> str:
        """Say what is updated, by how much, and by which rule."""
        if not self.changes:
            return f"none ({self.how})"
        said = f"{self.how}, {self.intercept:+.2f} (sd {self.covariance[0, 0] ** 0.5:.2f}) log-odds"
        return said if self.slope == 1.0 else f"{said}, slope {self.slope:.2f}"


def unchanged(why: str) -> Update:
    """Return the update that leaves a model as it is."""
    return Update(0.0, 1.0, np.zeros((2, 2)), why)


def by_policy(log_odds: Array, outcome: Array) -> Update:
    """Return the update that a number of events allows.

    Below 10 none; below 30 a Bayesian intercept; below 100 a Bayesian intercept and slope; from 100
    on a closed test of none, intercept, intercept and slope. Whatever found it, a slope that is not
    positive updates nothing: it would turn round every direction that the model declares.

    Parameters
    ----------
    log_odds, outcome
        Of patients whom the model had not seen, shape (n,).
    """
    events = int(outcome.sum())
    rarer = min(events, len(outcome) - events)
    if rarer < EVENTS_FOR_INTERCEPT:
        whose = "events" if rarer == events else "patients without the outcome"
        return unchanged(f"{rarer} {whose}, fewer than {EVENTS_FOR_INTERCEPT}: evaluated only")
    if rarer < EVENTS_FOR_CLOSED_TEST:
        found = bayesian(log_odds, outcome, slope=rarer >= EVENTS_FOR_SLOPE)
    else:
        found = closed_test(log_odds, outcome)
    if found.slope <= 0:
        why = "the slope is not positive, the model does not rank here"
        return unchanged(f"{found.how}, but {why}")
    return found


def bayesian(log_odds: Array, outcome: Array, *, slope: bool) -> Update:
    """Return the mode of ``-loglik(a, b) + a^2 / (2 s_a^2) + (b - 1)^2 / (2 s_b^2)``.

    The covariance is Laplace's. Without ``slope`` b stays 1, and is taken as known.
    """
    X = np.column_stack([np.ones_like(log_odds), log_odds])
    mean = np.array([0.0, 1.0])
    free = slice(0, 2 if slope else 1)
    precision = np.array([INTERCEPT_SD**-2.0, SLOPE_SD**-2.0])[free]

    def log_odds_at(away: Array) -> Array:
        return X @ mean + X[:, free] @ away

    def loss(away: Array) -> float:
        z = log_odds_at(away)
        return float(log_losses(z, outcome).sum() + (precision * away) @ away / 2)

    def gradient(away: Array) -> Array:
        return X[:, free].T @ (expit(log_odds_at(away)) - outcome) + precision * away

    def hessian(away: Array) -> Array:
        p = expit(log_odds_at(away))
        return (X[:, free] * (p * (1 - p))[:, None]).T @ X[:, free] + np.diag(precision)

    start = np.zeros(len(precision))
    away = minimize(loss, start, jac=gradient, hess=hessian, method="trust-exact").x
    spread = np.zeros((2, 2))
    spread[free, free] = np.linalg.inv(hessian(away))
    intercept, slope_ = mean + np.pad(away, (0, 2 - len(away)))
    moved = "intercept and slope" if slope else "intercept"
    return Update(float(intercept), float(slope_), spread, f"Bayesian {moved}")


def closed_test(log_odds: Array, outcome: Array) -> Update:
    """Return the least update that a closed test does not reject (Vergouwe 2017).

    Intercept and slope against none (2 degrees of freedom), then against the intercept alone (1),
    stopping at the first difference that is not significant. It has little power: that nothing is
    updated is no evidence of fit.
    """
    X, weight = np.column_stack([np.ones_like(log_odds), log_odds]), np.ones((1, len(log_odds)))
    alone = fit_logistic(X[:, :1], outcome, weight, log_odds)[0]
    both = fit_logistic(X, outcome, weight)[0]
    if not np.isfinite(both).all():
        return unchanged("closed test: classes do not overlap, no slope can be fitted")
    likelihood = [
        -float(log_losses(z, outcome).sum()) for z in (log_odds, log_odds + alone[0], X @ both)
    ]
    if chi2.sf(2 * (likelihood[2] - likelihood[0]), 2) >= SIGNIFICANCE:
        return unchanged("closed test: no update is significantly better")
    if chi2.sf(2 * (likelihood[2] - likelihood[1]), 1) >= SIGNIFICANCE:
        spread = np.zeros((2, 2))
        spread[:1, :1] = covariance(X[:, :1], log_odds, alone)
        return Update(float(alone[0]), 1.0, spread, "closed test: intercept")
    spread = covariance(X, 0.0, both)
    return Update(float(both[0]), float(both[1]), spread, "closed test: intercept and slope")


def updated(model: RiskModel, update: Update) -> RiskModel:
    """Return the model with ``a + b z`` after its own recalibration.

    The variance of ``a + b z`` goes into the covariance of the coefficients, from which the
    interval is made: apart from its trees ``z`` is itself a sum of them, so this is exact. What was
    believed of centres before is not taken out again; the interval errs on the wide side.
    """
    before = model.recalibration
    slope = update.slope * before.slope
    in_log_odds = before.slope * model.posterior.mean
    in_log_odds[0] += before.intercept
    constant = np.zeros_like(in_log_odds)
    constant[0] = 1.0
    both = np.column_stack([constant, in_log_odds])
    added = both @ update.covariance @ both.T / slope**2
    return replace(
        model,
        recalibration=Recalibration(
            intercept=update.intercept + update.slope * before.intercept, slope=slope
        ),
        posterior=Posterior(model.posterior.mean, model.posterior.covariance + added),
    )
