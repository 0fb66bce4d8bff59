"""A centre updates a model as little as its events allow, and the interval says what that cost."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit
from scipy.stats import chi2

from data_schemas.cohort_table import Purpose, read_cohort
from serving.model.risk_model import Posterior, Recalibration, RiskModel
from training.learning.updating import (
    INTERCEPT_SD,
    SLOPE_SD,
    Update,
    bayesian,
    by_policy,
    closed_test,
    unchanged,
    updated,
)
from training.pipeline import Run
from training.simulation.synthetic_cohort import simulate

Array = np.ndarray


def centre(n: int, seed: int = 1, shift: float = 0.0, slope: float = 1.0) -> tuple[Array, Array]:
    """Log-odds and outcomes of patients whose true log-odds are ``shift + slope`` times those."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.2, 1.0, n)
    return z, (rng.random(n) < expit(shift + slope * z)).astype(float)


def with_events(events: int, n: int = 400) -> tuple[Array, Array]:
    z = np.linspace(-3, 1, n)
    return z, (np.arange(n) >= n - events).astype(float)


# ---- The policy ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "how"),
    [
        (0, "0 events, fewer than 10: evaluated only"),
        (9, "9 events, fewer than 10: evaluated only"),
        (10, "Bayesian intercept"),
        (29, "Bayesian intercept"),
        (30, "Bayesian intercept and slope"),
        (99, "Bayesian intercept and slope"),
    ],
)
def test_what_moves_depends_on_the_events(events: int, how: str) -> None:
    update = by_policy(*with_events(events))
    assert update.how == how
    assert update.changes == (events >= 10)
    assert (update.slope != 1.0) == (events >= 30)


def test_from_a_hundred_events_on_it_is_a_closed_test() -> None:
    assert by_policy(*centre(2000)).how.startswith("closed test")


def test_the_rarer_class_counts() -> None:
    z, y = with_events(12)
    assert by_policy(-z, 1 - y).how == "Bayesian intercept"


@pytest.mark.parametrize(
    ("n", "how"),
    [(250, "Bayesian intercept and slope"), (1500, "closed test: intercept and slope")],
)
def test_a_model_that_ranks_the_wrong_way_round_is_not_turned(n: int, how: str) -> None:
    update = by_policy(*centre(n, slope=-1.5))
    assert (update.intercept, update.slope) == (0.0, 1.0)
    why = "the slope is not positive, the model does not rank here"
    assert update.in_words == f"none ({how}, but {why})"


# ---- Bayesian ------------------------------------------------------------------------------------


def log_posterior(z: Array, y: Array, a: float, b: float) -> float:
    linear = a + b * z
    prior = (a / INTERCEPT_SD) ** 2 + ((b - 1) / SLOPE_SD) ** 2
    return float((y * linear - np.logaddexp(0.0, linear)).sum() - prior / 2)


def test_the_bayesian_update_is_the_mode_with_laplaces_covariance() -> None:
    z, y = centre(150, shift=0.6, slope=0.7)
    update = bayesian(z, y, slope=True)
    at, h = np.array([update.intercept, update.slope]), 1e-4
    first, second = np.zeros(2), np.zeros((2, 2))
    for i, e in enumerate(np.eye(2) * h):
        first[i] = (log_posterior(z, y, *(at + e)) - log_posterior(z, y, *(at - e))) / (2 * h)
        for j, f in enumerate(np.eye(2) * h):
            corners = [log_posterior(z, y, *(at + s * e + t * f)) for s in (1, -1) for t in (1, -1)]
            second[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h)
    np.testing.assert_allclose(first, 0.0, atol=1e-5)
    np.testing.assert_allclose(update.covariance, np.linalg.inv(-second), rtol=1e-4)


def test_no_patient_leaves_what_was_believed() -> None:
    update = bayesian(np.zeros(0), np.zeros(0), slope=True)
    assert (update.intercept, update.slope) == (0.0, 1.0)
    np.testing.assert_allclose(update.covariance, np.diag([INTERCEPT_SD**2, SLOPE_SD**2]))


def test_many_patients_say_what_is_true_and_few_are_held_back() -> None:
    many = bayesian(*centre(40_000, shift=0.8, slope=0.8), slope=True)
    assert (many.intercept, many.slope) == pytest.approx((0.8, 0.8), abs=0.05)
    z, y = centre(60, shift=0.8)
    few = bayesian(z, y, slope=False)
    fitted = sm.GLM(y, np.ones(60), offset=z, family=sm.families.Binomial()).fit().params[0]
    assert 0 < few.intercept < fitted
    assert few.slope == 1.0
    assert few.covariance[1].tolist() == [0.0, 0.0]


