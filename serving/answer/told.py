"""One patient in words, once for every outcome: values, centiles, and what was not measured."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from math import erf, sqrt
from typing import NamedTuple

import orjson
from orjson import Fragment

from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity
from data_schemas.products import DISEASES
from serving.answer.centile_basis import typical_patients
from serving.answer.compiled_terms import PatientTerms, Values
from serving.answer.words import UNITS, absence_of, four_digits, label_of, value_in_words
from serving.model.terms import Term, cells_of_their_own
from serving.model.tumour_burden import BURDEN

NOT_MEASURED = "not measured"
GROUPS = (
    *("inflammation", "tumour", "blood counts", "organ function"),
    *("treatment", "patient", "product", NOT_MEASURED),
)
GROUP_OF: Mapping[str, str] = {n: d.group for n, d in PREDICTORS.items()} | {BURDEN: "tumour"}
"""The group of each predictor, and of tumour burden."""

NO_DIFFERENCE = ": makes no difference to the risk"
NOT_COUNTED = ": not counted; how much it matters for this outcome is not known"
_WITHOUT = "; not counted, for how much they matter here is not known: "
_MOST_PATTERNS = 512


class Measured(NamedTuple):
    """What follows from which predictors were measured.

    ``missing`` and ``known`` are the models' predictors in alphabetical order. The rest is JSON:
    the contributions of the missing ones, the predictors of each group, and the groups to which
    nothing is added.
    """

    missing: tuple[str, ...]
    known: tuple[str, ...]
    nothing: tuple[Fragment, ...]
    members: dict[str, Fragment]
    idle: dict[str, Fragment]


class Told:
    """One patient in words; ``words`` holds each measured predictor with its label and value."""

    __slots__ = ("_idle_ones", "_standing", "_terms", "_typical", "_values", "measured", "words")

    def __init__(
        self, values: Values, terms: PatientTerms, measured: Measured, typical: Mapping[str, str]
    ) -> None:
        """Put a patient into words; ``typical`` says among whom a predictor's centile is taken."""
        self._values = values
        self._terms = terms
        self._typical = typical
        self._standing: dict[str, tuple[int | None, str]] = {}
        self._idle_ones: dict[tuple[str, str], dict[str, object]] = {}
        self.measured = measured
        self.words = _words(values, terms)

    def without_effect(self, name: str, why: str) -> dict[str, object]:
        """Return the contribution of a measured predictor that adds nothing, and why it does not.

        Parameters
        ----------
        why
            ``NO_DIFFERENCE`` or ``NOT_COUNTED``.
        """
        known = self._idle_ones.get((name, why))
        if known is None:
            label, group = ABOUT[name]
            known = self._idle_ones[name, why] = {
                "predictor": name,
                "label": label,
                "group": group,
                "log_odds": 0.0,
                "measured": True,
                "text": self.words[name] + why,
            }
        return known

    def those_given(self, words: Mapping[str, Collection[str]]) -> Collection[str]:
        """Return the predictors whose value is one of their words; without words any value is."""
        values = self._values
        return {name for name, known in words.items() if not known or values.get(name) in known}

    def not_counted(self, counted: Collection[str]) -> str:
        """Name what was given and is not counted, but for diagnoses and plans that are absent."""
        values = self._values
        names = [
            ABOUT[name][0]
            for name in self.measured.known
            if name not in counted and values.get(name) != _ABSENT.get(name)
        ]
        return f"{_WITHOUT}{', '.join(names)}" if names else ""

    def standing(self, name: str) -> tuple[int | None, str]:
        """Return a measured predictor's centile, where it has one, and its words with it."""
        known = self._standing.get(name)
        if known is None:
            known = self._standing[name] = self._placed(name)
        return known

    def _placed(self, name: str) -> tuple[int | None, str]:
        words, distance = self.words[name], self._terms.distance[name]
        if name == BURDEN and self._terms.burden is not None:
            return round(100 * self._terms.burden[1]), words
        if name not in self._typical or distance is None:
            return None, words
        centile = centile_of(distance)
        if centile >= 50:
            return centile, f"{words}, higher than in {centile} % of {self._typical[name]}"
        return centile, f"{words}, lower than in {100 - centile} % of {self._typical[name]}"


