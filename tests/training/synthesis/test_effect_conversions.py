"""Every published contrast, read as what it is, gives back the slope that made it."""

from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from training.synthesis import effect_conversions as convert
from training.synthesis.effect_conversions import Effect

ratios = st.floats(0.05, 20.0)


# ---- Errors ----------------------------------------------------------------------------


@given(ratio=ratios, error=st.floats(0.02, 1.5))
def test_the_interval_gives_back_its_error(ratio: float, error: float) -> None:
    low, high = (exp(log(ratio) + k * 1.959964 * error) for k in (-1, 1))
    assert convert.log_ratio_error(ratio, low, high) == pytest.approx(error, rel=1e-5)


@given(ratio=ratios.filter(lambda r: abs(log(r)) > 0.05), error=st.floats(0.1, 1.0))
def test_a_two_sided_p_gives_back_its_error(ratio: float, error: float) -> None:
    z = abs(log(ratio)) / error
    p = 2 * (1 - NormalDist().cdf(z))
    if 1e-9 < p < 1:
        assert convert.log_ratio_error(ratio, None, None, p) == pytest.approx(error, rel=1e-4)


def test_interval_and_p_of_one_published_row_agree() -> None:
    # Ferritin above 1500 ng/mL: OR 3.4 (1.5-7.6), p = 0.003.
    from_interval = convert.log_ratio_error(3.4, 1.5, 7.6)
    assert from_interval == pytest.approx(convert.log_ratio_error(3.4, None, None, 0.003), rel=0.02)


@pytest.mark.parametrize("p", [None, 0.04])
def test_without_anything_to_tell_it_the_error_is_the_default(p: float | None) -> None:
    assert convert.log_ratio_error(1.0, None, None, p) == convert.DEFAULT_ERROR
    assert convert.log_ratio_error(2.0, None, 3.0) == convert.DEFAULT_ERROR


# ---- Slopes ----------------------------------------------------------------------------


def test_easix_per_doubling_is_its_published_coefficient() -> None:
    # Korell 2022: odds ratio 1.72 per two-fold EASIX, coefficient 0.542 per log2 unit.
    effect = convert.per_doubling(1.72, 0.17, spread=log(2))
    assert effect.estimate == pytest.approx(0.542, abs=5e-4)
    assert effect.error == pytest.approx(0.17)


def test_two_spreads_are_twice_one_spread() -> None:
    one, two = (convert.per_doubling(1.72, 0.17, spread) for spread in (0.5, 1.0))
    assert two == pytest.approx((2 * one.estimate, 2 * one.error))


def test_per_unit_multiplies_by_the_units_in_a_spread() -> None:
    # 1.03 per year is 1.03 ** 12 per spread of 12 years, and 1.03 ** 10 per decade.
    assert convert.per_unit(1.03, 0.01, 1.0, 12.0).estimate == pytest.approx(log(1.03**12))
    per_decade = convert.per_unit(1.03**10, 0.1, 10.0, 12.0)
    assert per_decade == pytest.approx((log(1.03**12), 0.12))


@pytest.mark.parametrize("share_below", [0.15, 0.5, 0.8])
@pytest.mark.parametrize("slope", [-0.4, 0.6])
def test_a_dichotomised_gaussian_gives_back_its_slope(slope: float, share_below: float) -> None:
    rng = np.random.default_rng(3)
    centre, spread = 5.8, 1.48
    x = rng.normal(centre, spread, 400_000)
    y = rng.random(len(x)) < expit(-2.0 + slope * (x - centre) / spread)
    cut = centre + spread * convert.quantile(share_below)
    a, b, c, d = (np.sum(group & event) for group in (x > cut, x <= cut) for event in (y, ~y))
    effect = convert.above_threshold(
        a * d / (b * c), sqrt(sum(1 / k for k in (a, b, c, d))), cut, centre, spread
    )
    assert effect.error < 0.02
    assert effect.estimate == pytest.approx(slope, abs=3 * effect.error + 0.08 * abs(slope))


def test_a_threshold_is_never_read_as_one_spread() -> None:
    # The halves of a Gaussian lie 1.6 spreads apart, so a median split is divided by 1.6.
    effect = convert.above_threshold(exp(1.596), 0.5, threshold=0.0, centre=0.0, spread=1.0)
    assert effect.estimate == pytest.approx(1.0, abs=1e-3)
    assert effect.error == pytest.approx(0.5 / 1.596, abs=1e-3)


def _logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Maximum likelihood slope and its standard error, by Newton's method."""
    X = np.column_stack([np.ones_like(x), x])
    theta = np.zeros(2)
    for _ in range(25):
        p = expit(X @ theta)
        hessian = (X * (p * (1 - p))[:, None]).T @ X
        theta = theta + np.linalg.solve(hessian, X.T @ (y - p))
    return theta[1], sqrt(np.linalg.inv(hessian)[1, 1])


