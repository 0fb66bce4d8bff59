"""Folds of a cross-validation that keep the rows of a patient together.

A bootstrap sample holds copies of patients: a fold that scores a patient of whom the fit has a copy
scores one that it has seen, and tuning by it chooses to overfit.
"""

import numpy as np
from sklearn.model_selection import StratifiedKFold

Array = np.ndarray


def patient_folds(patient: Array, outcome: Array, k: int, seed: int) -> list[tuple[Array, Array]]:
    """Return row indices (learnt from, scored) of ``k`` folds stratified by outcome.

    There are none where fewer than ``k`` patients had the outcome, or had it not.

    Parameters
    ----------
    patient
        A code of each row's patient, shape (n,).
    outcome
        0 or 1, shape (n,); a patient had it who had it in any row.
    """
    person, had = _who_had(patient, outcome)
    if _too_few(had, k):
        return []
    splitter = StratifiedKFold(k, shuffle=True, random_state=seed)
    return [
        (np.flatnonzero(np.isin(person, seen)), np.flatnonzero(np.isin(person, scored)))
        for seen, scored in splitter.split(had, had)
    ]


def why_no_folds(patient: Array, outcome: Array, k: int) -> str | None:
    """Return why :func:`patient_folds` has none, if so."""
    return _too_few(_who_had(patient, outcome)[1], k)


def _who_had(patient: Array, outcome: Array) -> tuple[Array, Array]:
    """Return each row's person, (n,), and whether each person had the outcome."""
    _, person = np.unique(patient, return_inverse=True)
    had = np.zeros(person.max() + 1)
    np.maximum.at(had, person, outcome)
    return person, had


def _too_few(had: Array, k: int) -> str | None:
    for patients, they in ((had.sum(), "had the outcome"), ((1 - had).sum(), "were without it")):
        if patients < k:
            return f"fewer than {k} patients {they}, and each of {k} folds needs one"
    return None
