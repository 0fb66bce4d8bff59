"""The model that answers: evidence anchor, local deviation, shallow trees, recalibration.

On the log-odds scale everything adds up::

    z = a + b * ( intercept + cell(product, disease) + sum_j beta_j t_j + trees(t) )

The intercept, the cells and beta are one Gaussian posterior: with no patients it is the synthesis
of the published evidence, with thousands it is what the cohort says.
There is no ``fit`` here: fitting returns one of these.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Literal

import numpy as np

from serving.model.disease_codes import by_disease, disease_codes
from serving.model.joint_risk import Association
from serving.model.terms import Design, Term, are_read_alike, design, is_missing
from serving.model.trees import TreeEnsemble
from serving.model.tumour_burden import BurdenScale

Array = np.ndarray

STANDARD_NORMAL_95 = 1.6448536269514722
_BLOCK = 4096

Origin = Literal["published", "borrowed", "own cohort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A product in a disease, with its published base rate on the ASTCT scale.

    ``base_rate`` is the mean risk to expect of its patients, ``low`` and ``high`` a 90 % interval
    for the mean of a centre not yet seen. ``origin`` says whether cohorts of the cell itself were
    published, whether it borrows from its like, or whether the rate is that of the model's own
    cohort.
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
        return predictions({self.outcome: self}, columns)[self.outcome]

    def cell_of(self, columns: Mapping[str, Array]) -> Array:
        """Return the index of each patient's cell, -1 outside the model's scope; shape (n,)."""
        pairs = zip(columns["product"], columns["disease"], strict=True)
        cells = map(self._cell_index.get, pairs, repeat(-1))
        return np.fromiter(cells, np.intp, len(columns["product"]))

    @property
    def coefficients(self) -> Array:
        """Posterior means of the terms' coefficients, shape (n_terms,)."""
        return self.posterior.mean[1 + len(self.cells) :]

    @cached_property
    def base(self) -> Array:
        """Log-odds of the typical patient of each cell, shape (n_cells,)."""
        level = self.posterior.mean[0] + self.posterior.mean[1 : 1 + len(self.cells)]
        return self.recalibration.intercept + self.recalibration.slope * (
            level + self.trees.effects.at_reference
        )

    @cached_property
    def variance(self) -> "VarianceParts":
        """What the variance of a patient's own log-odds is made of."""
        covariance, k = self.posterior.covariance, 1 + len(self.cells)
        spreads = np.array([term.spread for term in self.terms])
        cell = covariance[0, 0] + 2 * covariance[0, 1:k] + np.diag(covariance)[1:k]
        return VarianceParts(
            of_cell=cell + self.misfit_sd**2,
            with_cell=2 * (covariance[0, k:] + covariance[1:k, k:]),
            of_terms=np.ascontiguousarray(covariance[k:, k:]),
            if_missing=(self.coefficients**2 + np.diag(covariance)[k:]) * spreads**2,
        )

    @cached_property
    def shares(self) -> Array:
        """Each term's share of the model's weight by disease code, shape (n_diseases + 1, n_terms).

        The weight is what a term adds to the variance of the log-odds between patients, so that
        many small effects do not outweigh the few that matter.
        """
        spreads = np.array([term.spread for term in self.terms])
        applies = np.stack([by_disease(term.applies_in) for term in self.terms], axis=1)
        weight = np.where(applies, (self.coefficients * spreads) ** 2, 0.0)
        total = weight.sum(axis=1, keepdims=True)
        return np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)

    @cached_property
    def _cell_index(self) -> dict[tuple[str, str], int]:
        return {(cell.product, cell.disease): i for i, cell in enumerate(self.cells)}

    def share_by_predictor(self) -> dict[str, Array]:
        """Return by predictor its share of the model's weight by disease code."""
        shares: dict[str, Array] = {}
        for term, share in zip(self.terms, self.shares.T, strict=True):
            shares[term.predictor] = shares.get(term.predictor, 0.0) + share
        return shares

    def missing_main_predictors(
        self, columns: Mapping[str, Array], least_weight: float
    ) -> dict[str, Array]:
        """Return, by predictor, which patients lack it although it carries ``least_weight``."""
        disease = disease_codes(columns)
        first = {term.predictor: term for term in reversed(self.terms)}
        lacking: dict[str, Array] = {}
        for name, share in self.share_by_predictor().items():
            is_main = (share > least_weight)[disease]
            if is_main.any():
                is_main &= is_missing(columns, first[name], self.burden_scale)
            lacking[name] = is_main
        return lacking


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """The variance of a patient's own log-odds, before recalibration, in parts.

    For terms ``t`` in cell ``c``: ``of_cell[c] + with_cell[c] @ t + t @ of_terms @ t``, and
    ``if_missing`` for each term that is missing: what it could have said.
    Shapes (n_cells,), (n_cells, n_terms), (n_terms, n_terms) and (n_terms,).
    """

    of_cell: Array
    with_cell: Array
    of_terms: Array
    if_missing: Array


