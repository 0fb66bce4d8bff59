"""Diseases as small numbers, so that what depends on a disease is one look-up for a whole table."""

from collections.abc import Callable, Mapping
from itertools import repeat

import numpy as np

from data_schemas.products import DISEASES

Array = np.ndarray

_CODES = {disease: code for code, disease in enumerate(DISEASES)}
_CODED = (*DISEASES, "")
"""The diseases in the order of their codes; the last stands for one that the contract lacks."""


def disease_codes(columns: Mapping[str, Array]) -> Array:
    """Return each patient's disease as its code, shape (n,)."""
    disease = columns["disease"]
    return np.fromiter(map(_CODES.get, disease, repeat(len(_CODES))), np.intp, len(disease))


def by_disease(rule: Callable[[str], object]) -> Array:
    """Return what a rule gives for every disease, by code; first axis of length n_diseases + 1."""
    return np.array([rule(disease) for disease in _CODED])
