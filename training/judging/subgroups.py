"""The words by which patients are sorted, to see whether a model holds for each kind of them."""

import numpy as np

from training.cohort import LearningCohort

Array = np.ndarray

AGE_BANDS = {18.0: "under 18", 40.0: "18 to 39", 65.0: "40 to 64", np.inf: "65 or more"}
"""Years below which a patient belongs to a band."""

NOT_KNOWN = "not known"


def groups_of(cohort: LearningCohort) -> dict[str, Array]:
    """Return "site", "product", "disease", "age", "sex" and "year", each words of shape (n,)."""
    return {
        "site": _words(cohort.site),
        "product": _words(cohort.columns["product"]),
        "disease": _words(cohort.columns["disease"]),
        "age": _age_bands(np.asarray(cohort.columns["age"], dtype=float)),
        "sex": _words(cohort.columns["sex"]),
        "year": _words(cohort.infused.astype("datetime64[Y]").astype(str)),
    }


def _words(values: Array) -> Array:
    unknown = (None, "", "NaT")
    words = [NOT_KNOWN if v in unknown else str(v) for v in values.astype(object)]
    return np.array(words, dtype=object)


def _age_bands(years: Array) -> Array:
    limits, words = np.array(list(AGE_BANDS)), np.array([*AGE_BANDS.values()], dtype=object)
    band = np.minimum(np.searchsorted(limits, years, side="right"), len(words) - 1)
    return np.where(np.isnan(years), NOT_KNOWN, words[band])
