"""A predictor that separates alone is found, whichever way and for whatever reason it does."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from training.cohort import LearningCohort
from training.judging.leakage import FEWEST, strongest_separation

CohortBuilder = Callable[..., LearningCohort]
PATIENTS = 200


@pytest.fixture
def outcome() -> np.ndarray:
    return (np.random.default_rng(4).random(PATIENTS) < 0.2).astype(float)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 10, PATIENTS)


def test_the_strongest_predictor_has_the_auroc_of_scikit_learn(
    cohort_of: CohortBuilder, outcome: np.ndarray
) -> None:
    ferritin = noise(1) + 15 * outcome
    found = strongest_separation(cohort_of(outcome, ferritin=ferritin, crp=noise(2)))
    assert found is not None
    assert (found.predictor, found.by) == ("ferritin", "its value")
    assert found.auroc.value == pytest.approx(roc_auc_score(outcome, ferritin), abs=1e-12)


def test_a_low_value_gives_away_as_much_as_a_high_one(
    cohort_of: CohortBuilder, outcome: np.ndarray
) -> None:
    platelets = noise(1) - 15 * outcome
    found = strongest_separation(cohort_of(outcome, platelets=platelets))
    assert found is not None
    assert found.auroc.value == pytest.approx(1 - roc_auc_score(outcome, platelets), abs=1e-12)


def test_words_count_by_the_share_of_their_patients(
    cohort_of: CohortBuilder, outcome: np.ndarray
) -> None:
    infection = np.where(outcome == 1, "uncontrolled", "none").astype(object)
    found = strongest_separation(cohort_of(outcome, active_infection=infection, crp=noise(2)))
    assert found is not None
    assert (found.predictor, found.auroc.value) == ("active_infection", 1.0)


def test_being_measured_at_all_counts(cohort_of: CohortBuilder, outcome: np.ndarray) -> None:
    ldh = np.where(outcome == 1, noise(1), np.nan)
    ldh[:20] = noise(1)[:20]
    found = strongest_separation(cohort_of(outcome, ldh=ldh))
    assert found is not None
    assert (found.predictor, found.by) == ("ldh", "whether it was measured")
    assert found.auroc.value is not None
    assert found.auroc.value > 0.9


def test_few_events_give_nothing_away(cohort_of: CohortBuilder) -> None:
    outcome = np.zeros(PATIENTS)
    outcome[: FEWEST - 1] = 1
    assert strongest_separation(cohort_of(outcome, ferritin=100 + outcome)) is None
    outcome[:FEWEST] = 1
    assert strongest_separation(cohort_of(outcome, ferritin=100 + outcome)) is not None


def test_what_is_the_same_for_all_is_no_predictor(
    cohort_of: CohortBuilder, outcome: np.ndarray
) -> None:
    assert strongest_separation(cohort_of(outcome, ferritin=np.full(PATIENTS, 3.0))) is None
