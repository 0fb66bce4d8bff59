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
    _, person = np.unique(patient, return_inverse=True)
    had = np.zeros(person.max() + 1)
    np.maximum.at(had, person, outcome)
    if min(had.sum(), len(had) - had.sum()) < k:
        return []
    splitter = StratifiedKFold(k, shuffle=True, random_state=seed)
    return [
        (np.flatnonzero(np.isin(person, seen)), np.flatnonzero(np.isin(person, scored)))
        for seen, scored in splitter.split(had, had)
    ]