class Teller:
    """Puts one patient at a time into words."""

    def __init__(self, terms: tuple[Term, ...]) -> None:
        """Settle what depends on the terms alone."""
        self._names = sorted({term.predictor for term in terms})
        self._typical = {disease: typical_patients(terms, disease) for disease in DISEASES}
        self._typical_of_cell = {
            (product, disease): typical_patients(terms, disease, product)
            for product, disease in cells_of_their_own(terms)
        }
        # A hospital sends the same predictors again and again; only their names are kept.
        self._known = lru_cache(_MOST_PATTERNS)(self._pattern)

    def measured(self, terms: PatientTerms) -> Measured:
        """Return what follows from which predictors were measured."""
        return self._known(tuple(terms.distance), terms.not_asked)

    def told(self, values: Values, terms: PatientTerms, disease: str) -> Told:
        """Return a patient in words."""
        cell = (str(values["product"]), disease)
        typical = self._typical_of_cell.get(cell) or self._typical[disease]
        return Told(values, terms, self.measured(terms), typical)

    def _pattern(self, measured: tuple[str, ...], not_asked: tuple[str, ...]) -> Measured:
        known_of = {*measured, *not_asked}
        missing = tuple(name for name in self._names if name not in known_of)
        known = tuple(name for name in self._names if name in measured)
        members: dict[str, list[str]] = {group: [] for group in GROUPS}
        members["product"].append("product")
        for name in known:
            members[GROUP_OF[name]].append(name)
        members[NOT_MEASURED] += missing
        return Measured(
            missing,
            known,
            tuple(_NOT_MEASURED[name] for name in missing),
            {group: fragment(names) for group, names in members.items()},
            {group: fragment(_idle(group, names)) for group, names in members.items()},
        )


def fragment(data: object) -> Fragment:
    """Return data as JSON that is written as it is."""
    return Fragment(orjson.dumps(data))


def _idle(group: str, names: list[str]) -> dict[str, object]:
    return {"group": group, "log_odds": 0.0, "points": 0, "predictors": names}


def centile_of(distance: float) -> int:
    """Return how many of 100 typical patients have a lower value, 1 to 99, from spreads."""
    return min(max(round(50 * (1 + erf(distance / _ROOT_OF_TWO))), 1), 99)


_ROOT_OF_TWO = sqrt(2)
_OF_NUMBER = {
    name: f"{declared.label.replace('%', '%%')} %s {UNITS[name].replace('%', '%%')}".rstrip()
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Quantity)
}
_OF_WORD: dict[tuple[str, float | str | bool], str] = {
    (name, value): f"{declared.label} {value_in_words(name, value)}"
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Category | Flag)
    for value in (declared.choices if isinstance(declared, Category) else (True, False))
}
ABOUT: Mapping[str, tuple[str, str]] = {n: (label_of(n), group) for n, group in GROUP_OF.items()}
"""Label and group of each predictor, and of tumour burden."""


_ABSENT: Mapping[str, str | bool] = {
    name: declared.choices[0] if isinstance(declared, Category) else False
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Category | Flag)
}
"""The word that says that there is nothing of the kind."""


def _assumed(name: str) -> str:
    """Return what stands for a predictor that is missing: its first word, or the typical value."""
    declared = PREDICTORS.get(name)
    if isinstance(declared, Category):
        return str(value_in_words(name, declared.choices[0]))
    return str(value_in_words(name, False)) if isinstance(declared, Flag) else "typical"


_NOT_MEASURED = {
    name: fragment(
        {
            "predictor": name,
            "label": label,
            "group": group,
            "log_odds": 0.0,
            "measured": False,
            "text": f"{absence_of(name)}; {_assumed(name)} assumed",
        }
    )
    for name, (label, group) in ABOUT.items()
}


def _words(values: Values, terms: PatientTerms) -> dict[str, str]:
    words = {}
    for name in terms.distance:
        if name != BURDEN:
            words[name] = words_of(name, values[name])
    if terms.burden is not None:
        source, percentile = terms.burden
        measured = words_of(source, values[source])
        lower = measured[0].lower() + measured[1:]
        words[BURDEN] = f"Tumour burden percentile {100 * percentile:.0f} ({lower})"
    return words


def words_of(name: str, value: float | str | bool) -> str:
    """Return a predictor's label and value in words."""
    written = _OF_NUMBER.get(name)
    return _OF_WORD[name, value] if written is None else written % four_digits(float(value))
