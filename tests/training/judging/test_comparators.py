"""What a model must beat is computed on the same patients, and never from their own outcomes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from data_schemas.evidence import Evidence
from serving.answer.published_scores import PUBLISHED_SCORES
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.experiment import read_experiment
from training.judging.comparators import product_rate, recalibrated, score_values, with_recalibrated
from training.judging.resampling import Fit, cross_validation_folds
from training.learning.learner import learn
from training.learning.prior import evidence_prior
from training.learning.recipes import RECIPES

Array = np.ndarray
Build = Callable[..., LearningCohort]
SCORES = {score.name for score in PUBLISHED_SCORES}


@pytest.fixture(scope="module")
def model(evidence: Evidence, experiment_file: Callable[..., Path]) -> RiskModel:
    prior = evidence_prior(evidence, read_experiment(experiment_file()))
    return learn(prior, None, 1, RECIPES["product_rate"]).model


def drawn(build: Build, n: int = 300) -> LearningCohort:
    """Patients whose risk rises with LDH over platelets."""
    rng = np.random.default_rng(4)
    ldh, platelets = rng.lognormal(5.5, 0.6, n), rng.lognormal(4.8, 0.6, n)
    risk = expit(-1.5 + 1.2 * (np.log(ldh / platelets) - 0.7))
    return build(rng.random(n) < risk, ldh=ldh, platelets=platelets)


def test_the_product_rate_is_the_base_rate_and_unknown_elsewhere(
    model: RiskModel, cohort_of: Build
) -> None:
    cohort = cohort_of(np.zeros(2), disease=["LBCL", "MM"])
    cell = next(
        c for c in model.cells if (c.product, c.disease) == ("axicabtagene_ciloleucel", "LBCL")
    )
    rate = product_rate(model, cohort)
    assert rate[0] == pytest.approx(logit(cell.base_rate))
    assert np.isnan(rate[1])


def test_the_product_rate_is_what_its_recipe_says(model: RiskModel, cohort_of: Build) -> None:
    cohort = cohort_of(np.zeros(3), disease=["LBCL", "PMBCL", "FL"])
    np.testing.assert_allclose(
        product_rate(model, cohort), model.predict(cohort.columns).logit, atol=1e-6
    )


def test_scores_are_computed_where_their_inputs_are(cohort_of: Build) -> None:
    cohort = cohort_of(
        np.zeros(3),
        ldh=np.array([400.0, 400.0, 0.0]),
        creatinine=np.array([1.0, np.nan, 1.0]),
        platelets=np.array([100.0, 100.0, 100.0]),
    )
    values = score_values(cohort)
    assert set(values) == SCORES
    np.testing.assert_allclose(values["easix"], [2.0, np.nan, np.nan])  # log2 of 4; of 0 is none
    np.testing.assert_allclose(values["s_easix"], [2.0, 2.0, np.nan])
    assert np.isnan(values["car_hematotox"]).all()


def test_a_score_becomes_the_log_odds_of_the_other_folds(cohort_of: Build) -> None:
    cohort = drawn(cohort_of)
    value = score_values(cohort)["s_easix"]
    (folds,) = cross_validation_folds(cohort, 3, 1, 1)
    found = recalibrated(value, cohort.outcome, folds)
    for fold in folds:
        x = value[:, None]
        plain = LogisticRegression(C=np.inf, tol=1e-8).fit(x[fold.seen], cohort.outcome[fold.seen])
        np.testing.assert_allclose(
            found[fold.scored], plain.decision_function(x[fold.scored]), atol=5e-3
        )


def test_a_patients_own_outcome_does_not_move_their_log_odds(cohort_of: Build) -> None:
    cohort = drawn(cohort_of)
    value = score_values(cohort)["s_easix"]
    (folds,) = cross_validation_folds(cohort, 3, 1, 1)
    before = recalibrated(value, cohort.outcome, folds)
    mine = folds[0].scored
    flipped = cohort.outcome.copy()
    flipped[mine] = 1 - flipped[mine]
    after = recalibrated(value, flipped, folds)
    np.testing.assert_array_equal(before[mine], after[mine])
    assert (before != after).any()


def test_what_is_missing_stays_missing_and_disturbs_nobody(cohort_of: Build) -> None:
    cohort = drawn(cohort_of)
    value = score_values(cohort)["s_easix"].copy()
    value[:50] = np.nan
    (folds,) = cross_validation_folds(cohort, 3, 1, 1)
    found = recalibrated(value, cohort.outcome, folds)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(value))
    without = [Fit(fold.seen[fold.seen >= 50], fold.scored[fold.scored >= 50]) for fold in folds]
    np.testing.assert_array_equal(found, recalibrated(value, cohort.outcome, without))


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (np.zeros(20), np.arange(20) % 2),
        (np.arange(20.0), np.zeros(20)),
        (np.full(20, np.nan), np.arange(20) % 2),
    ],
    ids=["one value", "one class", "never measured"],
)
def test_what_cannot_be_recalibrated_has_no_log_odds(value: Array, outcome: Array) -> None:
    halves = [Fit(np.arange(10), np.arange(10, 20)), Fit(np.arange(10, 20), np.arange(10))]
    assert np.isnan(recalibrated(value, outcome, halves)).all()


def test_classes_that_part_have_finite_log_odds() -> None:
    value, outcome = np.arange(20.0), (np.arange(20) >= 10).astype(float)
    mixed = [Fit(np.arange(0, 20, 2), np.arange(1, 20, 2))]
    found = recalibrated(value, outcome, mixed)[1::2]
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()
    assert found[0] < -2 < 2 < found[-1] < 40


def test_every_score_and_the_published_stand_beside_each_other(cohort_of: Build) -> None:
    cohort = drawn(cohort_of)
    published = {"product_rate": np.linspace(-2, 0, len(cohort))}
    (folds,) = cross_validation_folds(cohort, 3, 1, 1)
    beside = with_recalibrated(published, cohort, folds)
    assert set(beside) == {"product_rate", "recalibrated_product_rate", *SCORES}
    np.testing.assert_array_equal(beside["product_rate"], published["product_rate"])
    assert with_recalibrated(published, cohort, []) == published
