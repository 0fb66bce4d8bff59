"""How well a model does, on patients whom its fit has not seen.

Every measure here is computed from log-odds and outcomes only, so that it judges numbers and not
objects.
Measures on simulated patients say whether the machinery works; they are never clinical performance.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from data_schemas.model_manifest import Measure
from serving.risk_model import RiskModel

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Judged:
    """Log-odds of patients not seen by the fit, and what happened to them, each shape (n,)."""

    log_odds: Array
    outcome: Array


def discrimination(judged: Judged) -> float:
    """Return the AUROC."""
    return float(roc_auc_score(judged.outcome, judged.log_odds))


def log_loss(log_odds: Array, outcome: Array) -> float:
    """Return the mean log-loss."""
    return float((np.logaddexp(0.0, log_odds) - outcome * log_odds).mean())


def observed_over_expected(judged: Judged) -> float:
    """Return events observed over events expected; 1 is calibration in the large."""
    return float(judged.outcome.sum() / expit(judged.log_odds).sum())


def calibration_slope(judged: Judged) -> float:
    """Return the slope of a logistic regression of the outcome on the log-odds; 1 is calibrated.

    Below 1 risks are too extreme, above 1 too modest (Cox DR, Biometrika 1958;45:562-565).
    """
    z, y = judged.log_odds, judged.outcome

    def loss(theta: Array) -> tuple[float, Array]:
        linear = theta[0] + theta[1] * z
        residual = expit(linear) - y
        value = (np.logaddexp(0.0, linear) - y * linear).sum()
        return float(value), np.array([residual.sum(), residual @ z])

    return float(minimize(loss, np.array([0.0, 1.0]), jac=True, method="BFGS").x[1])


def calibration_intercept(judged: Judged) -> float:
    """Return the shift in log-odds that would make expected and observed events equal."""
    z, y = judged.log_odds, judged.outcome
    return float(brentq(lambda a: expit(z + a).sum() - y.sum(), -20, 20))


def measures(judged: Judged, on: str) -> tuple[Measure, ...]:
    """Return the measures of the manifest; none where all patients, or none, had the outcome."""
    if len(np.unique(judged.outcome)) < 2:
        return ()
    values: dict[str, Callable[[Judged], float]] = {
        "auroc": discrimination,
        "calibration_slope": calibration_slope,
        "calibration_intercept": calibration_intercept,
        "observed_over_expected": observed_over_expected,
        "log_loss": lambda j: log_loss(j.log_odds, j.outcome),
        "brier": lambda j: float(((expit(j.log_odds) - j.outcome) ** 2).mean()),
    }
    n = len(judged.outcome)
    return tuple(Measure(name=k, value=f(judged), on=on, patients=n) for k, f in values.items())


def folds(outcome: Array, k: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Yield train and test indices of a stratified k-fold split."""
    splitter = StratifiedKFold(k, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros((len(outcome), 1)), outcome)


@dataclass(frozen=True, slots=True)
class AgainstTruth:
    """A model beside the truth of simulated centres; everything is a mean over patients.

    ``excess_log_loss`` is what the model loses against the true risk, ``of_product_rate`` that of
    the published rate of each product; ``coverage`` is the share of 90 % intervals that hold the
    true risk.
    """

    excess_log_loss: float
    of_product_rate: float
    coverage: float
    patients: int


def against_truth(model: RiskModel, columns: dict[str, Array], true_risk: Array) -> AgainstTruth:
    """Judge a model against known risks, by expected log-loss rather than by drawn outcomes."""
    prediction = model.predict(columns)
    inside = prediction.in_scope
    truth, z = true_risk[inside], prediction.logit[inside]
    true_z = np.log(truth / (1 - truth))
    cell = model.cell_of(columns)[inside]
    rate = np.array([c.base_rate for c in model.cells])[cell]
    best = log_loss(true_z, truth)
    covered = (prediction.low[inside] <= true_z) & (true_z <= prediction.high[inside])
    return AgainstTruth(
        excess_log_loss=log_loss(z, truth) - best,
        of_product_rate=log_loss(np.log(rate / (1 - rate)), truth) - best,
        coverage=float(covered.mean()),
        patients=int(inside.sum()),
    )