# ---- Closed test ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.35, 1.0), (0.0, 0.6)])
def test_the_closed_test_is_that_of_another_library(shift: float, slope: float, seed: int) -> None:
    z, y = centre(600, seed, shift, slope)
    binomial = sm.families.Binomial()
    alone = sm.GLM(y, np.ones(len(z)), offset=z, family=binomial).fit()
    both = sm.GLM(y, sm.add_constant(z), family=binomial).fit()
    none = float((y * z - np.logaddexp(0, z)).sum())
    update = closed_test(z, y)
    if chi2.sf(2 * (both.llf - none), 2) >= 0.05:
        assert not update.changes
    elif chi2.sf(2 * (both.llf - alone.llf), 1) >= 0.05:
        assert (update.intercept, update.slope) == (pytest.approx(alone.params[0], abs=1e-6), 1.0)
        assert update.covariance[0, 0] == pytest.approx(alone.cov_params()[0, 0], rel=1e-5)
    else:
        found = (update.intercept, update.slope)
        assert found == pytest.approx(tuple(both.params), abs=1e-6)
        np.testing.assert_allclose(update.covariance, both.cov_params(), rtol=1e-5)


def test_a_model_that_fits_is_kept_nineteen_times_in_twenty() -> None:
    kept = [not closed_test(*centre(500, seed)).changes for seed in range(200)]
    assert 0.90 < np.mean(kept) < 0.99


def test_the_closed_test_chooses_the_level_that_is_true() -> None:
    shifted = [closed_test(*centre(1500, seed, shift=0.6)) for seed in range(20)]
    assert np.mean([u.how == "closed test: intercept" for u in shifted]) > 0.8
    flat = [closed_test(*centre(1500, seed, slope=0.5)) for seed in range(20)]
    assert np.mean([u.how == "closed test: intercept and slope" for u in flat]) > 0.9


def test_classes_that_do_not_overlap_update_nothing() -> None:
    z = np.linspace(-2, 2, 400)
    update = closed_test(z, (z > 0).astype(float))
    assert not update.changes
    assert "do not overlap" in update.how


# ---- The updated model ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(cohort_run: Run) -> RiskModel:
    return replace(
        cohort_run.artefact.model, recalibration=Recalibration(intercept=-0.3, slope=0.8)
    )


@pytest.fixture(scope="module")
def patients() -> dict[str, Array]:
    """Patients in whom every term is measured: what is missing adds a variance of its own."""
    table = simulate(150, 1, 9).table
    columns = read_cohort(table, Purpose.SCORING).columns()
    known = [columns[n] for n in ("crp", "ferritin", "ldh", "platelets", "age")]
    complete = ~np.isnan(np.array(known, dtype=float)).any(axis=0)
    return {name: column[complete] for name, column in columns.items()}


UPDATE = Update(0.4, 0.9, np.array([[0.04, 0.006], [0.006, 0.01]]), "a test")


def test_updates_compose_with_the_models_own_recalibration(
    model: RiskModel, patients: dict[str, Array]
) -> None:
    before, after = model.predict(patients), updated(model, UPDATE).predict(patients)
    np.testing.assert_allclose(after.logit, 0.4 + 0.9 * before.logit, rtol=1e-12)
    twice = updated(updated(model, UPDATE), UPDATE).predict(patients)
    np.testing.assert_allclose(twice.logit, 0.4 + 0.9 * after.logit, rtol=1e-12)
    np.testing.assert_allclose(
        after.base + after.contributions.sum(axis=1), after.logit, rtol=1e-12
    )


def test_the_interval_carries_the_variance_of_the_update(
    model: RiskModel, patients: dict[str, Array]
) -> None:
    assert len(model.trees) == 0
    z90 = 1.6448536269514722
    before, after = model.predict(patients), updated(model, UPDATE).predict(patients)
    old, new = ((p.high - p.logit) / z90 for p in (before, after))
    z = before.logit
    of_update = 0.04 + 2 * 0.006 * z + 0.01 * z**2
    np.testing.assert_allclose(new**2, (0.9 * old) ** 2 + of_update, rtol=1e-9)


def test_no_update_is_the_same_model(model: RiskModel, patients: dict[str, Array]) -> None:
    same = updated(model, unchanged("nothing to do")).predict(patients)
    before = model.predict(patients)
    np.testing.assert_array_equal(same.logit, before.logit)
    np.testing.assert_array_equal(same.high, before.high)


def test_the_covariance_stays_one(model: RiskModel) -> None:
    posterior: Posterior = updated(model, UPDATE).posterior
    np.testing.assert_allclose(posterior.covariance, posterior.covariance.T)
    assert np.linalg.eigvalsh(posterior.covariance).min() > 0
