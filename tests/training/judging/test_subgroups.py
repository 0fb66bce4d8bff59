"""Patients are sorted by words, and who cannot be sorted is said to be."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.cohort import LearningCohort
from training.judging.subgroups import groups_of


def test_everybody_has_a_word_for_everything(cohort_of: Callable[..., LearningCohort]) -> None:
    cohort = cohort_of(
        np.zeros(6),
        age=np.array([17.9, 18.0, 39.0, 64.9, 65.0, np.nan]),
        sex=np.array(["male", "female", None, "male", "male", "male"], dtype=object),
    )
    infused = np.array(["2023-12-31", *["2024-01-01"] * 4, "NaT"], dtype="datetime64[D]")
    groups = groups_of(replace(cohort, infused=infused))
    assert list(groups) == ["site", "product", "disease", "age", "sex", "year"]
    assert groups["age"].tolist() == [
        "under 18",
        "18 to 39",
        "18 to 39",
        "40 to 64",
        "65 or more",
        "not known",
    ]
    assert groups["sex"].tolist()[:3] == ["male", "female", "not known"]
    assert groups["year"].tolist() == ["2023", *["2024"] * 4, "not known"]
    assert set(groups["site"]) == {"here"}
    assert all(isinstance(word, str) for words in groups.values() for word in words)
