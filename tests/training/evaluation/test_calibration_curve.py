import numpy as np
import patsy
import pytest
import statsmodels.api as sm
from scipy.special import expit

from tests.training.evaluation.conftest import Array, drawn, ones, seen
from training.evaluation.calibration_curve import (
    Smooth,
    calibration_curve,
    distance_centile,
    distances,
    smooth,
)
from training.evaluation.calibration_distance import calibration_distances
from training.evaluation.intervals import draws_of_patients
from training.evaluation.seen import Seen


def fitted(z: Array, y: Array) -> Smooth:
    curve = smooth(z, y)
    assert curve is not None
    return curve


def curves_of(judged: Seen) -> list[Smooth | None]:
    return [smooth(z, judged.outcome) for z in judged.log_odds]


@pytest.mark.parametrize(("n", "knots"), [(700, 4), (200, 3), (60, 0)])
def test_the_rarer_class_decides_how_much_the_curve_may_bend(n: int, knots: int) -> None:
    assert len(fitted(*drawn(n)).knots) == knots


@pytest.mark.parametrize("n", [700, 200])
def test_the_curve_is_the_natural_spline_of_another_library(n: int) -> None:
    """patsy's natural cubic spline with the same knots spans the same curves."""
    z, y = drawn(n)
    y = np.where(np.abs(z) > 2.5, 1 - y, y)
    curve = fitted(z, y)
    standard = (z - z.mean()) / z.std()
    basis = patsy.cr(
        standard, knots=curve.knots[1:-1], lower_bound=curve.knots[0], upper_bound=curve.knots[-1]
    )
    reference = sm.GLM(y, np.asarray(basis), family=sm.families.Binomial()).fit(tol=1e-13)
    np.testing.assert_allclose(expit(curve.design(z) @ curve.beta), reference.fittedvalues)


def test_the_band_is_that_of_the_linear_predictor() -> None:
    z, y = drawn(700)
    found = calibration_curve(seen(z, y), curves_of(seen(z, y)))
    curve = fitted(z, y)
    result = sm.GLM(y, curve.design(z), family=sm.families.Binomial()).fit(tol=1e-13)
    X = curve.design(np.log(np.array(found.risk) / (1 - np.array(found.risk))))
    low, high = (
        result.get_prediction(X).summary_frame()[["mean_ci_lower", "mean_ci_upper"]].T.values
    )
    assert found.observed is not None
    np.testing.assert_allclose(found.observed.low, low, rtol=1e-4)
    np.testing.assert_allclose(found.observed.high, high, rtol=1e-4)


def test_a_curve_finds_what_a_line_cannot() -> None:
    """Risks that are right in the middle and too low at both ends."""
    z = np.random.default_rng(0).standard_normal(40_000)
    y = (np.random.default_rng(1).random(40_000) < expit(z + 0.4 * z**2)).astype(float)
    found = calibration_curve(seen(z, y), curves_of(seen(z, y)))
    assert found.observed is not None
    grid = np.log(np.array(found.risk) / (1 - np.array(found.risk)))
    np.testing.assert_allclose(found.observed.value, expit(grid + 0.4 * grid**2), atol=0.03)


def test_the_grid_leaves_out_one_patient_of_a_hundred_on_either_side() -> None:
    z, y = drawn(500)
    found = calibration_curve(seen(z, y), curves_of(seen(z, y)))
    ends = expit(np.quantile(z, [0.01, 0.99]))
    np.testing.assert_allclose(ends, [found.risk[0], found.risk[-1]])
    assert found.risk == tuple(sorted(found.risk))


def test_few_distinct_risks_get_a_line() -> None:
    z = np.tile([-2.0, -1.0, 0.0], 100)
    y = (np.random.default_rng(0).random(300) < expit(z)).astype(float)
    assert len(fitted(z, y).knots) == 0


def test_without_a_curve_the_reason_is_given() -> None:
    equal = seen(np.zeros(6), np.array([0, 1, 0, 1, 0, 0.0]))
    found = calibration_curve(equal, [None])
    assert found.observed is None
    assert found.reason == "all patients have one risk"
    for estimate in vars(calibration_distances(equal, [None], ones(6), 0)).values():
        assert estimate.reason == "all patients have one risk"


def test_a_spread_that_is_rounding_alone_has_no_curve() -> None:
    z, y = np.full(160, 0.1), np.tile([0.0, 0.0, 0.0, 1.0], 40)
    assert z.std() > 0
    assert smooth(z, y) is None


def test_the_ici_is_the_mean_distance_of_curve_and_risk_by_hand() -> None:
    """A line through two risks passes through both observed shares: 1/4 and 3/4."""
    z = np.repeat([-2.0, 1.0], 4)
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1.0])
    curve = fitted(z, y)
    each = distances(curve, z, curve.beta[None])[0]
    np.testing.assert_allclose(each[:4], 0.25 - expit(-2.0))
    np.testing.assert_allclose(each[4:], 0.75 - expit(1.0), atol=1e-12)
    found = calibration_distances(seen(z, y), [curve], ones(8), 0)
    assert found.ici.value == pytest.approx(each.mean())
    assert found.e50.value == pytest.approx(min(each))
    assert found.e90.value == pytest.approx(max(each))


@pytest.mark.parametrize("true_slope", [0.5, 1.0])
def test_the_ici_finds_the_truth(true_slope: float) -> None:
    z, y = drawn(60_000, slope=true_slope, shift=0.3)
    truth = np.abs(expit(0.3 + true_slope * z) - expit(z)).mean()
    judged = seen(z, y)
    found = calibration_distances(judged, curves_of(judged), ones(60_000), 0)
    assert found.ici.value == pytest.approx(truth, abs=0.006)


def test_centiles_of_distances_count_patients_as_often_as_drawn() -> None:
    each = np.array([[0.4, 0.1, 0.3, 0.2]])
    assert distance_centile(each, np.ones((1, 4)), 0.5)[0] == 0.2
    assert distance_centile(each, np.array([[3.0, 1, 0, 0]]), 0.5)[0] == 0.4
    assert distance_centile(each, np.array([[0.0, 1, 1, 0]]), 0.9)[0] == 0.3


def test_a_right_model_lies_within_chance_and_a_wrong_one_does_not() -> None:
    inside = 0
    for seed in range(40):
        judged = seen(*drawn(250, seed=seed))
        found = calibration_distances(judged, curves_of(judged), np.ones((100, 250)), seed)
        assert found.ici.value is not None
        assert found.by_chance.high is not None
        inside += found.ici.value < found.by_chance.high
    assert inside >= 35
    wrong = seen(*drawn(250, slope=0.2, shift=0.8))
    found = calibration_distances(wrong, curves_of(wrong), np.ones((100, 250)), 0)
    assert found.ici.value is not None
    assert found.by_chance.high is not None
    assert found.ici.value > found.by_chance.high


def test_the_interval_of_the_ici_holds_it_and_does_not_fall_below_nothing() -> None:
    judged = seen(*drawn(200))
    draws = draws_of_patients(200, 200, 1)
    found = calibration_distances(judged, curves_of(judged), draws, 1)
    for estimate in (found.ici, found.e50, found.e90):
        assert estimate.low is not None
        assert estimate.value is not None
        assert estimate.high is not None
        assert 0.0 <= estimate.low <= estimate.value <= estimate.high