def predictions(
    models: Mapping[str, RiskModel], columns: Mapping[str, Array]
) -> dict[str, Prediction]:
    """Return what several models say of the same patients; common terms are computed once.

    Patients are taken in blocks that stay in the processor's cache.

    Parameters
    ----------
    columns
        Contract name to canonical values, each of shape (n,).
    """
    n = len(columns["product"])
    cells = {name: model.cell_of(columns) for name, model in models.items()}
    said = {name: _room(model, cells[name]) for name, model in models.items()}
    first = {name: _first_alike(model, models.values()) for name, model in models.items()}
    for start in range(0, n, _BLOCK):
        block = slice(start, start + _BLOCK)
        rows = {name: column[block] for name, column in columns.items()}
        designs = {
            id(model): design(rows, model.terms, model.burden_scale)
            for model in {id(alike): alike for alike in first.values()}.values()
        }
        for name, model in models.items():
            _fill(said[name], block, model, designs[id(first[name])], cells[name][block])
    return said


def _first_alike(model: RiskModel, models: Iterable[RiskModel]) -> RiskModel:
    """Return the first model that reads the same numbers from a patient."""
    return next(
        other
        for other in models
        if other.burden_scale == model.burden_scale and are_read_alike(other.terms, model.terms)
    )


def _room(model: RiskModel, cell: Array) -> Prediction:
    n = len(cell)
    logit, low, high, weight = np.empty((4, n))
    contributions = np.empty((len(model.terms), n)).T
    base = np.append(model.base, np.nan)[cell]
    return Prediction(logit, low, high, base, contributions, weight, cell >= 0)


def _fill(said: Prediction, block: slice, model: RiskModel, design_: Design, cell: Array) -> None:
    """Write the numbers of one block of patients."""
    values, missing = design_.values, design_.missing.T.astype(float)
    slope, variance = model.recalibration.slope, model.variance
    contributions = said.contributions[block]
    np.multiply(values, model.coefficients, out=contributions)
    if len(model.trees):
        contributions += model.trees.contributions(values)
    contributions *= slope
    outside = np.flatnonzero(cell < 0)
    contributions[outside] = np.nan
    said.logit[block] = said.base[block] + contributions.sum(axis=1)
    products = np.vstack([variance.of_terms, variance.with_cell]) @ values.T
    own = np.einsum("ij,ji->i", values, products[: len(model.terms)])
    patient = np.arange(len(cell))
    own += variance.of_cell[cell] + products[len(model.terms) + cell, patient]
    own += variance.if_missing @ missing
    half_width = STANDARD_NORMAL_95 * abs(slope) * np.sqrt(own)
    said.low[block] = said.logit[block] - half_width
    said.high[block] = said.logit[block] + half_width
    said.missing_weight[block] = (model.shares @ missing)[design_.disease, patient]


def expit(z: Array) -> Array:
    """Return the probability of a log-odds, without overflow; NaN stays NaN."""
    with np.errstate(invalid="ignore"):
        return np.exp(-np.logaddexp(0.0, -z))


def expit_of_one(z: float) -> float:
    """Return the probability of one log-odds, without overflow."""
    if z >= 0:
        return 1 / (1 + math.exp(-z))
    odds = math.exp(z)
    return odds / (1 + odds)
