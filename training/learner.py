"""The anchored learner: evidence corrected by a cohort, then by trees, then recalibrated.

How much a cohort may change depends on its events, not on its size: below
``EVENTS_FOR_DEVIATION`` the evidence stands alone.
The rule by number of events follows Vergouwe Y (Stat Med 2017;36:4529-4539) and Riley RD (BMJ
2020;368:m441) in spirit; its limits are proposals.
"""

from dataclasses import dataclass, replace

import numpy as np
import xgboost
from scipy.optimize import minimize
from sklearn.model_selection import StratifiedKFold

from serving.risk_model import Recalibration, RiskModel
from serving.terms import design
from serving.trees import TreeEnsemble
from training.boosting import ROUNDS_TRIED, TREE_WEIGHT, as_arrays, grow, margins_by_rounds
from training.cohort import LearningCohort
from training.posterior import FittedPosterior, Prior, fit_posterior, posterior_mode, prior_only
from training.prior import ModelPrior

Array = np.ndarray

EVENTS_FOR_DEVIATION = 10
EVENTS_FOR_SLOPE = 30
MISFIT_SD = 0.40
"""Log-odds that a sum of terms and shallow trees cannot say about one patient."""

SLOPE_SPREAD = 0.2
"""Prior sd of the recalibration slope around 1."""

INNER_FOLDS = 5


@dataclass(frozen=True)
class Learnt:
    """A model and how it came about.

    ``booster`` is XGBoost's own object, None where no tree helped.
    """

    model: RiskModel
    booster: xgboost.Booster | None
    fitted: FittedPosterior
    rounds: int
    local_deviation: str
    released: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """A cohort as the learner sees it: ``X`` (n, p) with intercept and cells, terms, outcome."""

    X: Array
    values: Array
    y: Array

    def take(self, index: Array) -> "Rows":
        """Return some of the rows."""
        return Rows(self.X[index], self.values[index], self.y[index])


def learn(
    model_prior: ModelPrior, cohort: LearningCohort | None, seed: int, *, trees: bool = True
) -> Learnt:
    """Return the model of a cohort, or of the evidence alone where there is none.

    Patients of a product and disease that the model has no cell for are left out.
    """
    anchor = _anchor(model_prior)
    if cohort is None:
        return Learnt(
            anchor, None, prior_only(model_prior.prior), 0, "no cohort: evidence only", ()
        )
    rows = rows_of(anchor, cohort)
    events = int(rows.y.sum())
    if events < EVENTS_FOR_DEVIATION or events > len(rows.y) - EVENTS_FOR_DEVIATION:
        said = f"{events} events, fewer than {EVENTS_FOR_DEVIATION}: evidence only, nothing fitted"
        return Learnt(anchor, None, prior_only(model_prior.prior), 0, said, ())
    return _fit(model_prior, anchor, rows, seed, trees=trees)


def rows_of(model: RiskModel, cohort: LearningCohort) -> Rows:
    """Return the rows of a cohort that lie in the model's cells."""
    cell = model.cell_of(cohort.columns)
    values = design(cohort.columns, model.terms, model.burden_scale).values
    X = np.zeros((len(cell), 1 + len(model.cells) + len(model.terms)))
    X[:, 0] = 1.0
    X[np.arange(len(cell)), 1 + np.maximum(cell, 0)] = 1.0
    X[:, 1 + len(model.cells) :] = values
    return Rows(X, values, cohort.outcome).take(np.flatnonzero(cell >= 0))


def _anchor(model_prior: ModelPrior) -> RiskModel:
    """Return the model of no patients."""
    return RiskModel(
        outcome=model_prior.outcome,
        terms=model_prior.terms,
        cells=model_prior.cells,
        posterior=prior_only(model_prior.prior).posterior,
        trees=TreeEnsemble.none(),
        recalibration=Recalibration(),
        misfit_sd=MISFIT_SD,
        burden_scale=model_prior.burden_scale,
    )


