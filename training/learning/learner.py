"""The anchored learner: evidence corrected by a cohort, then by trees where they help.

How much a cohort may change depends on its events, not on its size: below
``EVENTS_FOR_DEVIATION`` only the level of risk and the slope of the evidence as a whole may move.
The rule by number of events follows Vergouwe Y (Stat Med 2017;36:4529-4539) and Riley RD (BMJ
2020;368:m441) in spirit; its limits are proposals.
"""

from dataclasses import dataclass, replace

import numpy as np
import xgboost
from scipy.optimize import minimize

from serving.model.risk_model import Posterior, Recalibration, RiskModel
from serving.model.terms import design
from serving.model.trees import TreeEnsemble
from training.cohort import LearningCohort
from training.evaluation.overall_accuracy import log_losses
from training.learning.boosting import Fold, TreePlan, as_arrays, grow, plan_trees
from training.learning.centres import of_a_new_centre, site_columns, with_sites
from training.learning.folds import patient_folds
from training.learning.posterior import (
    FittedPosterior,
    Prior,
    fit_level_and_slope,
    fit_posterior,
    posterior_mode,
    prior_only,
)
from training.learning.prior import ModelPrior
from training.learning.recipes import DEFAULT, LOCAL_INTERCEPT, RECIPES, Recipe

Array = np.ndarray
Split = list[tuple[Array, Array]]

EVENTS_FOR_DEVIATION = 10
EVENTS_FOR_SLOPE = 30
MISFIT_SD = 0.15
"""Log-odds that a sum of terms and shallow trees cannot say about any patient."""

BETWEEN_PATIENTS = 0.45
"""Spread of an effect between kinds of patients, as a share of its size.

An effect levels off, interacts, or is silent in a disease; what that adds for a patient far from
typical grows with the effect. Nothing is published on how much: see ``DISPERSION``.
"""

DISPERSION = 1.4
"""Variance of fitted effects over Laplace's: a cohort is never quite of the model's shape.

As in a quasi-likelihood (Wedderburn RWM, Biometrika 1974;61:439-447), but not estimated: set, with
``MISFIT_SD`` and ``BETWEEN_PATIENTS``, on simulated centres that the learning benchmark does not
use. Below ``EVENTS_FOR_DEVIATION`` every effect is held, none was fitted and it is 1.
"""

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
    patients: int
    """How many patients had a hand in the model; 0 where nothing was fitted."""
    local_deviation: str
    released: tuple[str, ...]
    untaught: tuple[str, ...] = ()
    """What the cohort could not teach it, in words."""


@dataclass(frozen=True)
class Rows:
    """A cohort as the learner sees it.

    ``X`` (n, p) holds intercept, cells and terms; ``sites`` (n, k) a column for each centre of a
    cohort of several. ``patient`` (n,) tells the rows of one patient from those of others: a
    bootstrap sample draws some of them more than once.
    """

    X: Array
    values: Array
    y: Array
    sites: Array
    patient: Array

    @property
    def full(self) -> Array:
        """``X`` with the columns of the centres, shape (n, p + k)."""
        return np.hstack([self.X, self.sites])


def learn(
    model_prior: ModelPrior, cohort: LearningCohort | None, seed: int, recipe: Recipe | None = None
) -> Learnt:
    """Return the model of a cohort, or of the evidence alone where there is none.

    Patients of a product and disease that the model has no cell for are left out.
    """
    recipe = recipe or RECIPES[DEFAULT]
    prior = _believed(model_prior, recipe)
    anchor = _anchor(model_prior, prior)
    if cohort is None or not recipe.learns:
        had_a_hand = 0 if cohort is None or model_prior.is_published else len(cohort)
        said = "no cohort: evidence only" if cohort is None else "takes nothing from a cohort"
        said = f"{said} but its rate" if had_a_hand else said
        return Learnt(anchor, None, prior_only(prior), 0, had_a_hand, said, ())
    rows = rows_of(anchor, cohort)
    if _rarer(rows.y) < EVENTS_FOR_DEVIATION:
        return _without_deviation(prior, anchor, rows)
    folds = patient_folds(rows.patient, rows.y, INNER_FOLDS, seed)
    if not folds:  # the events are those of a few people, each counted more than once
        return _without_deviation(prior, anchor, rows)
    return _fit(model_prior, prior, anchor, rows, folds, seed, recipe)


