"""Every measure gives the number that is worked out by hand or by another library."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as reference_log_loss

from data_schemas.cohort_table import Purpose, read_cohort
from serving.risk_model import RiskModel
from training.performance import (
    Judged,
    against_truth,
    calibration_intercept,
    calibration_slope,
    discrimination,
    folds,
    log_loss,
    measures,
    observed_over_expected,
)
from training.pipeline import Run
from training.synthetic_cohort import simulate

Array = np.ndarray
FOUR = Judged(logit(np.array([0.1, 0.4, 0.35, 0.8])), np.array([0.0, 0.0, 1.0, 1.0]))


def drawn(n: int, slope: float = 1.0, shift: float = 0.0, seed: int = 1) -> Judged:
    """Patients whose true log-odds are ``shift + slope`` times the stated ones."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.5, 1.0, n)
    return Judged(z, (rng.random(n) < expit(shift + slope * z)).astype(float))


def test_the_auroc_counts_pairs_in_the_right_order() -> None:
    assert discrimination(FOUR) == pytest.approx(3 / 4)


def test_a_tie_counts_half() -> None:
    assert discrimination(Judged(np.zeros(4), FOUR.outcome)) == pytest.approx(0.5)


def test_the_log_loss_is_worked_out_by_hand() -> None:
    by_hand = -np.log([0.9, 0.6, 0.35, 0.8]).mean()
    assert log_loss(FOUR.log_odds, FOUR.outcome) == pytest.approx(by_hand)


def test_an_extreme_log_odds_has_a_finite_loss() -> None:
    assert log_loss(np.array([800.0]), np.array([0.0])) == pytest.approx(800.0)


def test_observed_over_expected_is_worked_out_by_hand() -> None:
    assert observed_over_expected(FOUR) == pytest.approx(2 / 1.65)


def test_measures_agree_with_scikit_learn() -> None:
    judged = drawn(500)
    by_name = {m.name: m for m in measures(judged, "a test")}
    risk = expit(judged.log_odds)
    expected = {
        "auroc": roc_auc_score(judged.outcome, risk),
        "log_loss": reference_log_loss(judged.outcome, risk),
        "brier": brier_score_loss(judged.outcome, risk),
    }
    for name, value in expected.items():
        assert by_name[name].value == pytest.approx(value)
    assert {(m.on, m.patients) for m in by_name.values()} == {("a test", 500)}
    assert set(by_name) >= {"calibration_slope", "calibration_intercept", "observed_over_expected"}


@pytest.mark.parametrize("outcome", [np.zeros(5), np.ones(5), np.zeros(0)])
def test_one_class_gives_no_measures(outcome: Array) -> None:
    assert measures(Judged(np.linspace(-1, 1, len(outcome)), outcome), "a test") == ()


def test_the_calibration_slope_is_that_of_logistic_regression() -> None:
    judged = drawn(800, slope=0.7)
    z = judged.log_odds[:, None]
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(z, judged.outcome)
    assert calibration_slope(judged) == pytest.approx(reference.coef_[0, 0], abs=1e-3)


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.6])
def test_the_calibration_slope_finds_the_truth(slope: float) -> None:
    slopes = [calibration_slope(drawn(4000, slope=slope, seed=seed)) for seed in range(12)]
    error = np.std(slopes) / np.sqrt(len(slopes))
    assert np.mean(slopes) == pytest.approx(slope, abs=4 * error)


def test_the_calibration_intercept_finds_the_shift_and_repairs_it() -> None:
    judged = drawn(20_000, shift=0.8)
    shift = calibration_intercept(judged)
    assert shift == pytest.approx(0.8, abs=0.08)
    moved = replace(judged, log_odds=judged.log_odds + shift)
    assert observed_over_expected(moved) == pytest.approx(1.0)
    assert calibration_intercept(moved) == pytest.approx(0.0, abs=1e-9)


@given(factor=st.floats(0.2, 5.0), shift=st.floats(-3, 3))
def test_discrimination_knows_nothing_of_calibration(factor: float, shift: float) -> None:
    judged = drawn(60)
    moved = Judged(shift + factor * judged.log_odds, judged.outcome)
    assert discrimination(moved) == pytest.approx(discrimination(judged))


def test_every_patient_is_left_out_once() -> None:
    outcome = drawn(103).outcome
    split = list(folds(outcome, 5, seed=3))
    assert sorted(np.concatenate([test for _, test in split])) == list(range(103))
    for train, test in split:
        assert set(train).isdisjoint(test)
        assert outcome[test].sum() >= 1
    again = folds(outcome, 5, seed=3)
    for (_, first), (_, second) in zip(split, again, strict=True):
        np.testing.assert_array_equal(first, second)


# ---- Against the truth ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def patients() -> dict[str, Array]:
    return read_cohort(simulate(400, 2, 9).table, Purpose.SCORING).columns()


@pytest.fixture(scope="module")
def model(evidence_run: Run) -> RiskModel:
    return evidence_run.artefact.model


def test_the_truth_itself_loses_nothing(model: RiskModel, patients: dict[str, Array]) -> None:
    judged = against_truth(model, patients, model.predict(patients).risk)
    assert judged.excess_log_loss == pytest.approx(0.0, abs=1e-12)
    assert judged.coverage == 1.0
    assert judged.of_product_rate > 0
    assert judged.patients == 400


def test_the_excess_is_the_expected_divergence(
    model: RiskModel, patients: dict[str, Array]
) -> None:
    risk = model.predict(patients).risk
    truth = expit(logit(risk) + 0.7)
    divergence = truth * np.log(truth / risk) + (1 - truth) * np.log((1 - truth) / (1 - risk))
    judged = against_truth(model, patients, truth)
    assert judged.excess_log_loss == pytest.approx(divergence.mean())


@pytest.mark.parametrize("away", [-20.0, 20.0])
def test_a_truth_far_from_the_model_is_not_covered(
    model: RiskModel, patients: dict[str, Array], away: float
) -> None:
    far = expit(model.predict(patients).logit + away)
    assert against_truth(model, patients, far).coverage == 0.0


def test_patients_outside_the_model_are_not_judged(
    model: RiskModel, patients: dict[str, Array]
) -> None:
    outside = {**patients, "product": patients["product"].copy()}
    outside["product"][:100] = "unheard_of"
    risk = np.where(np.arange(400) < 100, 0.5, model.predict(patients).risk)
    judged = against_truth(model, outside, risk)
    assert judged.patients == 300
    assert judged.excess_log_loss == pytest.approx(0.0, abs=1e-12)
