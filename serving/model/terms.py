"""From predictors in clinical units to the terms of the model.

A term is one predictor on the scale on which the model is linear: transformed, centred at the
typical patient of its disease, divided by its spread.
A typical value is 0, and so is a missing one: nothing is blamed on what was not measured.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np

from data_schemas.predictors import PREDICTORS
from serving.model.disease_codes import by_disease, disease_codes
from serving.model.tumour_burden import BurdenScale, tumour_burden

Array = np.ndarray
Transform = Literal[
    "identity", "log", "log1p", "sqrt", "ldh_ratio", "creatinine_ratio", "burden", "is_any_of"
]

FARTHEST = 3.5
"""A term is held within this many spreads of typical: no published effect reaches further."""

ASSUMED_LDH_LIMIT_U_L = 250.0
"""Upper limit of normal where the laboratory's own is not given; using it raises a caution."""

USUAL_CREATININE_MG_DL = ((1.0, 14.0, 20.0), (0.26, 0.61, 0.90))
"""Ages in years and the creatinine that is usual at them, linear between, flat beyond.

Ages 1 and 14: reference values of both sexes in Pottel H, Nephrol Dial Transplant 2016;31:798-806
(table 1; unread, taken from the documentation of software that carries it). From 20 years on the
middle of the adult reference range, an assumption as in the typical values.
"""

ADULT_CREATININE_MG_DL = USUAL_CREATININE_MG_DL[1][-1]

DEFAULT_DISEASE = "*"
_IN = " in "


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One column of the design.

    ``centre`` gives the transformed typical value by disease, ``"*"`` for all others, and by
    :func:`of_cell` where the patients of one product in a disease are typically other ones.
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

    def centre_in(self, disease: str, product: str = "") -> float:
        """Return the typical transformed value in a disease, of a product's patients if given."""
        usual = self.centre.get(disease, self.centre[DEFAULT_DISEASE])
        return self.centre.get(of_cell(product, disease), usual)

    def cells_of_their_own(self) -> tuple[tuple[str, str], ...]:
        """Return each product and disease whose patients have a centre of their own."""
        keys = (key.partition(_IN) for key in self.centre)
        return tuple((product, disease) for product, found, disease in keys if found)

    def applies_in(self, disease: str) -> bool:
        """Tell whether the term has a meaning in this disease."""
        return not self.diseases or disease in self.diseases


def of_cell(product: str, disease: str) -> str:
    """Return the key under which a centre of one product's patients in a disease stands."""
    return f"{product}{_IN}{disease}"


def cells_of_their_own(terms: tuple[Term, ...]) -> list[tuple[str, str]]:
    """Return each product and disease of which any term has a centre of its own, in their order."""
    return sorted({cell for term in terms for cell in term.cells_of_their_own()})


def are_read_alike(one: tuple[Term, ...], other: tuple[Term, ...]) -> bool:
    """Tell whether two models read the same numbers from a patient, whatever they make of them."""
    return [_reading(term) for term in one] == [_reading(term) for term in other]


def _reading(term: Term) -> tuple[object, ...]:
    return (
        *(term.predictor, term.transform, term.centre, term.scale),
        *(term.diseases, term.choices),
    )


@dataclass(frozen=True, slots=True)
class Design:
    """The terms of many patients.

    ``values`` and ``missing`` have shape (n_patients, n_terms); a missing or inapplicable term is
    0. ``missing`` is true only where the term would apply and is asked for at the patient's age.
    ``disease`` holds each patient's code.
    """

    values: Array
    missing: Array
    disease: Array


def design(
    columns: Mapping[str, Array], terms: tuple[Term, ...], burden_scale: BurdenScale
) -> Design:
    """Build the design from contract columns in canonical units, each of shape (n,)."""
    disease = disease_codes(columns)
    reading = _Reading(columns, burden_scale)
    values = np.empty((len(terms), len(disease)))
    missing = np.empty(values.shape, dtype=bool)
    for term, value, lacks in zip(terms, values, missing, strict=True):
        raw, unknown = reading.of(term)
        np.subtract(raw, _centres(term, columns, disease), out=value)
        value /= term.scale
        np.clip(value, -FARTHEST, FARTHEST, out=value)
        value[unknown] = 0.0
        lacks[:] = reading.lacks(term, unknown)
        if term.diseases:
            elsewhere = ~by_disease(term.applies_in)[disease]
            value[elsewhere] = 0.0
            lacks[elsewhere] = False
    return Design(values.T, missing.T, disease)


