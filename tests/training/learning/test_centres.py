"""A cohort of several centres is learnt for one that is not among them."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from data_schemas.evidence import load_evidence
from training.cohort import LearningCohort
from training.experiment import read_experiment
from training.learning.centres import CENTRE_SPREAD, of_a_new_centre, site_columns, with_sites
from training.learning.learner import Learnt, learn
from training.learning.posterior import Prior
from training.learning.prior import ModelPrior, evidence_prior
from training.learning.recipes import RECIPES

RECIPE = RECIPES["anchored_ridge"]


@pytest.fixture(scope="module")
def believed(experiment_file: Callable[..., object]) -> ModelPrior:
    return evidence_prior(load_evidence(), read_experiment(experiment_file()))


def centres(build: Callable[..., LearningCohort], shifts: list[float], each: int) -> LearningCohort:
    """Centres of one product that differ by their intercept alone."""
    rng = np.random.default_rng(2)
    n = each * len(shifts)
    shift = np.repeat(shifts, each)
    cohort = build(rng.random(n) < expit(-1.5 + shift), age=np.full(n, 63.0))
    site = np.repeat([f"centre {i}" for i in range(len(shifts))], each).astype(object)
    cohort.site[:] = site
    return cohort


def intercept_sd(learnt: Learnt) -> float:
    """Return the sd of the typical axi-cel patient's log-odds."""
    cell = next(i for i, c in enumerate(learnt.model.cells) if c.product.startswith("axi"))
    row = np.zeros(len(learnt.model.posterior.mean))
    row[[0, 1 + cell]] = 1.0
    return float(np.sqrt(row @ learnt.model.posterior.covariance @ row))


def test_one_centre_needs_no_column_and_adds_nothing() -> None:
    assert site_columns(np.array(["here"] * 3, dtype=object)).shape == (3, 0)
    assert not of_a_new_centre(np.array([0.3, 1.0]), 1, 0).any()


def test_every_patient_of_a_centre_stands_in_its_column() -> None:
    site = np.repeat(np.array(["b", "a", "c"], dtype=object), [20, 10, 30])
    columns = site_columns(site)
    assert columns.sum(axis=0).tolist() == [10, 20, 30]
    np.testing.assert_array_equal(columns.sum(axis=1), 1.0)


def test_one_stray_patient_is_no_second_centre() -> None:
    """By 199 patients of one site and 1 of another nobody learns what centres differ by."""
    stray = np.array(["here"] * 199 + ["there"], dtype=object)
    assert site_columns(stray).shape == (200, 0)
    several = np.array(["here"] * 99 + ["there"] * 100 + ["elsewhere"], dtype=object)
    columns = site_columns(several)
    assert columns.sum(axis=0).tolist() == [99, 100]
    assert columns[-1].tolist() == [0, 0]


def test_centres_come_last_and_are_neither_scaled_nor_effects() -> None:
    prior = with_sites(Prior(np.array([0.0, 0.5]), np.eye(2), np.array([0, 1]), 1), 2)
    assert prior.is_effect.tolist() == [False, True, False, False]
    scaled = prior.scaled(2.0, 3.0)
    assert scaled.mean.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert np.diag(scaled.covariance) == pytest.approx([1, 9, CENTRE_SPREAD**2, CENTRE_SPREAD**2])


def test_many_centres_never_make_a_new_one_certain(
    believed: ModelPrior, cohort_of: Callable[..., LearningCohort]
) -> None:
    several = learn(believed, centres(cohort_of, [0.0] * 4, 500), 1, RECIPE)
    single = learn(believed, centres(cohort_of, [0.0], 2000), 1, RECIPE)
    assert intercept_sd(several) > CENTRE_SPREAD > intercept_sd(single)


def test_a_centre_that_differs_does_not_carry_the_others_away(
    believed: ModelPrior, cohort_of: Callable[..., LearningCohort]
) -> None:
    cohort = centres(cohort_of, [0.0, 0.0, 0.0, 2.0], 300)
    alone = learn(believed, cohort.take(np.flatnonzero(cohort.site != "centre 3")), 1, RECIPE)
    together = learn(believed, cohort, 1, RECIPE)
    moved = together.model.predict(cohort.columns).logit - alone.model.predict(cohort.columns).logit
    pooled_shift = 0.25 * 2.0
    assert 0 < moved.mean() < 1.2 * pooled_shift


def test_the_model_says_for_which_centre_it_is(
    believed: ModelPrior, cohort_of: Callable[..., LearningCohort]
) -> None:
    one = learn(believed, centres(cohort_of, [0.0], 200), 1, RECIPE)
    three = learn(believed, centres(cohort_of, [0.0] * 3, 100), 1, RECIPE)
    assert "for this centre" in one.local_deviation
    assert "for a centre not among these 3" in three.local_deviation
