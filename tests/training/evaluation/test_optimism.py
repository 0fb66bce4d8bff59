"""Apparent performance flatters; the correction takes away what it flatters by."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from tests.training.evaluation.conftest import Array, asked, drawn, scored
from training.evaluation.estimate import Estimate
from training.evaluation.evaluate import evaluate
from training.evaluation.optimism import CORRECTED, _corrected, optimism_corrected
from training.evaluation.record import Corrected, OptimismCorrected
from training.evaluation.scored_cohort import ScoredCohort

NOISE = 40
"""Predictors that say nothing of 150 patients."""


def fit(X: Array, y: Array, penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=2000).fit(X, y)


def fitted_by_hand(X: Array, y: Array, refits: int, penalty: float = np.inf) -> ScoredCohort:
    """A logistic regression, its cross-validation and its refits."""
    rng = np.random.default_rng(1)
    n = len(y)
    model = fit(X, y, penalty).decision_function(X)
    left_out = np.empty((3, n))
    for repeat, z in enumerate(left_out):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=repeat).split(X, y):
            z[test] = fit(X[train], y[train], penalty).decision_function(X[test])
    sampled = rng.integers(0, n, (refits, n))
    refitted = np.array([fit(X[d], y[d], penalty).decision_function(X) for d in sampled])
    return ScoredCohort(
        on="noise",
        fitted_here=True,
        outcome=y,
        model=model,
        low=model - 1,
        high=model + 1,
        left_out=left_out,
        refits=refitted,
        drawn=sampled,
    )


@pytest.fixture(scope="module")
def noise() -> ScoredCohort:
    """Predictors and outcome that know nothing of each other, and a model that learns them."""
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((150, NOISE)), np.repeat([1.0, 0.0], [50, 100])
    return fitted_by_hand(X, y, refits=60, penalty=1.0)


def test_noise_is_worth_nothing_to_those_who_were_left_out() -> None:
    """Over twelve cohorts of noise; the AUROC of one varies by 0.08."""
    apparent, left_out, missed, corrected = [], [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((150, NOISE)), np.repeat([1.0, 0.0], [50, 100])
        found = evaluate(fitted_by_hand(X, y, refits=25, penalty=1.0), asked())
        assert found.apparent is not None
        assert found.headline is found.cross_validated
        assert found.cross_validated is not None
        assert found.optimism_corrected is not None
        apparent.append(found.apparent.measures.auroc.value)
        left_out.append(found.cross_validated.measures.auroc.value)
        missed.append(found.optimism_corrected.auroc.out_of_bag)
        corrected.append(found.optimism_corrected.auroc.corrected.value)
    assert np.mean(apparent) > 0.75
    assert np.mean(left_out) == pytest.approx(0.5, abs=0.05)
    assert np.mean(missed) == pytest.approx(0.5, abs=0.05)
    # Harrell's correction takes much away, but with 40 parameters for 50 events not all.
    assert np.mean(missed) < np.mean(corrected) < np.mean(apparent) - 0.1


def test_a_model_of_noise_loses_against_the_prevalence(noise: ScoredCohort) -> None:
    found = evaluate(noise, asked())
    assert found.cross_validated is not None
    assert found.optimism_corrected is not None
    scaled = found.cross_validated.measures.scaled_brier
    assert scaled.value is not None
    assert scaled.value < 0
    slope = found.optimism_corrected.calibration_slope
    assert slope.apparent is not None
    assert slope.apparent > 0.9
    assert slope.out_of_bag == pytest.approx(0.0, abs=0.3)
    assert found.optimism_corrected.log_loss.optimism is not None
    assert found.optimism_corrected.log_loss.optimism < -0.1


def test_the_corrected_auroc_is_that_of_new_patients() -> None:
    """Averaged over cohorts, the correction removes nearly all of the optimism."""
    rng = np.random.default_rng(5)
    beta = np.r_[0.9, -0.6, np.zeros(10)]
    new = rng.standard_normal((20_000, 12))
    what_happened = (rng.random(20_000) < expit(new @ beta - 1)).astype(float)
    apparent, corrected, truth = [], [], []
    for _ in range(8):
        X = rng.standard_normal((150, 12))
        y = (rng.random(150) < expit(X @ beta - 1)).astype(float)
        found = optimism_corrected(fitted_by_hand(X, y, refits=40), asked())
        assert found is not None
        apparent.append(found.auroc.apparent)
        corrected.append(found.auroc.corrected.value)
        z = fit(X, y, np.inf).decision_function(new)
        truth.append(CORRECTED["auroc"](z, what_happened, np.ones((1, 20_000)))[0])
    optimism = np.mean(apparent) - np.mean(truth)
    assert optimism > 0.03
    assert abs(np.mean(corrected) - np.mean(truth)) < optimism / 2


def naive(cohort: ScoredCohort, name: str) -> float:
    """Harrell's formula on samples written out patient by patient."""
    measure, y = CORRECTED[name], cohort.outcome
    gains = []
    for z, who in zip(cohort.refits, cohort.drawn, strict=True):
        inside = measure(z[who], y[who], np.ones((1, len(y))))[0]
        gains.append(inside - measure(z, y, np.ones((1, len(y))))[0])
    return float(np.mean(gains))


