"""Predictors by the names that people know them by."""

import numpy as np

from data_schemas.predictors import PREDICTORS, Category, Flag
from serving.answer.published_scores import PUBLISHED_SCORES
from serving.answer.words import UNITS
from serving.model.tumour_burden import BURDEN

Array = np.ndarray

_POWERS = {"10*9/L": "10⁹/L", "10*6/kg": "10⁶/kg"}
_ABBREVIATED = {"B_ALL": "B-ALL", "CLL_SLL": "CLL/SLL"}
BURDEN_UNIT = "percentile of its disease"


def unit_of(predictor: str) -> str:
    """Return a quantity's unit as a clinician writes it, nothing for words."""
    if predictor == BURDEN:
        return BURDEN_UNIT
    unit = UNITS.get(predictor, "")
    return _POWERS.get(unit, unit)


def words_of(predictor: str) -> tuple[str, ...]:
    """Return the words that a patient may carry, none for a quantity."""
    declared = PREDICTORS.get(predictor)
    if isinstance(declared, Category):
        return declared.choices
    return ("no", "yes") if isinstance(declared, Flag) else ()


def said(word: str) -> str:
    """Return a word of the contract as prose."""
    return _ABBREVIATED.get(word, word.replace("_", " "))


def prediction_label(name: str) -> str:
    """Return the name of what a model is compared with."""
    scores = {score.name: score.label for score in PUBLISHED_SCORES}
    return scores.get(name, said(name))


def short(label: str) -> str:
    """Return a label without what stands in brackets, for where there is little room."""
    return label.partition(" (")[0]


def in_words(column: Array) -> Array:
    """Return a column of flags or categories as words, None where missing, shape (n,)."""
    flags = {1.0: "yes", 0.0: "no"}
    if column.dtype == object:
        return np.array([None if w in (None, "unknown") else w for w in column], dtype=object)
    return np.array([flags.get(float(value)) for value in column], dtype=object)
