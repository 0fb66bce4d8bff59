import numpy as np
import pytest
from scipy.special import expit, logit
from statsmodels.stats.proportion import proportion_confint

from tests.training.evaluation.conftest import drawn, seen
from training.evaluation.decision_curve import (
    at_threshold,
    benefits,
    decision_curve,
    of_treating,
    threshold_grid,
)
from training.evaluation.intervals import draws_of_patients

RISKS = [0.03, 0.11, 0.42, 0.22, 0.31, 0.08, 0.14, 0.06, 0.27, 0.02]
RISKS += [0.35, 0.55, 0.04, 0.19, 0.10, 0.07, 0.16, 0.12, 0.05, 0.24]
OUTCOME = np.array([0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0.0])
TWENTY = seen(logit(np.array(RISKS)), OUTCOME)

BY_DCURVES = {
    # threshold: net benefit of the model, of treating all
    0.05: (0.21842105263, 0.21052631579),
    0.10: (0.15, 0.16666666667),
    0.15: (0.15588235294, 0.11764705882),
    0.20: (0.10, 0.0625),
    0.30: (0.12857142857, -0.07142857143),
    0.50: (0.05, -0.5),
}
"""What the package dcurves 1.1.7 gives for these twenty patients."""


@pytest.mark.parametrize("threshold", BY_DCURVES)
def test_net_benefit_is_that_of_dcurves(threshold: float) -> None:
    at = np.array([threshold])
    model, everybody = BY_DCURVES[threshold]
    assert benefits(TWENTY.log_odds[0], OUTCOME, at).mean() == pytest.approx(model, abs=1e-10)
    assert of_treating(OUTCOME, at).mean() == pytest.approx(everybody, abs=1e-10)


def test_the_grid_holds_both_ends_in_hundredths() -> None:
    assert threshold_grid((0.02, 0.30)).tolist() == [round(t / 100, 2) for t in range(2, 31)]
    assert threshold_grid((0.101, 0.102)).tolist() == [0.101, 0.102]


def test_the_curve_runs_between_treating_all_and_none() -> None:
    z, y = drawn(4000)
    curve = decision_curve(seen(z, y), (0.01, 0.99), draws_of_patients(4000, 30, 1))
    assert curve is not None
    assert curve.model.value[0] == pytest.approx(curve.treat_all.value[0], abs=1e-3)
    assert curve.model.value[-1] == pytest.approx(0.0, abs=1e-3)
    best = np.maximum(curve.treat_all.value, curve.treat_none)
    assert (np.array(curve.model.value) > best - 0.005).all()
    assert set(curve.treat_none) == {0.0}


def test_the_band_is_that_of_patients_drawn_again() -> None:
    z, y = drawn(80)
    draws = draws_of_patients(80, 400, 5)
    curve = decision_curve(seen(z, y), (0.1, 0.2), draws)
    assert curve is not None
    each = []
    for row in draws.astype(int):
        again = np.repeat(np.arange(80), row)
        above = expit(z[again]) >= 0.1
        true, false = (above & (y[again] == 1)).mean(), (above & (y[again] == 0)).mean()
        each.append(true - false / 9)
    assert curve.model.low is not None
    assert curve.model.high is not None
    assert (curve.model.low[0], curve.model.high[0]) == pytest.approx(
        tuple(np.quantile(each, [0.025, 0.975]))
    )


def test_shares_at_a_threshold_with_their_intervals() -> None:
    """At 0.15 or more: 9 of 20, 4 of the 5 with the outcome, 5 of the 15 without."""
    found = at_threshold(TWENTY, 0.15)
    expected = {
        "share_above": (9, 20),
        "sensitivity": (4, 5),
        "specificity": (10, 15),
        "ppv": (4, 9),
        "npv": (10, 11),
    }
    for name, (count, of) in expected.items():
        estimate = getattr(found, name)
        assert estimate.value == pytest.approx(count / of)
        interval = proportion_confint(count, of, method="wilson")
        assert (estimate.low, estimate.high) == pytest.approx(interval)
    assert found.net_benefit.value == pytest.approx(BY_DCURVES[0.15][0])


def test_a_rate_that_is_the_threshold_counts_as_above() -> None:
    rates = np.array([0.05, 0.1, 0.15, 0.2, 0.29, 0.3])
    for rate in rates:
        judged = seen(np.log(np.array([rate]) / (1 - rate)), np.ones(1))
        assert at_threshold(judged, float(rate)).share_above.value == 1.0


def test_shares_of_nobody_say_so() -> None:
    z, y = np.full(4, -3.0), np.array([0, 0, 0, 1.0])
    nobody_above = at_threshold(seen(z, y), 0.5)
    assert nobody_above.ppv.reason == "no patient is at the threshold or above"
    assert nobody_above.sensitivity.value == 0.0
    assert at_threshold(seen(z, y), 0.01).npv.reason == "no patient is below the threshold"
    assert at_threshold(seen(z, np.zeros(4)), 0.5).sensitivity.value is None
    assert at_threshold(seen(z, np.ones(4)), 0.5).specificity.value is None


def test_nobody_has_no_decision_curve() -> None:
    nobody = seen(np.array([np.nan]), np.zeros(1))
    assert decision_curve(nobody, (0.1, 0.2), draws_of_patients(0, 20, 1)) is None
    assert at_threshold(nobody, 0.1).net_benefit.reason == "no patient has a log-odds"
