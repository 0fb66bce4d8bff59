"""From predictors in clinical units to the terms of the model.

A term is one predictor on the scale on which the model is linear: transformed, centred at the
typical patient of its disease, divided by its spread.
A typical value is 0, and so is a missing one: nothing is blamed on what was not measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serving.tumour_burden import BurdenScale, tumour_burden

Array = np.ndarray
Transform = Literal["identity", "log", "log1p", "sqrt", "ldh_ratio", "burden", "is_any_of"]

FARTHEST = 3.5
"""A term is held within this many spreads of typical: no published effect reaches further."""

ASSUMED_LDH_LIMIT_U_L = 250.0
"""Upper limit of normal where the laboratory's own is not given; using it raises a caution."""

DEFAULT_DISEASE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One column of the design.

    ``centre`` gives the transformed typical value by disease, ``"*"`` for all others.
    ``spread`` is the term's own standard deviation between patients: 1 for a quantity, less for a
    word that few patients carry.
    ``diseases`` restricts the term; elsewhere it is 0. ``choices`` are the words that count as 1
    for ``is_any_of``.
    ``direction`` is the sign that the coefficient must keep, 0 for either.
    """

    name: str
    predictor: str
    transform: Transform
    centre: Mapping[str, float]
    scale: float
    spread: float = 1.0
    diseases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    direction: int = 0

    def centre_in(self, disease: Array) -> Array:
        """Return the typical transformed value for each patient, shape (n,)."""
        default = self.centre[DEFAULT_DISEASE]
        return np.array([self.centre.get(code, default) for code in disease])


@dataclass(frozen=True, slots=True)
class Design:
    """The terms of many patients.

    ``values`` and ``missing`` have shape (n_patients, n_terms); a missing or inapplicable term is
    0. ``missing`` is true only where the term would apply.
    """

    values: Array
    missing: Array


def design(
    columns: Mapping[str, Array], terms: tuple[Term, ...], burden_scale: BurdenScale
) -> Design:
    """Build the design from contract columns in canonical units, each of shape (n,)."""
    disease = columns["disease"]
    values = np.zeros((len(disease), len(terms)))
    missing = np.zeros(values.shape, dtype=bool)
    for j, term in enumerate(terms):
        applies = np.isin(disease, term.diseases) if term.diseases else np.ones(len(disease), bool)
        raw = transformed(columns, term, burden_scale)
        known = ~np.isnan(raw)
        scaled = (raw - term.centre_in(disease)) / term.scale
        values[:, j] = np.where(applies & known, np.clip(scaled, -FARTHEST, FARTHEST), 0.0)
        missing[:, j] = applies & ~known
    return Design(values, missing)


def transformed(columns: Mapping[str, Array], term: Term, burden_scale: BurdenScale) -> Array:
    """Return a term's predictor on the term's scale before centring; NaN where missing."""
    if term.transform == "burden":
        return tumour_burden(columns, burden_scale).percentile
    if term.transform == "ldh_ratio":
        return np.log(_floats(columns["ldh"]) / ldh_limit(columns))
    if term.transform == "is_any_of":
        given = columns[term.predictor]
        known = np.array([isinstance(word, str) and word != "unknown" for word in given])
        return np.where(known, np.isin(given, term.choices).astype(float), np.nan)
    return FUNCTIONS[term.transform](_floats(columns[term.predictor]))


def ldh_limit(columns: Mapping[str, Array]) -> Array:
    """Return the LDH upper limit of normal in U/L, the assumed one where none is given."""
    given = _floats(columns["ldh_uln"])
    return np.where(np.isnan(given), ASSUMED_LDH_LIMIT_U_L, given)


def _floats(column: Array) -> Array:
    return np.asarray(column, dtype=float)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
}