def _rarer(y: Array) -> int:
    """Return how many patients are of the rarer class."""
    return int(min(y.sum(), len(y) - y.sum()))


def rows_of(model: RiskModel, cohort: LearningCohort) -> Rows:
    """Return the rows of a cohort that lie in the model's cells."""
    cell = model.cell_of(cohort.columns)
    values = design(cohort.columns, model.terms, model.burden_scale).values
    X = np.zeros((len(cell), 1 + len(model.cells) + len(model.terms)))
    X[:, 0] = 1.0
    X[np.arange(len(cell)), 1 + np.maximum(cell, 0)] = 1.0
    X[:, 1 + len(model.cells) :] = values
    inside = np.flatnonzero(cell >= 0)
    sites = site_columns(cohort.site[inside])
    return Rows(X[inside], values[inside], cohort.outcome[inside], sites, cohort.patient[inside])


def _anchor(model_prior: ModelPrior, prior: Prior) -> RiskModel:
    """Return the model of no patients."""
    return RiskModel(
        outcome=model_prior.outcome,
        terms=model_prior.terms,
        cells=model_prior.cells,
        posterior=_of_one_patient(prior_only(prior).posterior, prior.n_free),
        trees=TreeEnsemble.none(),
        recalibration=Recalibration(),
        misfit_sd=MISFIT_SD,
        burden_scale=model_prior.burden_scale,
    )


def _without_deviation(prior: Prior, anchor: RiskModel, rows: Rows) -> Learnt:
    """Let few events move the level and the slope of the evidence, and nothing else."""
    p, sites = len(prior.mean), rows.sites.shape[1]
    fitted = fit_level_and_slope(rows.full, rows.y, with_sites(prior, sites))
    posterior = _for_serving(fitted.posterior, p, prior.n_free, sites, dispersion=1.0)
    slope = " and the slope of the evidence" if prior.has_published_effects else ""
    count = int(rows.y.sum())
    events = "1 event" if count == 1 else f"{count} events"
    said = (
        f"{events} of {len(rows.y)} patients, fewer than {EVENTS_FOR_DEVIATION} "
        f"with or without the event: no local deviation fitted; only the level{slope} updated; "
        f"for {_where(sites)}"
    )
    return Learnt(replace(anchor, posterior=posterior), None, fitted, 0, len(rows.y), said, ())


def _fit(
    model_prior: ModelPrior,
    prior: Prior,
    anchor: RiskModel,
    rows: Rows,
    split: Split,
    seed: int,
    recipe: Recipe,
) -> Learnt:
    p, sites = len(prior.mean), rows.sites.shape[1]
    prior = with_sites(prior, sites)
    fitted = fit_posterior(rows.full, rows.y, prior)
    refit = _settled(prior, fitted)
    direction = refit.direction[refit.is_effect]
    plan = plan_trees(_linear_folds(rows, split, refit), direction, recipe, seed)
    margin = rows.full @ fitted.posterior.mean
    booster = grow(rows.values, rows.y, margin, direction, plan.rounds, plan.growth)
    ensemble = as_arrays(booster, recipe.tree_weight) if booster else anchor.trees
    names = [""] * prior.n_free + [term.name for term in model_prior.terms]
    released = zip(names, fitted.released[:p], strict=True)
    spread = model_prior.between_centres if recipe.published_rates else LOCAL_INTERCEPT
    return Learnt(
        model=replace(
            anchor,
            posterior=_for_serving(fitted.posterior, p, prior.n_free, sites, DISPERSION),
            trees=ensemble,
            recalibration=correction(plan, rows.y, spread),
        ),
        booster=booster,
        fitted=fitted,
        rounds=plan.rounds,
        patients=len(rows.y),
        local_deviation=_said(rows.y, prior, fitted, plan.rounds, recipe, sites),
        released=tuple(name for name, out in released if out),
    )


def _for_serving(
    posterior: Posterior, p: int, n_free: int, sites: int, dispersion: float
) -> Posterior:
    """Return the posterior without the centres' own intercepts, for the centre it will serve."""
    mean, fitted = posterior.mean[:p], dispersion * posterior.covariance[:p, :p]
    here = Posterior(mean, fitted + of_a_new_centre(mean, n_free, sites))
    return _of_one_patient(here, n_free)


