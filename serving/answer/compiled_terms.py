"""One patient on the scale of the models, in plain floats.

What :func:`serving.model.terms.design` does for a table, for one.

What depends on a disease alone is settled beforehand: which terms apply, around which centre.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from data_schemas.predictors import PREDICTORS, Category
from data_schemas.products import DISEASES
from serving.model.terms import (
    ASSUMED_LDH_LIMIT_U_L,
    FARTHEST,
    ONE_FUNCTIONS,
    USUAL_CREATININE_MG_DL,
    Term,
    asked_from,
    cells_of_their_own,
)
from serving.model.tumour_burden import BURDEN, MUCH_HIGHER, SOURCES, BurdenScale

Array = np.ndarray

UNKNOWN = "unknown"

Values = Mapping[str, float | str | bool]


class PatientTerms(NamedTuple):
    """One patient as the models see them.

    ``values`` holds the terms, shape (n_terms,), 0 where missing or not applicable; ``places`` are
    those that are not 0, with the predictor of each.
    ``distance`` holds, for each predictor that was measured, how many spreads it lies from typical,
    or None for a word. ``burden`` is the measure that was used and its percentile, 0 to 1;
    ``burdens_disagree`` tells whether another one stands much higher. ``not_asked`` are those that
    are neither measured nor missing, at the patient's age.
    """

    values: Array
    places: list[tuple[int, str]]
    distance: dict[str, float | None]
    burden: tuple[str, float] | None
    burdens_disagree: bool
    not_asked: tuple[str, ...]


class _Quantity(NamedTuple):
    function: Callable[[float], float]
    usual: Callable[[Values], float] | None
    """What it is read as a multiple of, where it is read as one."""
    parts: tuple[tuple[int, float, float], ...]
    """Place, centre and scale of each term that applies."""


class _Disease(NamedTuple):
    quantities: dict[str, _Quantity]
    words: dict[str, dict[str, tuple[tuple[int, float], ...]]]
    """By predictor and word: place and value of each term."""
    burden: tuple[str, ...]


class CompiledTerms:
    """Reads one patient at a time."""

    def __init__(self, terms: tuple[Term, ...], burden_scale: BurdenScale) -> None:
        """Settle what depends on the disease alone."""
        self.terms = terms
        self.burden_scale = burden_scale
        self.predictors = tuple(dict.fromkeys(term.predictor for term in terms))
        self._diseases = {disease: self._in_disease(disease) for disease in DISEASES}
        own = cells_of_their_own(terms)
        self._cells = {cell: self._in_disease(cell[1], product=cell[0]) for cell in own}
        self._asked_from = {n: asked_from(n) for n in self.predictors if asked_from(n)}

    def read(self, given: Values, disease: str) -> PatientTerms:
        """Return a patient of a disease, from values in canonical units."""
        known = self._cells.get((str(given["product"]), disease)) or self._diseases[disease]
        burdens = self._burdens(given, known.burden)
        burden = burdens[0] if burdens else None
        disagree = len(burdens) > 1 and _stands_out(burdens)
        entries = [*given.items(), (BURDEN, burden[1])] if burden else given.items()
        values = [0.0] * len(self.terms)
        places: list[tuple[int, str]] = []
        distance: dict[str, float | None] = {}
        for name, value in entries:
            if (quantity := known.quantities.get(name)) is not None:
                function, usual, parts = quantity
                raw = function(float(value) if usual is None else float(value) / usual(given))
                distance[name] = None
                for place, centre, scale in parts:
                    distance[name] = away = (raw - centre) / scale
                    if away:
                        values[place] = min(max(away, -FARTHEST), FARTHEST)
                        places.append((place, name))
            elif (words := known.words.get(name)) is not None and value != UNKNOWN:
                distance[name] = None
                for place, term in words.get(str(value), ()):
                    values[place] = term
                    places.append((place, name))
        not_asked = self._not_asked(given)
        return PatientTerms(np.array(values), places, distance, burden, disagree, not_asked)

    def _not_asked(self, given: Values) -> tuple[str, ...]:
        age = float(given.get("age", math.inf))
        return tuple(
            [name for name, years in self._asked_from.items() if age < years and name not in given]
        )

    def _burdens(self, given: Values, measures: tuple[str, ...]) -> list[tuple[str, float]]:
        """Return each measure of burden that was given with its percentile, best first."""
        known, levels = self.burden_scale.values, self.burden_scale.percentiles
        return [
            (measure, _interpolated(float(given[measure]), known[measure], levels[measure]))
            for measure in measures
            if measure in given
        ]

    def _in_disease(self, disease: str, product: str = "") -> _Disease:
        quantities, words = {}, {}
        for name in self.predictors:
            own = [(j, t) for j, t in enumerate(self.terms) if t.predictor == name]
            if own[0][1].transform == "is_any_of":
                words[name] = _words(own, disease)
            else:
                parts = tuple(
                    (j, term.centre_in(disease, product), term.scale)
                    for j, term in own
                    if term.applies_in(disease)
                )
                transform = own[0][1].transform
                function = ONE_FUNCTIONS[transform]
                quantities[name] = _Quantity(function, _USUAL.get(transform), parts)
        measures = SOURCES.get(disease, ()) if BURDEN in quantities else ()
        return _Disease(quantities, words, measures)


def _stands_out(burdens: list[tuple[str, float]]) -> bool:
    return max([level for _, level in burdens]) - burdens[0][1] > MUCH_HIGHER


def ldh_limit(given: Values) -> float:
    """Return the LDH upper limit of normal in U/L, the assumed one where none is given."""
    return float(given.get("ldh_uln", ASSUMED_LDH_LIMIT_U_L))


def usual_creatinine(given: Values) -> float:
    """Return the creatinine in mg/dL that is usual at the patient's age, if known."""
    ages, values = USUAL_CREATININE_MG_DL
    return _interpolated(float(given.get("age", ages[-1])), ages, values)


_USUAL: dict[str, Callable[[Values], float]] = {
    "ldh_ratio": ldh_limit,
    "creatinine_ratio": usual_creatinine,
}


def _words(own: list[tuple[int, Term]], disease: str) -> dict[str, tuple[tuple[int, float], ...]]:
    declared = PREDICTORS[own[0][1].predictor]
    assert isinstance(declared, Category)
    return {
        word: tuple(
            (j, value)
            for j, term in own
            if term.applies_in(disease)
            and (value := term_value(float(word in term.choices), term, disease))
        )
        for word in declared.choices
        if word != UNKNOWN
    }


def term_value(transformed: float, term: Term, disease: str) -> float:
    """Return a term from its transformed predictor: centred, scaled and held within limits."""
    distance = (transformed - term.centre_in(disease)) / term.scale
    return min(max(distance, -FARTHEST), FARTHEST)


def _interpolated(value: float, known: tuple[float, ...], levels: tuple[float, ...]) -> float:
    """Return a level linear between knots and flat beyond them, as ``numpy.interp`` does."""
    above = bisect_right(known, value)
    if above == 0:
        return levels[0]
    if above == len(known):
        return levels[-1]
    slope = (levels[above] - levels[above - 1]) / (known[above] - known[above - 1])
    return slope * (value - known[above - 1]) + levels[above - 1]
