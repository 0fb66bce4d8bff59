"""The model that answers: evidence anchor, local deviation, shallow trees, recalibration.

On the log-odds scale everything adds up::

    z = a + b * ( intercept + cell(product, disease) + sum_j beta_j t_j + trees(t) )

The intercept, the cells and beta are one Gaussian posterior: with no patients it is the synthesis
of the published evidence, with thousands it is what the cohort says.
There is no ``fit`` here: fitting returns one of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from serving.joint_risk import Association
from serving.terms import Design, Term, design
from serving.trees import TreeEnsemble
from serving.tumour_burden import BurdenScale

Array = np.ndarray

_STANDARD_NORMAL_95 = 1.6448536269514722


Origin = Literal["published", "borrowed", "own cohort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A product in a disease, with its published base rate on the ASTCT scale.

    ``base_rate`` is the mean risk to expect of its patients, ``low`` and ``high`` a 90 % interval for the
    mean of a centre not yet seen. ``origin`` says whether cohorts of the
    cell itself were published, whether it borrows from its like, or whether the rate is that of the
    model's own cohort.
    """

    product: str
    disease: str
    base_rate: float
    low: float
    high: float
    patients: int
    sources: tuple[str, ...]
    origin: Origin
    holds_unread: bool


@dataclass(frozen=True, slots=True)
class Posterior:
    """Gaussian over intercept, cells and coefficients: ``mean`` (p,), ``covariance`` (p, p)."""

    mean: Array
    covariance: Array


@dataclass(frozen=True, slots=True)
class Recalibration:
    """``z = intercept + slope * linear predictor``."""

    intercept: float = 0.0
    slope: float = 1.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says of n patients, in log-odds.

    ``contributions`` has shape (n, n_terms); ``base + contributions.sum(axis=1) == logit``.
    Rows outside the model's scope are NaN. ``missing_weight`` is the share of the model's own
    weight that rests on terms not measured, 0 to 1.
    """

    logit: Array
    low: Array
    high: Array
    base: Array
    contributions: Array
    missing_weight: Array
    in_scope: Array

    @property
    def risk(self) -> Array:
        """The risk as a probability, shape (n,)."""
        return expit(self.logit)


@dataclass(frozen=True)
class RiskModel:
    """An immutable model of one outcome."""

    outcome: str
    terms: tuple[Term, ...]
    cells: tuple[Cell, ...]
    posterior: Posterior
    trees: TreeEnsemble
    recalibration: Recalibration
    misfit_sd: float
    """Spread in log-odds of what a model of this shape cannot say about one patient."""
    burden_scale: BurdenScale
    association: Association | None = None
    """How the outcome goes with another one, where that was asked for."""

    def predict(self, columns: Mapping[str, Array]) -> Prediction:
        """Return risk, interval and contributions.

        Parameters
        ----------
        columns
            Contract name to canonical values, each of shape (n,).
        """
        design_ = design(columns, self.terms, self.burden_scale)
        cell = self.cell_of(columns)
        in_scope = cell >= 0
        slope = self.recalibration.slope
        contributions = slope * (
            design_.values * self.coefficients + self.trees.contributions(design_.values)
        )
        at_reference = float(self.trees.log_odds(np.zeros((1, len(self.terms))))[0])
        level = self.posterior.mean[0] + self._cell_means[cell] + at_reference
        contributions[~in_scope] = np.nan
        base = np.where(in_scope, self.recalibration.intercept + slope * level, np.nan)
        logit = base + contributions.sum(axis=1)
        half_width = _STANDARD_NORMAL_95 * abs(slope) * np.sqrt(self._variance(design_, cell))
        return Prediction(
            logit=logit,
            low=logit - half_width,
            high=logit + half_width,
            base=base,
            contributions=contributions,
            missing_weight=(self.weight_shares(columns["disease"]) * design_.missing).sum(axis=1),
            in_scope=in_scope,
        )

    def cell_of(self, columns: Mapping[str, Array]) -> Array:
        """Return the index of each patient's cell, -1 outside the model's scope; shape (n,)."""
        pairs = zip(columns["product"], columns["disease"], strict=True)
        return np.array([self._cell_index.get(pair, -1) for pair in pairs], dtype=int)

    @property
    def coefficients(self) -> Array:
        """Posterior means of the terms' coefficients, shape (n_terms,)."""
        return self.posterior.mean[1 + len(self.cells) :]

    @cached_property
    def _cell_index(self) -> dict[tuple[str, str], int]:
        return {(cell.product, cell.disease): i for i, cell in enumerate(self.cells)}

    @property
    def _cell_means(self) -> Array:
        return self.posterior.mean[1 : 1 + len(self.cells)]

    def _variance(self, design_: Design, cell: Array) -> Array:
        """Return the variance of each patient's own log-odds, shape (n,).

        A missing term adds what it could have said: its squared coefficient times its spread.
        """
        n, k = len(cell), len(self.cells)
        row = np.zeros((n, 1 + k + len(self.terms)))
        row[:, 0] = 1.0
        row[np.arange(n), 1 + np.maximum(cell, 0)] = 1.0
        row[:, 1 + k :] = design_.values
        covariance = self.posterior.covariance
        variance = np.einsum("ij,jk,ik->i", row, covariance, row, optimize=True)
        own = (self.coefficients**2 + np.diag(covariance)[1 + k :]) * self._spreads**2
        return variance + design_.missing @ own + self.misfit_sd**2

    def missing_main_predictors(
        self, columns: Mapping[str, Array], least_weight: float
    ) -> dict[str, Array]:
        """Return, by predictor, which patients lack it although it carries ``least_weight``."""
        design_ = design(columns, self.terms, self.burden_scale)
        share = self.weight_shares(columns["disease"]) * design_.missing
        by_predictor: dict[str, Array] = {}
        for j, term in enumerate(self.terms):
            before = by_predictor.get(term.predictor, np.zeros(len(share)))
            by_predictor[term.predictor] = before + share[:, j]
        return {name: total > least_weight for name, total in by_predictor.items()}

    def weight_shares(self, disease: Array) -> Array:
        """Return each term's share of the model's weight in each patient, shape (n, n_terms).

        The weight is what a term adds to the variance of the log-odds between patients, so that
        many small effects do not outweigh the few that matter.
        """
        weight = np.tile((self.coefficients * self._spreads) ** 2, (len(disease), 1))
        for j, term in enumerate(self.terms):
            if term.diseases:
                weight[~np.isin(disease, term.diseases), j] = 0.0
        total = weight.sum(axis=1, keepdims=True)
        return np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)

    @cached_property
    def _spreads(self) -> Array:
        return np.array([term.spread for term in self.terms])


def expit(z: Array) -> Array:
    """Return the probability of a log-odds, without overflow; NaN stays NaN."""
    with np.errstate(invalid="ignore"):
        return np.exp(-np.logaddexp(0.0, -z))
