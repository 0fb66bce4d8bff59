import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as reference_log_loss

from tests.training.evaluation.conftest import drawn, ones, seen
from training.evaluation.intervals import draws_of_patients
from training.evaluation.overall_accuracy import (
    brier_estimate,
    log_loss_estimate,
    scaled_brier,
    scaled_brier_estimate,
    squared_errors,
)

FOUR = seen(logit(np.array([0.1, 0.2, 0.6, 0.9])), np.array([0.0, 1.0, 0.0, 1.0]))


def test_brier_and_its_scaled_form_by_hand() -> None:
    """Squared errors 0.01, 0.64, 0.36, 0.01; the prevalence 1/2 alone would score 1/4."""
    brier = brier_estimate(FOUR)
    assert brier.value == pytest.approx(1.02 / 4)
    spread = np.std([0.01, 0.64, 0.36, 0.01], ddof=1) / 2
    assert brier.high == pytest.approx(1.02 / 4 + 1.959963984540054 * spread)
    scaled = scaled_brier_estimate(FOUR, ones(4))
    assert scaled.value == pytest.approx(1 - (1.02 / 4) / 0.25)


def test_brier_and_log_loss_agree_with_scikit_learn() -> None:
    z, y = drawn(400)
    assert brier_estimate(seen(z, y)).value == pytest.approx(brier_score_loss(y, expit(z)))
    assert log_loss_estimate(seen(z, y)).value == pytest.approx(reference_log_loss(y, expit(z)))


def test_the_prevalence_itself_scales_to_nothing() -> None:
    y = drawn(100)[1]
    each = squared_errors(np.full(100, logit(y.mean())), y)
    assert scaled_brier(each, y, ones(100))[0] == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(scaled_brier(each, y, y[None])).all()


def test_log_loss_of_a_certain_and_wrong_risk_is_large_and_finite() -> None:
    estimate = log_loss_estimate(seen(np.array([-700.0, 0.0]), np.array([1.0, 0.0])))
    assert estimate.value == pytest.approx((700 + np.log(2)) / 2)


def test_without_patients_nothing_is_measured_and_with_one_no_interval() -> None:
    nobody = seen(np.array([np.nan]), np.array([1.0]))
    for estimate in (brier_estimate(nobody), log_loss_estimate(nobody)):
        assert estimate.value is None
        assert estimate.reason == "no patient has a log-odds"
    assert brier_estimate(seen(np.zeros(1), np.ones(1))).low is None


def test_the_scaled_interval_holds_the_value() -> None:
    z, y = drawn(300)
    estimate = scaled_brier_estimate(seen(z, y), draws_of_patients(300, 200, 1))
    assert estimate.low is not None
    assert estimate.value is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high
    assert estimate.method == "bootstrap"