def test_a_z_value_gives_back_the_slope_whatever_the_unit_was() -> None:
    rng = np.random.default_rng(4)
    n, slope, estimates = 367, 0.3, []
    for _ in range(200):
        x = rng.standard_normal(n)
        y = (rng.random(n) < expit(-1.4 + slope * x)).astype(float)
        per_unit, error = _logistic(x * 37.0, y)  # the paper's unit is a 37th of a spread
        effect = convert.standardised_from_z(exp(per_unit), error, n, float(y.mean()))
        estimates.append(effect.estimate)
    error_of_mean = np.std(estimates) / sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(slope, abs=4 * error_of_mean)
    assert np.std(estimates) == pytest.approx(effect.error, rel=0.15)


# ---- Hazards and percentages -------------------------------------------------------------


def test_a_hazard_ratio_of_one_is_an_odds_ratio_of_one() -> None:
    assert convert.hazard_to_odds_ratio(1.0, 0.43) == pytest.approx(1.0)


def test_a_doubled_hazard_at_a_risk_of_one_half_is_odds_of_three_to_one() -> None:
    assert convert.hazard_to_odds_ratio(2.0, 0.5) == pytest.approx(3.0)


def test_the_hazard_ratio_of_a_rare_event_is_its_odds_ratio() -> None:
    assert convert.hazard_to_odds_ratio(2.0, 1e-6) == pytest.approx(2.0, rel=1e-5)


def test_percentages_give_the_odds_ratio_of_their_table() -> None:
    # 20 of 100 against 10 of 50, half a patient added to each of the four cells.
    ratio, error = convert.odds_ratio_of_percentages(20.0, 100, 10.0, 50)
    assert ratio == pytest.approx((20.5 / 80.5) / (5.5 / 45.5))
    assert error == pytest.approx(sqrt(1 / 20.5 + 1 / 80.5 + 1 / 5.5 + 1 / 45.5))


def test_a_group_without_events_has_a_finite_odds_ratio() -> None:
    ratio, error = convert.odds_ratio_of_percentages(0.0, 38, 11.0, 101)
    assert 0 < ratio < 1
    assert error > 1


# ---- Pooling and separation ----------------------------------------------------------------


def test_pooling_is_the_inverse_variance_mean() -> None:
    pooled = convert.pooled([Effect(0.2, 0.1), Effect(0.8, 0.3)], heterogeneity=0.2)
    weights = np.array([1 / (0.1**2 + 0.2**2), 1 / (0.3**2 + 0.2**2)])
    assert pooled.estimate == pytest.approx(np.average([0.2, 0.8], weights=weights))
    assert pooled.error == pytest.approx(1 / sqrt(weights.sum()))


def test_a_single_study_keeps_its_estimate_but_not_its_certainty() -> None:
    assert convert.pooled([Effect(0.4, 0.1)], 0.2) == pytest.approx((0.4, sqrt(0.05)))


def test_an_auc_of_one_half_separates_nothing() -> None:
    assert convert.separation(0.5) == pytest.approx(0.0, abs=1e-12)


def test_the_separation_of_an_auc_is_the_distance_of_two_gaussians() -> None:
    rng = np.random.default_rng(5)
    ill, well = rng.normal(0.9, 1, 300_000), rng.normal(0.0, 1, 300_000)
    assert convert.separation(float((ill > well).mean())) == pytest.approx(0.9, abs=0.01)


@given(share=st.floats(0.001, 0.999))
def test_a_quantile_leaves_its_share_below(share: float) -> None:
    assert NormalDist().cdf(convert.quantile(share)) == pytest.approx(share, abs=1e-9)


def test_the_auc_of_a_gaussian_score_gives_back_the_slope_of_its_factor() -> None:
    """A score of two factors: its AUC on simulated patients tells the slope of each."""
    rng = np.random.default_rng(5)
    slope_per_doubling, spread_ln = 0.4, 0.8
    doublings = rng.normal(0, np.sqrt(2) * spread_ln / np.log(2), 400_000)
    event = rng.random(doublings.size) < 1 / (1 + np.exp(3.0 - slope_per_doubling * doublings))
    auc = roc_auc_score(event, doublings)
    effect = convert.from_auc(auc, 0.01, doublings.std(), spread_ln)
    expected = slope_per_doubling / np.log(2) * spread_ln
    assert effect.estimate == pytest.approx(expected, rel=0.05)
    assert effect.error > 0


def test_the_error_of_an_auc_is_that_of_hanley_and_mcneil() -> None:
    """Their worked example: 51 abnormal and 58 normal images, AUC 0.893, standard error 0.032."""
    assert convert.auc_error(0.893, 109, 51) == pytest.approx(0.032, abs=0.0015)
