"""What a missing predictor could have been: the settings between which it leaves the risk open.

A quantity stands at its 5th and at its 95th centile among typical patients, held within its hard
limits and whole where it counts something; a word may be any of its words.
"""

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from data_schemas.predictors import PREDICTORS, Category, Flag, Quantity
from serving.answer.compiled_terms import UNKNOWN, term_value
from serving.answer.words import UNITS, absence_of, label_of, percent_in_words, value_in_words
from serving.model.inputs import counted_terms
from serving.model.risk_model import STANDARD_NORMAL_95, RiskModel, expit_of_one
from serving.model.terms import ONE_FUNCTIONS, Term

Array = np.ndarray

_BURDEN_ENDS = (0.05, 0.95)
_INVERSE: dict[str, Callable[[float], float]] = {
    "identity": float,
    "log": math.exp,
    "log1p": math.expm1,
    "sqrt": lambda root: root * root,
    "ldh_ratio": math.exp,
    "creatinine_ratio": math.exp,
}
_MULTIPLES = {
    "ldh_ratio": "times the upper limit of normal",
    "creatinine_ratio": "times what is usual at the age",
}
"""What a quantity is a multiple of on the model's scale, in words."""


def settings_in(terms: tuple[Term, ...], disease: str) -> tuple[Array, dict[str, slice]]:
    """Return settings of the terms and, by predictor, which of them are its own.

    Returns
    -------
    array of shape (n_settings, n_terms), mapping
        In each setting one predictor has a value and every other term is 0.
    """
    rows: list[tuple[float, ...]] = []
    places: dict[str, slice] = {}
    for name in dict.fromkeys(term.predictor for term in terms):
        own = {j: t for j, t in enumerate(terms) if t.predictor == name and t.applies_in(disease)}
        start = len(rows)
        for setting in _settings(name, own, disease):
            values = {j: term_value(setting[j], term, disease) for j, term in own.items()}
            rows.append(tuple(values.get(j, 0.0) for j in range(len(terms))))
        places[name] = slice(start, len(rows))
    return np.array(rows).reshape(-1, len(terms)), places


def _settings(name: str, own: Mapping[int, Term], disease: str) -> list[dict[int, float]]:
    """Return the transformed value of each term of a predictor in each setting."""
    declared = PREDICTORS.get(name)
    if isinstance(declared, Category):
        words = [word for word in declared.choices if word != UNKNOWN]
        return [{j: float(word in term.choices) for j, term in own.items()} for word in words]
    if isinstance(declared, Flag):
        return [dict.fromkeys(own, present) for present in (0.0, 1.0)]
    if not own:
        return [{}]
    ends = ends_of(next(iter(own.values())), disease)
    return [{j: ONE_FUNCTIONS[term.transform](raw) for j, term in own.items()} for raw in ends]


def ends_of(term: Term, disease: str) -> tuple[float, float]:
    """Return the 5th and 95th centile of a quantity, in its unit.

    What the model reads as a multiple is given as one, tumour burden as a percentile, 0 to 1.
    """
    if term.transform == "burden":
        return _BURDEN_ENDS
    inverse, centre = _INVERSE[term.transform], term.centre_in(disease)
    low, high = (inverse(centre + k * STANDARD_NORMAL_95 * term.scale) for k in (-1, 1))
    if term.transform in _MULTIPLES:
        return low, high
    declared = PREDICTORS[term.predictor]
    assert isinstance(declared, Quantity)
    least, most = declared.hard
    low, high = (min(max(end, least), most) for end in (low, high))
    return (float(round(low)), float(round(high))) if declared.whole else (low, high)


class OpenRanges:
    """Says in words what each missing predictor of a model leaves open in one disease."""

    def __init__(self, model: RiskModel, disease: str) -> None:
        """Put the settings into words."""
        self._said: dict[str, tuple[str, str]] = {}
        counted = counted_terms(model, disease)
        # Of several terms of a predictor the first one tells its centiles.
        for name, first in {term.predictor: term for term in reversed(counted)}.items():
            declared = PREDICTORS.get(name)
            if declared is None or declared.applies_to(disease):
                if isinstance(declared, Category):
                    between = _with_words(name, declared, counted)
                else:
                    between = _between(first, disease)
                self._said[name] = label_of(name), f"{absence_of(name)}: {between}"

    def of(self, ends: Iterable[tuple[str, float, float]]) -> list[dict[str, object]]:
        """Return the fields of a :class:`RangeIfMeasured` by predictor, widest first.

        Parameters
        ----------
        ends
            Each missing predictor with the least and the greatest log-odds that it leaves open.
        """
        risks = [(expit_of_one(low), expit_of_one(high), name) for name, low, high in ends]
        made = []
        for _, name, low, high in sorted(
            [(low - high, name, low, high) for low, high, name in risks]
        ):
            label, between = self._said[name]
            one, other = percent_in_words(low), percent_in_words(high)
            risk = one if one == other else f"{one} to {other}"
            made.append(
                {
                    "predictor": name,
                    "label": label,
                    "low": low,
                    "high": high,
                    "text": f"{between} the estimate would be {risk} %",
                }
            )
        return made


def _with_words(name: str, declared: Category, counted: list[Term]) -> str:
    """Name the words that differ in what they add; of others no effect is known."""
    own = [word for term in counted if term.predictor == name for word in term.choices]
    words = [w for w in declared.choices if w == declared.choices[0] or w in own]
    known = [str(value_in_words(name, word)) for word in words]
    others = len(known) < len([w for w in declared.choices if w != UNKNOWN])
    said = f"with {', '.join(known[:-1])} or {known[-1]}"
    return f"{said}{' (of others no effect is known)' if others else ','}"


def _between(term: Term, disease: str) -> str:
    if isinstance(PREDICTORS.get(term.predictor), Flag):
        return "whichever it is,"
    if term.transform == "burden":
        return "between its 5th and 95th centile"
    low, high = ends_of(term, disease)
    unit = _MULTIPLES.get(term.transform, UNITS[term.predictor])
    ends = f"{_three_digits(low)} and {_three_digits(high)} {unit}".rstrip()
    return f"between its 5th and 95th centile ({ends})"


def _three_digits(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:.0f}"