def _of_one_patient(posterior: Posterior, n_free: int) -> Posterior:
    """Return the posterior of one patient's own coefficients: effects differ between patients."""
    effect = np.arange(len(posterior.mean)) >= n_free
    own = np.where(effect, (BETWEEN_PATIENTS * posterior.mean) ** 2, 0.0)
    return replace(posterior, covariance=posterior.covariance + np.diag(own))


def _believed(model_prior: ModelPrior, recipe: Recipe) -> Prior:
    rates = np.array([cell.base_rate for cell in model_prior.cells])
    return recipe.prior(model_prior.prior, np.log(rates / (1 - rates)))


def _settled(prior: Prior, fitted: FittedPosterior) -> Prior:
    """Return the prior at the likeliest grid point, for refits within folds.

    The grid point was chosen with all rows: trees and recalibration are tuned a little too kindly,
    which the cross-validation of the whole run, repeating this step too, does not hide.
    """
    return prior.without_directions(fitted.released).scaled(*fitted.likeliest)


def _linear_folds(rows: Rows, split: Split, prior: Prior) -> list[Fold]:
    """Fit the linear part without each fold in turn."""
    folds = []
    for train, test in split:
        mode = posterior_mode(rows.full[train], rows.y[train], prior)
        p = rows.X.shape[1]
        margin = rows.X @ mode[:p]
        # Patients left out stand for those of a centre whose intercept nobody knows.
        margin[train] += rows.sites[train] @ mode[p:]
        folds.append(Fold(train, test, rows.values, rows.y, margin))
    return folds


def correction(plan: TreePlan, y: Array, between_centres: float) -> Recalibration:
    """Return the recalibration of a model with trees, none where no tree grew.

    The posterior has moved level and slope already, each held by its prior: left-out patients would
    show how far it was held, and a recalibration would let the same events move both again.
    """
    return recalibrate(plan.left_out, y, between_centres) if plan.rounds else Recalibration()


def recalibrate(log_odds: Array, y: Array, between_centres: float) -> Recalibration:
    """Return the two-parameter recalibration of left-out log-odds, shrunk to none.

    ``-loglik(a, b) + a^2 / (2 s_a^2) + (b - 1)^2 / (2 s_b^2)``; the intercept alone below
    ``EVENTS_FOR_SLOPE`` patients with, or without, the event.

    Parameters
    ----------
    log_odds, y
        Of patients that the fit had not seen, shape (n,).
    between_centres
        s_a, the spread of centres in log-odds.
    """
    free = _rarer(y) >= EVENTS_FOR_SLOPE

    def loss(theta: Array) -> float:
        z = theta[0] + (theta[1] if free else 1.0) * log_odds
        prior = (theta[0] / between_centres) ** 2 + ((theta[1] - 1) / SLOPE_SPREAD) ** 2
        return float(log_losses(z, y).sum() + prior / 2)

    a, b = minimize(loss, np.array([0.0, 1.0]), method="BFGS", options={"gtol": 1e-6}).x
    return Recalibration(float(a), float(b) if free else 1.0)


def _said(
    y: Array, prior: Prior, fitted: FittedPosterior, rounds: int, recipe: Recipe, sites: int
) -> str:
    slope, spread = fitted.likeliest
    likeliest = [f"evidence slope {slope:g}"] if prior.has_published_effects else []
    if recipe.holds_effects:
        fit = f"effects held; only the level{' and their slope' if likeliest else ''} updated"
    else:
        fit = "local deviation fitted"
        likeliest.append(f"spread x{spread:g}")
    chosen = f" ({', '.join(likeliest)} likeliest)" if likeliest else ""
    scale = "intercept and slope" if _rarer(y) >= EVENTS_FOR_SLOPE else "intercept only"
    trees = f"{rounds} trees; recalibrated, {scale}" if rounds else "no tree helped"
    return f"{int(y.sum())} events: {fit}{chosen}; {trees}; for {_where(sites)}"


def _where(sites: int) -> str:
    return f"a centre not among these {sites}" if sites else "this centre"
