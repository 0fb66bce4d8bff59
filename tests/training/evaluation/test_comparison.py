import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from tests.training.evaluation.conftest import asked, drawn, seen
from training.evaluation.comparison import comparison
from training.evaluation.record import Comparison

Z, Y = drawn(500)
NOISE = np.random.default_rng(1).standard_normal(500) - 1.5


def compared(comparator: np.ndarray, model: np.ndarray = Z) -> Comparison:
    found = comparison("other", seen(model, Y), comparator, Y, asked(draws=300))
    assert found is not None
    return found


def test_differences_are_those_of_scikit_learn() -> None:
    found = compared(NOISE)
    area = roc_auc_score(Y, Z) - roc_auc_score(Y, NOISE)
    assert found.auroc_difference.value == pytest.approx(area)
    risk = [1 / (1 + np.exp(-z)) for z in (Z, NOISE)]
    loss = log_loss(Y, risk[0]) - log_loss(Y, risk[1])
    assert found.log_loss_difference.value == pytest.approx(loss)


def test_a_model_that_knows_more_wins_clearly() -> None:
    found = compared(NOISE)
    assert found.auroc_difference.low is not None
    assert found.auroc_difference.low > 0
    assert found.log_loss_difference.high is not None
    assert found.log_loss_difference.high < 0
    assert max(found.net_benefit_difference.value) > 0


def test_beside_itself_a_model_wins_nothing() -> None:
    found = compared(Z)
    assert found.model == found.other
    for estimate in (found.auroc_difference, found.log_loss_difference):
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
    assert set(found.net_benefit_difference.value) == {0.0}


def test_pairing_makes_a_difference_clearer_than_its_parts() -> None:
    nearly = Z + 0.1 * np.random.default_rng(2).standard_normal(500)
    found = compared(nearly)
    part, whole = found.auroc_difference, found.model.auroc
    assert part.high is not None
    assert part.low is not None
    assert whole.high is not None
    assert whole.low is not None
    assert part.high - part.low < (whole.high - whole.low) / 4


def test_one_patient_makes_no_difference_certain() -> None:
    """Drawn again and again, one patient is always the same: an interval of no width."""
    alone = np.where(np.arange(500) == 3, NOISE, np.nan)
    found = compared(alone).log_loss_difference
    assert found.value is not None
    assert found.low is None
    assert found.reason == "one patient has no spread"


def test_only_patients_with_both_numbers_count() -> None:
    model, other = Z.copy(), NOISE.copy()
    model[:30] = np.nan
    other[20:70] = np.nan
    found = compared(other, model)
    assert found.patients == 430
    assert found.events == Y[70:].sum()
    assert found.model.auroc.value == pytest.approx(roc_auc_score(Y[70:], Z[70:]))
    assert found.other.auroc.value == pytest.approx(roc_auc_score(Y[70:], NOISE[70:]))


def test_repeats_are_compared_one_by_one() -> None:
    repeats = np.stack([Z, NOISE])
    found = comparison("other", seen(repeats, Y), NOISE, Y, asked())
    assert found is not None
    expected = (roc_auc_score(Y, Z) - roc_auc_score(Y, NOISE)) / 2
    assert found.auroc_difference.value == pytest.approx(expected)


def test_a_comparator_without_a_number_is_not_compared() -> None:
    assert comparison("none", seen(Z, Y), np.full(500, np.nan), Y, asked()) is None


def test_a_constant_comparator_has_no_slope_and_half_the_pairs() -> None:
    found = compared(np.full(500, -1.5))
    assert found.other.auroc.value == 0.5
    assert found.other.calibration_slope.reason == "all patients have one risk"
