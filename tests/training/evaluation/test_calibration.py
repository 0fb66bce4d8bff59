import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from tests.training.evaluation.conftest import Array, drawn, ones, seen
from training.evaluation.calibration import (
    intercept_estimate,
    observed_over_expected,
    observed_over_expected_estimate,
    slope,
    slope_estimate,
)


def test_observed_over_expected_by_hand() -> None:
    """2 of 4 events, 1.6 expected; SE of the logarithm is sqrt((1 - 2/4) / 2) = 1/2."""
    estimate = observed_over_expected_estimate(
        seen(logit(np.array([0.1, 0.2, 0.6, 0.7])), np.array([0.0, 1.0, 0.0, 1.0]))
    )
    assert estimate.value == pytest.approx(1.25)
    assert estimate.low == pytest.approx(1.25 * np.exp(-1.959963984540054 / 2))
    assert estimate.high == pytest.approx(1.25 * np.exp(1.959963984540054 / 2))


def test_slope_and_intercept_with_their_intervals_are_those_of_statsmodels() -> None:
    z, y = drawn(500, slope=0.7, shift=-0.2)
    binomial = sm.families.Binomial()
    for estimate, fit, place in (
        (slope_estimate(seen(z, y)), sm.GLM(y, sm.add_constant(z), family=binomial), 1),
        (intercept_estimate(seen(z, y)), sm.GLM(y, np.ones(500), family=binomial, offset=z), 0),
    ):
        result = fit.fit(tol=1e-13)
        assert estimate.value == pytest.approx(result.params[place], rel=1e-8)
        assert (estimate.low, estimate.high) == pytest.approx(result.conf_int()[place], rel=1e-7)


@pytest.mark.parametrize("truth", [0.5, 1.0, 1.6])
def test_the_slope_finds_the_truth(truth: float) -> None:
    slopes = [slope(*drawn(3000, slope=truth, seed=s), ones(3000))[0] for s in range(12)]
    assert np.mean(slopes) == pytest.approx(truth, abs=4 * np.std(slopes) / np.sqrt(12))


def test_nineteen_intervals_of_twenty_hold_a_calibrated_model() -> None:
    held = np.zeros(3)
    for seed in range(300):
        judged = seen(*drawn(250, seed=seed))
        for i, (estimate, right) in enumerate(
            (
                (slope_estimate(judged), 1.0),
                (intercept_estimate(judged), 0.0),
                (observed_over_expected_estimate(judged), 1.0),
            )
        ):
            assert estimate.low is not None
            assert estimate.high is not None
            held[i] += estimate.low < right < estimate.high
    assert ((held / 300 > 0.915) & (held / 300 < 0.985)).all()


@given(shift=st.floats(-3, 3))
def test_the_intercept_repairs_what_it_finds(shift: float) -> None:
    z, y = drawn(200)
    found = intercept_estimate(seen(z + shift, y)).value
    assert found is not None
    assert expit(z + shift + found).sum() == pytest.approx(y.sum())
    assert found == pytest.approx(-shift + float(intercept_estimate(seen(z, y)).value or 0))


def test_halving_the_log_odds_doubles_the_slope() -> None:
    z, y = drawn(200)
    whole, half = slope_estimate(seen(z, y)).value, slope_estimate(seen(z / 2, y)).value
    assert whole is not None
    assert half == pytest.approx(2 * whole)


@pytest.mark.parametrize(
    ("z", "y", "why"),
    [
        (np.zeros(6), [0, 1, 0, 1, 0, 0], "one risk"),
        (np.arange(6), [0, 0, 0, 1, 1, 1], "do not overlap"),
        (np.arange(6), [1, 1, 1, 0, 0, 0], "do not overlap"),
        (np.arange(6), [0, 0, 0, 0, 0, 0], "no patient had"),
        (np.arange(6), [1, 1, 1, 1, 1, 1], "every patient had"),
    ],
)
def test_where_no_line_can_be_drawn_it_says_why(z: Array, y: list[float], why: str) -> None:
    estimate = slope_estimate(seen(z.astype(float), np.array(y)))
    assert estimate.value is None
    assert why in str(estimate.reason)


def test_no_event_is_a_ratio_of_nothing_whose_upper_end_is_exact() -> None:
    """Clopper and Pearson's of statsmodels, and the rule of three."""
    estimate = observed_over_expected_estimate(seen(np.zeros(40), np.zeros(40)))
    _, most = proportion_confint(0, 40, method="beta")
    assert (estimate.value, estimate.low, estimate.method) == (0.0, 0.0, "exact")
    assert estimate.high == pytest.approx(most * 40 / 20, rel=1e-12)
    many = observed_over_expected_estimate(seen(np.full(3000, -6.9), np.zeros(3000)))
    assert many.high == pytest.approx(-np.log(0.025) / (3000 * expit(-6.9)), rel=1e-3)
    assert intercept_estimate(seen(np.zeros(4), np.zeros(4))).value is None


def test_equal_risks_have_an_intercept_but_no_slope() -> None:
    y = np.array([1.0, 0, 0, 0])
    assert intercept_estimate(seen(np.zeros(4), y)).value == pytest.approx(logit(0.25))
    assert np.isnan(slope(np.zeros(4), y, ones(4))).all()


def test_a_spread_that_is_rounding_alone_has_no_slope() -> None:
    """The mean of 160 times 0.1 is not 0.1: what is left of the difference is no spread."""
    z, y = np.full(160, 0.1), np.tile([0.0, 0.0, 0.0, 1.0], 40)
    assert z.std() > 0
    assert np.isnan(slope(z, y, ones(160))).all()


def test_weights_are_patients_drawn_again() -> None:
    z, y = drawn(50)
    again = np.r_[0:50, 3, 3, 7]
    weights = np.bincount(again, minlength=50)[None].astype(float)
    assert observed_over_expected(z, y, weights)[0] == pytest.approx(
        y[again].sum() / expit(z[again]).sum()
    )
