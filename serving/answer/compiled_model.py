"""One model for one patient: :func:`serving.model.risk_model.predictions` for one, in plain floats.

What depends on the cell or on the disease alone is a table made at start.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from data_schemas.products import DISEASES
from serving.answer.compiled_terms import PatientTerms
from serving.answer.compiled_trees import CompiledTrees, Moves
from serving.answer.open_range import settings_in
from serving.model.disease_codes import disease_codes
from serving.model.risk_model import STANDARD_NORMAL_95, RiskModel

Array = np.ndarray

_MOST_PATTERNS = 512


class Said(NamedTuple):
    """What the model says of one patient, in log-odds.

    See :class:`serving.model.risk_model.Prediction`.

    ``contributions`` holds each predictor that adds something; ``cells`` is the patient's place in
    the trees.
    """

    logit: float
    low: float
    high: float
    base: float
    contributions: dict[str, float]
    missing_weight: float
    cells: Array | None


class _Disease(NamedTuple):
    open_ends: dict[str, slice]
    """By predictor, the settings in which it is no longer missing."""
    open_log_odds: list[float]
    """What each setting adds by the linear part."""
    open_moves: Moves | None


class CompiledModel:
    """A model that answers for one patient at a time."""

    def __init__(self, model: RiskModel) -> None:
        """Settle what depends on cell or disease alone."""
        self.model = model
        self.cell_index = {(c.product, c.disease): i for i, c in enumerate(model.cells)}
        self._slope = model.recalibration.slope
        self._base = model.base.tolist()
        self._effects = self._slope * model.coefficients
        self._trees = (
            CompiledTrees(model.trees.effects, len(model.terms)) if len(model.trees) else None
        )
        self._variance_of_cell = model.variance.of_cell.tolist()
        self._variance = model.variance.of_terms
        self._variance_with_cell = list(model.variance.with_cell)
        # A hospital sends the same predictors again and again; only their names are kept.
        self._if_missing = lru_cache(_MOST_PATTERNS)(self._lacking)
        self._half_width = STANDARD_NORMAL_95 * abs(self._slope)
        self._diseases = {disease: self._in_disease(disease) for disease in DISEASES}

    def say(self, cell: int, disease: str, patient: PatientTerms, missing: tuple[str, ...]) -> Said:
        """Return what the model says of a patient in a cell.

        Parameters
        ----------
        missing
            The model's predictors that were not measured.
        """
        values, cells = patient.values, None
        added = self._effects * values
        if self._trees is not None:
            cells = self._trees.cells(values)
            added += self._slope * self._trees.contributions(cells)
        each = added.tolist()
        contributions: dict[str, float] = {}
        for place, name in patient.places:
            contributions[name] = contributions.get(name, 0.0) + each[place]
        base = self._base[cell]
        logit = base + sum(each)
        weight, variance = self._if_missing(disease, missing)
        variance += float(self._variance @ values @ values)
        variance += self._variance_of_cell[cell] + float(self._variance_with_cell[cell] @ values)
        half_width = self._half_width * math.sqrt(variance)
        return Said(
            logit, logit - half_width, logit + half_width, base, contributions, weight, cells
        )

    def open_ends(
        self, disease: str, said: Said, missing: Iterable[str]
    ) -> list[tuple[str, float, float]]:
        """Return the least and the greatest log-odds that each missing predictor leaves open.

        A predictor to which the model gives no weight leaves nothing open and is not in it.
        """
        known, logit = self._diseases[disease], said.logit
        added = known.open_log_odds
        if known.open_moves is not None and self._trees is not None and said.cells is not None:
            moved = self._slope * self._trees.moved(said.cells, known.open_moves)
            added = (moved + added).tolist()
        ends = []
        for name in missing:
            if (place := known.open_ends.get(name)) is not None:
                own = added[place]
                ends.append((name, logit + min(own), logit + max(own)))
        return ends

    def _lacking(self, disease: str, missing: tuple[str, ...]) -> tuple[float, float]:
        """Return the share of the model's weight and the variance of what is missing."""
        shares = self.model.shares[int(disease_codes({"disease": np.array([disease])})[0])]
        lacks = [
            j
            for j, term in enumerate(self.model.terms)
            if term.predictor in missing and term.applies_in(disease)
        ]
        return float(shares[lacks].sum()), float(self.model.variance.if_missing[lacks].sum())

    def _in_disease(self, disease: str) -> _Disease:
        settings, ends = settings_in(self.model.terms, disease)
        moves = self._trees.moves(settings) if self._trees is not None and len(settings) else None
        added = settings @ self._effects
        stirred = set() if moves is None else set(moves.setting.tolist())
        stirred |= set(np.flatnonzero(added).tolist())
        open_ends = {
            name: place
            for name, place in ends.items()
            if stirred & set(range(place.start, place.stop))
        }
        return _Disease(open_ends, added.tolist(), moves)
