import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.training.evaluation.conftest import Array, drawn, ones, seen
from training.evaluation.discrimination import (
    auprc_estimate,
    auroc,
    auroc_estimate,
    average_precision,
    delong,
)
from training.evaluation.intervals import draws_of_patients

TIED = np.round(drawn(200)[0])
OUTCOME = drawn(200)[1]


def test_a_case_worked_out_by_hand() -> None:
    """Pairs (event, other): 3>1, 3>2, 2>1, 2=2: (3 + 1/2) / 4."""
    z, y = np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0])
    assert auroc(z, y, ones(4))[0] == pytest.approx(3.5 / 4)
    # At risk 3: sensitivity 1/2, precision 1; at risk 2: sensitivity 1, precision 2/3.
    assert average_precision(z, y, ones(4))[0] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


@given(seed=st.integers(0, 10_000))
def test_weighted_areas_are_those_of_scikit_learn(seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 4, (1, 200)).astype(float)
    area = roc_auc_score(OUTCOME, TIED, sample_weight=weights[0])
    precision = average_precision_score(OUTCOME, TIED, sample_weight=weights[0])
    assert auroc(TIED, OUTCOME, weights)[0] == pytest.approx(area)
    assert average_precision(TIED, OUTCOME, weights)[0] == pytest.approx(precision)


def test_a_draw_of_one_class_has_no_area() -> None:
    assert np.isnan(auroc(TIED, OUTCOME, np.stack([OUTCOME, 1 - OUTCOME]))).all()
    assert np.isnan(average_precision(TIED, OUTCOME, (1 - OUTCOME)[None])).all()


def test_delongs_variance_is_that_of_its_placement_values() -> None:
    """The definition, pair by pair, without ranks."""
    with_it, without_it = TIED[OUTCOME == 1], TIED[OUTCOME == 0]
    won = np.array([[(e > o) + (e == o) / 2 for o in without_it] for e in with_it])
    variance = won.mean(1).var(ddof=1) / len(with_it) + won.mean(0).var(ddof=1) / len(without_it)
    area, error = delong(TIED, OUTCOME)
    assert area == pytest.approx(won.mean())
    assert error == pytest.approx(np.sqrt(variance))


def test_the_interval_is_symmetric_in_log_odds_and_stays_a_share() -> None:
    estimate = auroc_estimate(seen(TIED, OUTCOME))
    assert estimate.value is not None
    assert estimate.low is not None
    assert estimate.high is not None
    area, error = delong(TIED, OUTCOME)
    assert logit(estimate.high) - logit(estimate.value) == pytest.approx(
        1.959963984540054 * error / (area * (1 - area))
    )
    assert logit(estimate.low) + logit(estimate.high) == pytest.approx(2 * logit(area))


def test_nineteen_intervals_of_twenty_hold_the_truth() -> None:
    """Binormal patients, whose AUROC is Phi(1 / sqrt 2) = 0.7602."""
    rng = np.random.default_rng(8)
    y = np.repeat([1.0, 0.0], [25, 125])
    held = 0
    for _ in range(400):
        estimate = auroc_estimate(seen(rng.standard_normal(150) + y, y))
        assert estimate.low is not None
        assert estimate.high is not None
        held += estimate.low < 0.7602499 < estimate.high
    assert 0.92 <= held / 400 <= 0.98


def test_perfect_ranking_has_a_value_and_no_interval() -> None:
    estimate = auroc_estimate(seen(np.arange(6.0), np.repeat([0.0, 1.0], 3)))
    assert (estimate.value, estimate.low) == (1.0, None)
    assert "no interval" in str(estimate.reason)


def test_one_patient_with_the_outcome_gives_no_interval() -> None:
    estimate = auroc_estimate(seen(np.arange(6.0), np.array([0, 0, 0, 0, 1, 0.0])))
    assert estimate.value == pytest.approx(0.8)
    assert estimate.low is None


@pytest.mark.parametrize(("y", "why"), [(0.0, "no patient had"), (1.0, "every patient had")])
def test_one_class_has_no_area_and_says_why(y: float, why: str) -> None:
    of_one = seen(np.arange(5.0), np.full(5, y))
    for estimate in (auroc_estimate(of_one), auprc_estimate(of_one, ones(5))):
        assert estimate.value is None
        assert why in str(estimate.reason)


def test_repeats_are_averaged_and_do_not_narrow_the_interval() -> None:
    z = np.stack([drawn(200)[0] + noise for noise in (0.0, np.sin(np.arange(200)))])
    both = auroc_estimate(seen(z, OUTCOME))
    single = [auroc_estimate(seen(row, OUTCOME)) for row in z]
    for end in ("value", "low", "high"):
        assert getattr(both, end) == pytest.approx(np.mean([getattr(e, end) for e in single]))


def test_chance_gives_the_prevalence_as_precision() -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(4000) < 0.1).astype(float)
    of_noise = seen(rng.standard_normal(4000), y)
    estimate = auprc_estimate(of_noise, draws_of_patients(4000, 50, 1))
    assert estimate.value == pytest.approx(y.mean(), abs=0.02)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < estimate.value < estimate.high


def test_the_order_of_patients_does_not_matter() -> None:
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 7):
        z, y = np.array([0.1, 0.4, 0.4, 0.8, 0.9]), np.array([0, 1, 0, 1, 0.0])
        shuffled: Array = np.array(order)
        assert delong(z[shuffled], y[shuffled]) == pytest.approx(delong(z, y))