def _centres(term: Term, columns: Mapping[str, Array], disease: Array) -> Array:
    """Return each patient's centre of a term, shape (n,)."""
    centre = np.asarray(by_disease(term.centre_in)[disease], dtype=float)
    for product, own in term.cells_of_their_own():
        theirs = (columns["product"] == product) & (columns["disease"] == own)
        centre[theirs] = term.centre_in(own, product)
    return centre


def is_missing(columns: Mapping[str, Array], term: Term, burden_scale: BurdenScale) -> Array:
    """Return which patients lack a term's predictor, wherever it has a meaning; shape (n,)."""
    reading = _Reading(columns, burden_scale)
    return reading.lacks(term, reading.of(term)[1])


class _Reading:
    """Reads each predictor once, however many terms it has."""

    def __init__(self, columns: Mapping[str, Array], burden_scale: BurdenScale) -> None:
        self.columns = columns
        self.burden_scale = burden_scale
        self.quantities: dict[tuple[str, str], tuple[Array, Array]] = {}
        self.words: dict[str, tuple[list[object], Array, Array]] = {}

    def of(self, term: Term) -> tuple[Array, Array]:
        """Return a term before centring, and where it is unknown; each of shape (n,)."""
        if term.transform == "is_any_of":
            words, codes, unknown = self._coded(term.predictor)
            return np.array([float(word in term.choices) for word in words])[codes], unknown
        key = (term.predictor, term.transform)
        if key not in self.quantities:
            raw = self._transformed(term)
            self.quantities[key] = raw, np.isnan(raw)
        return self.quantities[key]

    def lacks(self, term: Term, unknown: Array) -> Array:
        """Return who lacks a term's predictor of those whom it is unknown of."""
        from_years = asked_from(term.predictor)
        return unknown & ~(_floats(self.columns["age"]) < from_years) if from_years else unknown

    def _coded(self, predictor: str) -> tuple[list[object], Array, Array]:
        if predictor not in self.words:
            column = self.columns[predictor]
            place: defaultdict[object, int] = defaultdict(count().__next__)
            codes = np.fromiter(map(place.__getitem__, column), np.intp, len(column))
            words = list(place)
            unknown = np.array([not isinstance(w, str) or w == "unknown" for w in words], bool)
            self.words[predictor] = words, codes, unknown[codes]
        return self.words[predictor]

    def _transformed(self, term: Term) -> Array:
        if term.transform == "burden":
            return tumour_burden(self.columns, self.burden_scale).percentile
        return transformed(self.columns, term.predictor, term.transform)


def asked_from(predictor: str) -> int:
    """Return the age in years from which patients are asked for a predictor."""
    declared = PREDICTORS.get(predictor)
    return declared.from_years if declared else 0


def transformed(columns: Mapping[str, Array], predictor: str, transform: str) -> Array:
    """Return a quantity on the scale on which models read it, NaN where missing, shape (n,)."""
    values = _floats(columns[predictor])
    if transform == "ldh_ratio":
        return np.log(values / ldh_limit(columns))
    if transform == "creatinine_ratio":
        return np.log(values / usual_creatinine(_floats(columns["age"])))
    return FUNCTIONS[transform](values)


def ldh_limit(columns: Mapping[str, Array]) -> Array:
    """Return the LDH upper limit of normal in U/L, the assumed one where none is given."""
    given = _floats(columns["ldh_uln"])
    return np.where(np.isnan(given), ASSUMED_LDH_LIMIT_U_L, given)


def usual_creatinine(age_years: Array) -> Array:
    """Return the creatinine in mg/dL that is usual at each age, an adult's where it is unknown."""
    ages, values = USUAL_CREATININE_MG_DL
    return np.interp(np.where(np.isnan(age_years), ages[-1], age_years), ages, values)


def _floats(column: Array) -> Array:
    return np.asarray(column, dtype=float)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
}

ONE_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "identity": float,
    "log": math.log,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "ldh_ratio": math.log,
    "creatinine_ratio": math.log,
    "burden": float,
}
"""The transforms of a quantity for one number, which is a multiple where they read it as one."""

_TYPICALLY_A_MULTIPLE_OF = {
    "ldh_ratio": ASSUMED_LDH_LIMIT_U_L,
    "creatinine_ratio": ADULT_CREATININE_MG_DL,
}


def transformed_typical(value: float, transform: str) -> float:
    """Return a typical value in its own unit on the scale of a model."""
    return ONE_FUNCTIONS[transform](value / _TYPICALLY_A_MULTIPLE_OF.get(transform, 1.0))