@pytest.mark.parametrize("name", sorted(set(CORRECTED) - {"ici"}))
def test_drawn_patients_count_as_often_as_they_were_drawn(name: str, whole: ScoredCohort) -> None:
    found = optimism_corrected(whole, asked())
    assert found is not None
    part: Corrected = getattr(found, name)
    assert part.optimism == pytest.approx(naive(whole, name), abs=1e-9)
    assert part.apparent is not None
    assert part.corrected.value == pytest.approx(part.apparent - part.optimism)
    assert part.corrected.method == "shifted_apparent"
    measure, missed = CORRECTED[name], []
    for z, who in zip(whole.refits, whole.drawn, strict=True):
        left = np.setdiff1d(np.arange(160), who)
        missed.append(measure(z[left], whole.outcome[left], np.ones((1, len(left))))[0])
    assert part.out_of_bag == pytest.approx(np.mean(missed), abs=1e-9)


def test_refits_that_are_the_model_have_no_optimism_but_that_of_drawing() -> None:
    """Each patient drawn once: inside and on all are the same patients."""
    z, y = drawn(100)
    same = scored(100, model=z, outcome=y, refits=np.tile(z, (20, 1)))
    once = np.tile(np.arange(100), (20, 1))
    cohort = ScoredCohort(**vars(same) | {"drawn": once})
    found = optimism_corrected(cohort, asked())
    assert found is not None
    for name in CORRECTED:
        assert getattr(found, name).optimism == pytest.approx(0.0, abs=1e-9)
    assert found.auroc.corrected.value == found.auroc.apparent
    assert found.auroc.out_of_bag is None


def test_net_benefit_is_corrected_too(noise: ScoredCohort) -> None:
    found = evaluate(noise, asked(net_benefit_range=(0.2, 0.5)))
    assert found.apparent is not None
    assert found.apparent.decision_curve is not None
    corrected = found.optimism_corrected
    assert isinstance(corrected, OptimismCorrected)
    assert corrected.thresholds == found.apparent.decision_curve.thresholds
    gain = np.array(found.apparent.decision_curve.model.value) - np.array(corrected.net_benefit)
    assert (gain > 0).all()


def test_a_refit_without_an_answer_does_not_cost_the_others_theirs(whole: ScoredCohort) -> None:
    refits = whole.refits.copy()
    refits[3] = np.nan
    found = optimism_corrected(ScoredCohort(**vars(whole) | {"refits": refits}), asked())
    assert found is not None
    assert (found.refits, found.patients) == (24, 160)


def test_a_patient_without_a_refit_is_left_aside(whole: ScoredCohort) -> None:
    refits = whole.refits.copy()
    refits[:, 7] = np.nan
    found = optimism_corrected(ScoredCohort(**vars(whole) | {"refits": refits}), asked())
    assert found is not None
    assert (found.refits, found.patients) == (25, 159)


def test_few_refits_or_one_class_are_not_corrected(whole: ScoredCohort) -> None:
    few = {"refits": whole.refits[:19], "drawn": whole.drawn[:19]}
    assert optimism_corrected(ScoredCohort(**vars(whole) | few), asked()) is None
    nobody = {"outcome": np.zeros(160)}
    assert optimism_corrected(ScoredCohort(**vars(whole) | nobody), asked()) is None


def test_a_corrected_interval_lies_where_its_measure_can_lie(noise: ScoredCohort) -> None:
    """A correction moves both ends by as much, and a distance is never less than nothing."""
    found = optimism_corrected(noise, asked())
    assert found is not None
    for name in ("ici", "brier", "log_loss", "auroc"):
        each = getattr(found, name).corrected
        assert each.value is not None
        assert each.low is not None
        assert each.high is not None
        assert 0.0 <= each.low <= each.value <= each.high
    risen = np.tile([0.07, 0.02, 0.05], (60, 1))
    moved = _corrected("ici", Estimate(value=0.02, low=0.01, high=0.03, method="bootstrap"), risen)
    assert (moved.corrected.low, moved.corrected.value) == (0.0, 0.0)
