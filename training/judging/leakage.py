"""Which predictor knows too much: how well each one alone separates patients by outcome.

A predictor that separates better than any that is known before an infusion was probably measured,
or coded, or measured at all, because of the outcome.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_schemas.predictors import PREDICTORS
from training.cohort import LearningCohort
from training.evaluation.discrimination import auroc_estimate
from training.evaluation.estimate import Estimate
from training.evaluation.seen import Seen

Array = np.ndarray

FEWEST = 10
"""Patients with, and without, the outcome below whom separation is chance; so few move no effect
of a predictor."""


@dataclass(frozen=True)
class Separation:
    """A predictor and its own AUROC, counted in whichever direction is above 0.5."""

    predictor: str
    by: str
    """"its value" or "whether it was measured"."""
    auroc: Estimate


def strongest_separation(cohort: LearningCohort) -> Separation | None:
    """Return the contract predictor of a cohort that separates best alone.

    All columns count, not only those that a model uses. None where every predictor has fewer than
    ``FEWEST`` patients of a class, or is the same for all.
    """
    found = list(_separations(cohort))
    return max(found, key=lambda s: s.auroc.value or 0.0, default=None)


def _separations(cohort: LearningCohort) -> Iterator[Separation]:
    for name in PREDICTORS:
        column = cohort.columns[name]
        missing = _missing(column)
        ranked = {
            "its value": (_ranked(column[~missing], cohort.outcome[~missing]), ~missing),
            "whether it was measured": (missing.astype(float), np.ones(len(cohort), bool)),
        }
        for by, (value, who) in ranked.items():
            outcome = cohort.outcome[who]
            if min(outcome.sum(), len(outcome) - outcome.sum()) >= FEWEST and np.ptp(value) > 0:
                yield Separation(name, by, _either_way(value, outcome))


def _missing(column: Array) -> Array:
    if column.dtype == object:
        return np.array([value is None for value in column])
    return np.isnan(column)


def _ranked(column: Array, outcome: Array) -> Array:
    """Return numbers as they are, and words as the share of their patients with the outcome."""
    if column.dtype != object:
        return column.astype(float)
    words = column.astype(str)
    share = {word: float(outcome[words == word].mean()) for word in set(words)}
    return np.array([share[word] for word in words])


def _either_way(value: Array, outcome: Array) -> Estimate:
    up, down = (auroc_estimate(Seen.among(sign * value, outcome)) for sign in (1.0, -1.0))
    assert up.value is not None
    return up if up.value >= 0.5 else down