def _fit(
    model_prior: ModelPrior, anchor: RiskModel, rows: Rows, seed: int, *, trees: bool
) -> Learnt:
    fitted = fit_posterior(rows.X, rows.y, model_prior.prior)
    prior = _settled(model_prior.prior, fitted)
    direction = prior.direction[prior.n_free :]
    folds = _folds(rows.y, seed)
    margins = _out_of_fold(rows, prior, direction, folds, seed, trees=trees)
    rounds = _best_rounds(margins, rows.y)
    grown = grow(rows.values, rows.y, rows.X @ fitted.posterior.mean, direction, rounds, seed)
    ensemble = as_arrays(grown.booster, TREE_WEIGHT) if grown.booster else TreeEnsemble.none()
    recalibration = recalibrate(margins[rounds], rows.y, model_prior.between_centres)
    names = [""] * prior.n_free + [term.name for term in model_prior.terms]
    return Learnt(
        model=replace(
            anchor, posterior=fitted.posterior, trees=ensemble, recalibration=recalibration
        ),
        booster=grown.booster,
        fitted=fitted,
        rounds=rounds,
        local_deviation=_said(int(rows.y.sum()), fitted, rounds),
        released=tuple(name for name, out in zip(names, fitted.released, strict=True) if out),
    )


def _settled(prior: Prior, fitted: FittedPosterior) -> Prior:
    """Return the prior at the likeliest grid point, for refits within folds."""
    return prior.without_directions(fitted.released).scaled(*fitted.likeliest)


def _folds(y: Array, seed: int) -> list[tuple[Array, Array]]:
    splitter = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    return [(train, test) for train, test in splitter.split(np.zeros((len(y), 1)), y)]


def _out_of_fold(
    rows: Rows,
    prior: Prior,
    direction: Array,
    folds: list[tuple[Array, Array]],
    seed: int,
    *,
    trees: bool,
) -> dict[int, Array]:
    """Return, for every number of rounds tried, the log-odds of each patient when left out."""
    most = max(ROUNDS_TRIED) if trees else 0
    margins = {r: np.zeros(len(rows.y)) for r in ROUNDS_TRIED if r <= most}
    for train, test in folds:
        seen, unseen = rows.take(train), rows.take(test)
        mode = posterior_mode(seen.X, seen.y, prior)
        grown = grow(seen.values, seen.y, seen.X @ mode, direction, most, seed)
        for r, added in margins_by_rounds(grown, unseen.values).items():
            margins[r][test] = unseen.X @ mode + TREE_WEIGHT * added
    return margins


def _best_rounds(margins: dict[int, Array], y: Array) -> int:
    """Return the fewest rounds whose log-loss is within one standard error of the best."""
    losses = {r: np.logaddexp(0.0, z) - y * z for r, z in margins.items()}
    best = min(losses, key=lambda r: losses[r].mean())
    error = (losses[best] - losses[0]).std() / np.sqrt(len(y))
    return min(r for r in losses if losses[r].mean() <= losses[best].mean() + error)


def recalibrate(log_odds: Array, y: Array, between_centres: float) -> Recalibration:
    """Return the two-parameter recalibration of left-out log-odds, shrunk to none.

    ``-loglik(a, b) + a^2 / (2 s_a^2) + (b - 1)^2 / (2 s_b^2)``; the intercept alone below
    ``EVENTS_FOR_SLOPE`` events.

    Parameters
    ----------
    log_odds, y
        Of patients that the fit had not seen, shape (n,).
    between_centres
        s_a, the spread of centres in log-odds.
    """
    free = float(y.sum()) >= EVENTS_FOR_SLOPE

    def loss(theta: Array) -> float:
        z = theta[0] + (theta[1] if free else 1.0) * log_odds
        prior = (theta[0] / between_centres) ** 2 + ((theta[1] - 1) / SLOPE_SPREAD) ** 2
        return float((np.logaddexp(0.0, z) - y * z).sum() + prior / 2)

    a, b = minimize(loss, np.array([0.0, 1.0]), method="BFGS", options={"gtol": 1e-6}).x
    return Recalibration(float(a), float(b) if free else 1.0)


def _said(events: int, fitted: FittedPosterior, rounds: int) -> str:
    slope, spread = fitted.likeliest
    trees = f"{rounds} trees" if rounds else "no tree helped"
    scale = "intercept and slope" if events >= EVENTS_FOR_SLOPE else "intercept only"
    return (
        f"{events} events: local deviation fitted (evidence slope {slope:g}, spread x{spread:g} "
        f"likeliest); {trees}; recalibrated, {scale}"
    )
