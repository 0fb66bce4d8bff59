import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from tests.training.evaluation.conftest import Array, drawn, ones
from training.evaluation.logistic import covariance, fit_logistic


def design(z: Array) -> Array:
    return np.column_stack([np.ones(len(z)), z, z**2 / 3])


def test_each_row_of_weights_is_the_fit_of_a_bootstrap_sample() -> None:
    z, y = drawn(300)
    weights = np.random.default_rng(1).multinomial(300, [1 / 300] * 300, size=4).astype(float)
    found = fit_logistic(design(z), y, weights)
    for row, w in zip(found, weights, strict=True):
        reference = sm.GLM(y, design(z), family=sm.families.Binomial(), freq_weights=w)
        np.testing.assert_allclose(row, reference.fit(tol=1e-12).params, rtol=1e-8)


def test_outcomes_may_differ_by_row_and_an_offset_is_kept() -> None:
    z, y = drawn(300)
    other = drawn(300, seed=5)[1]
    X, both = np.ones((300, 1)), np.stack([y, other])
    found = fit_logistic(X, both, np.ones((2, 300)), offset=z)
    for value, outcome in zip(found, both, strict=True):
        reference = sm.GLM(outcome, X, family=sm.families.Binomial(), offset=z).fit(tol=1e-12)
        np.testing.assert_allclose(value, reference.params, rtol=1e-8)


def test_the_covariance_is_that_of_the_fisher_information() -> None:
    z, y = drawn(300)
    fit = sm.GLM(y, design(z), family=sm.families.Binomial()).fit(tol=1e-12)
    np.testing.assert_allclose(covariance(design(z), 0.0, fit.params), fit.cov_params(), rtol=1e-5)


@pytest.mark.parametrize(
    "y",
    [np.zeros(6), np.ones(6), np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 0, 0, 0])],
    ids=["no event", "only events", "separated", "separated the wrong way round"],
)
def test_without_a_finite_maximum_there_is_no_number(y: Array) -> None:
    X = np.column_stack([np.ones(6), np.linspace(-1, 1, 6)])
    assert np.isnan(fit_logistic(X, y.astype(float), ones(6))).all()


def test_one_row_without_an_event_does_not_disturb_the_others() -> None:
    z, y = drawn(100)
    X = np.column_stack([np.ones(100), z])
    weights = np.stack([np.ones(100), 1 - y])
    found = fit_logistic(X, y, weights)
    np.testing.assert_array_equal(found[0], fit_logistic(X, y, ones(100))[0])
    assert np.isnan(found[1]).all()


@settings(deadline=None, max_examples=60)
@given(away=st.floats(-6, 6), outlier=st.floats(-60, 60), seed=st.integers(0, 1000))
def test_from_far_away_the_score_equations_hold(away: float, outlier: float, seed: int) -> None:
    z, y = drawn(80, seed=seed)
    z[0] = outlier
    X = np.column_stack([np.ones(80), (z - z.mean()) / z.std()])
    (beta,) = fit_logistic(X, y, ones(80), start=np.array([away, -away]))
    np.testing.assert_allclose(X.T @ (y - expit(X @ beta)), 0, atol=1e-8)
