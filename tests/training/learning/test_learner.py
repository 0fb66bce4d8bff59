"""What a cohort may change depends on its events; whatever it holds, the answer is finite."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from data_schemas.evidence import Evidence
from serving.model.risk_model import Recalibration
from tests.training.conftest import unpublished_outcome
from training.cohort import LearningCohort
from training.experiment import read_experiment
from training.learning.learner import (
    BETWEEN_PATIENTS,
    DISPERSION,
    EVENTS_FOR_DEVIATION,
    EVENTS_FOR_SLOPE,
    Learnt,
    learn,
    recalibrate,
    rows_of,
)
from training.learning.posterior import fit_level_and_slope, fit_posterior, prior_only
from training.learning.prior import ModelPrior, cohort_prior, evidence_prior
from training.learning.recipes import RECIPES

Array = np.ndarray
Build = Callable[..., LearningCohort]
OWN = unpublished_outcome("age", "crp", "ferritin")
RIDGE = RECIPES["anchored_ridge"]


@pytest.fixture(scope="module")
def believed(evidence: Evidence, experiment_file: Callable[..., Path]) -> ModelPrior:
    return evidence_prior(evidence, read_experiment(experiment_file()))


def patients(n: int, seed: int = 1) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.normal(60, 12, n),
        "crp": rng.lognormal(2.7, 1.0, n),
        "ferritin": rng.lognormal(5.8, 1.0, n),
        "ldh": rng.lognormal(5.5, 0.5, n),
        "platelets": rng.lognormal(5.0, 0.6, n),
    }


def drawn(n: int, build: Build, believed: ModelPrior, seed: int = 1) -> LearningCohort:
    """A centre where the evidence holds."""
    columns = patients(n, seed)
    empty = build(np.zeros(n), **columns)
    risk = learn(believed, None, 1).model.predict(empty.columns).risk
    return build(np.random.default_rng(seed + 1).random(n) < risk, **columns)


def assert_finite(learnt: Learnt, cohort: LearningCohort) -> None:
    posterior = learnt.model.posterior
    assert np.isfinite(posterior.mean).all()
    assert (np.linalg.eigvalsh(posterior.covariance) > 0).all()
    prediction = learnt.model.predict(cohort.columns)
    assert np.isfinite(prediction.logit).all()
    assert (prediction.low < prediction.logit).all()
    assert (prediction.logit < prediction.high).all()


# ---- The rule by number of events -----------------------------------------------------------


@pytest.mark.parametrize("events", [0, EVENTS_FOR_DEVIATION - 1])
def test_few_events_move_the_level_and_no_single_effect(
    believed: ModelPrior, cohort_of: Build, events: int
) -> None:
    cohort = cohort_of(np.arange(150) < events, **patients(150))
    learnt, alone = learn(believed, cohort, 1), learn(believed, None, 1)
    slopes = learnt.model.coefficients[published(believed)]
    slopes /= alone.model.coefficients[published(believed)]
    np.testing.assert_allclose(slopes, slopes[0], rtol=1e-3)
    assert learnt.model.posterior.mean[0] != alone.model.posterior.mean[0]
    assert (learnt.model.recalibration.intercept, learnt.model.recalibration.slope) == (0.0, 1.0)
    assert (learnt.rounds, learnt.booster, learnt.released) == (0, None, ())
    assert f"{events} events of 150 patients" in learnt.local_deviation
    assert "no local deviation fitted" in learnt.local_deviation


def published(believed: ModelPrior) -> Array:
    return np.array([effect.mean != 0 for effect in believed.effects])


def test_few_events_leave_each_effect_as_uncertain_as_it_was(
    believed: ModelPrior, cohort_of: Build
) -> None:
    cohort = cohort_of(np.arange(150) < EVENTS_FOR_DEVIATION - 1, **patients(150))
    n_free = believed.prior.n_free
    before = np.diag(believed.prior.covariance)[n_free:]
    after = np.diag(learn(believed, cohort, 1).model.posterior.covariance)[n_free:]
    assert (after >= before).all()


def test_few_events_widen_nothing_that_was_not_fitted(
    believed: ModelPrior, cohort_of: Build
) -> None:
    cohort = cohort_of(np.arange(150) < EVENTS_FOR_DEVIATION - 1, **patients(150))
    model = learn(believed, cohort, 1).model
    alone = fit_level_and_slope(rows_of(model, cohort).X, cohort.outcome, believed.prior)
    own = np.zeros(len(alone.posterior.mean))
    own[believed.prior.n_free :] = BETWEEN_PATIENTS * model.coefficients
    np.testing.assert_allclose(
        model.posterior.covariance, alone.posterior.covariance + np.diag(own**2), atol=1e-12
    )


def test_few_events_against_the_evidence_flatten_it(believed: ModelPrior, cohort_of: Build) -> None:
    """Nine events among those whom the evidence thinks safest."""
    columns = patients(300)
    alone = learn(believed, None, 1)
    risk = alone.model.predict(cohort_of(np.zeros(300), **columns).columns).risk
    safest = np.argsort(np.argsort(risk)) < EVENTS_FOR_DEVIATION - 1
    learnt = learn(believed, cohort_of(safest, **columns), 1)
    effects = published(believed)
    slopes = learnt.model.coefficients[effects] / alone.model.coefficients[effects]
    assert slopes.max() < 0.3


def test_no_event_at_all_lowers_the_risk(believed: ModelPrior, cohort_of: Build) -> None:
    none = cohort_of(np.zeros(400), **patients(400))
    before, after = (
        learn(believed, seen, 1).model.predict(none.columns).risk for seen in (None, none)
    )
    assert after.mean() < 0.3 * before.mean()


def test_few_patients_without_the_event_are_as_few(believed: ModelPrior, cohort_of: Build) -> None:
    cohort = cohort_of(np.arange(100) >= EVENTS_FOR_DEVIATION - 1, **patients(100))
    assert "no local deviation fitted" in learn(believed, cohort, 1).local_deviation


def test_with_enough_events_the_cohort_speaks(believed: ModelPrior, cohort_of: Build) -> None:
    cohort = cohort_of(np.arange(60) < EVENTS_FOR_DEVIATION, **patients(60))
    learnt = learn(believed, cohort, 1)
    assert f"{EVENTS_FOR_DEVIATION} events: local deviation fitted" in learnt.local_deviation


@pytest.mark.parametrize("events", [EVENTS_FOR_DEVIATION - 1, 4 * EVENTS_FOR_DEVIATION])
def test_without_evidence_no_slope_of_the_evidence_is_spoken_of(
    evidence: Evidence, experiment_file: Callable[..., Path], cohort_of: Build, events: int
) -> None:
    wanted = read_experiment(experiment_file(OWN))
    cohort = cohort_of(np.arange(150) < events, **patients(150))
    said = learn(cohort_prior(evidence, wanted, cohort), cohort, 1).local_deviation
    assert "evidence" not in said


@pytest.mark.parametrize("name", ["evidence", "product_rate"])
def test_whose_rate_a_model_starts_from_had_a_hand_in_it(
    evidence: Evidence, experiment_file: Callable[..., Path], cohort_of: Build, name: str
) -> None:
    """Else simulated patients would mark no answer, and the manifest would speak of nobody."""
    wanted = read_experiment(experiment_file(OWN))
    cohort = cohort_of(np.arange(150) < 40, **patients(150))
    learnt = learn(cohort_prior(evidence, wanted, cohort), cohort, 1, RECIPES[name])
    assert learnt.patients == 150
    assert learnt.local_deviation == "takes nothing from a cohort but its rate"


@pytest.mark.parametrize("name", ["recalibrated_evidence", "anchored_ridge"])
def test_a_local_deviation_is_said_to_be_fitted_only_where_effects_may_move(
    believed: ModelPrior, cohort_of: Build, name: str
) -> None:
    cohort = cohort_of(np.arange(150) < 4 * EVENTS_FOR_DEVIATION, **patients(150))
    said = learn(believed, cohort, 1, RECIPES[name]).local_deviation
    assert ("local deviation fitted" in said) == (name == "anchored_ridge")
    assert ("effects held" in said) == (name == "recalibrated_evidence")
    assert "evidence slope" in said


def test_no_cohort_says_so(believed: ModelPrior) -> None:
    learnt = learn(believed, None, 1)
    assert learnt.local_deviation == "no cohort: evidence only"
    assert len(learnt.model.trees) == 0


# ---- Awkward cohorts ---------------------------------------------------------------------------


def test_one_product_only(believed: ModelPrior, cohort_of: Build) -> None:
    cohort = drawn(120, cohort_of, believed)
    assert len(set(cohort.columns["product"])) == 1
    assert_finite(learn(believed, cohort, 1, RIDGE), cohort)


@pytest.mark.parametrize("value", [5.0, np.nan])
def test_a_constant_or_missing_predictor_keeps_its_published_effect(
    believed: ModelPrior, cohort_of: Build, value: float
) -> None:
    columns = {**patients(150), "crp": np.full(150, value)}
    cohort = cohort_of(np.arange(150) % 4 == 0, **columns)
    learnt = learn(believed, cohort, 1, RIDGE)
    assert_finite(learnt, cohort)
    j = [term.name for term in believed.terms].index("crp")
    assert learnt.model.coefficients[j] * believed.terms[j].direction >= 0


def test_a_predictor_that_separates_perfectly(believed: ModelPrior, cohort_of: Build) -> None:
    columns = patients(200)
    cohort = cohort_of(columns["ferritin"] > np.quantile(columns["ferritin"], 0.8), **columns)
    learnt = learn(believed, cohort, 1)
    assert_finite(learnt, cohort)
    assert np.abs(learnt.model.coefficients).max() < 10
    logit = learnt.model.predict(cohort.columns).logit
    assert logit[cohort.outcome == 1].mean() > logit[cohort.outcome == 0].mean() + 1.5


def test_patients_outside_every_cell_are_left_out(believed: ModelPrior, cohort_of: Build) -> None:
    inside = drawn(120, cohort_of, believed)
    columns = {
        name: np.concatenate([column, column[:40]]) for name, column in inside.columns.items()
    }
    columns["product"][120:] = "unheard_of"
    outcome = np.concatenate([inside.outcome, np.ones(40)])
    mixed = cohort_of(
        outcome,
        product=columns.pop("product").tolist(),
        disease=columns.pop("disease").tolist(),
        **columns,
    )
    assert len(rows_of(learn(believed, None, 1).model, mixed).y) == 120
    first, second = (learn(believed, cohort, 1, RIDGE) for cohort in (inside, mixed))
    np.testing.assert_array_equal(first.model.posterior.mean, second.model.posterior.mean)
    assert first.model.recalibration == second.model.recalibration


def test_the_design_marks_intercept_and_one_cell(believed: ModelPrior, cohort_of: Build) -> None:
    cohort = drawn(50, cohort_of, believed)
    rows = rows_of(learn(believed, None, 1).model, cohort)
    assert (rows.X[:, 0] == 1).all()
    assert (rows.X[:, 1 : 1 + len(believed.cells)].sum(axis=1) == 1).all()
    np.testing.assert_array_equal(rows.X[:, 1 + len(believed.cells) :], rows.values)


# ---- More data ---------------------------------------------------------------------------------


def test_more_patients_narrow_the_interval(believed: ModelPrior, cohort_of: Build) -> None:
    probe = cohort_of(np.zeros(50), **patients(50, seed=99)).columns
    widths = []
    for n in (0, 150, 2500):
        cohort = drawn(n, cohort_of, believed, seed=7) if n else None
        prediction = learn(believed, cohort, 1, RIDGE).model.predict(probe)
        widths.append(float((prediction.high - prediction.low).mean()))
    assert widths[0] > widths[1] > widths[2]


def test_a_centre_with_other_rates_is_found(believed: ModelPrior, cohort_of: Build) -> None:
    columns = patients(600)
    cohort = cohort_of(np.random.default_rng(3).random(600) < 0.5, **columns)
    anchor, learnt = (learn(believed, c, 1, RIDGE).model for c in (None, cohort))
    assert anchor.predict(cohort.columns).risk.mean() < 0.35
    assert learnt.predict(cohort.columns).risk.mean() == pytest.approx(0.5, abs=0.06)


def test_without_trees_the_level_is_the_posterior_s_alone(
    believed: ModelPrior, cohort_of: Build
) -> None:
    """Where the model is right the posterior is right; no event speaks twice."""
    columns = patients(300)
    cohort = cohort_of(np.random.default_rng(3).random(300) < 0.6, **columns)
    learnt = learn(believed, cohort, 1, RIDGE)
    alone = fit_posterior(rows_of(learnt.model, cohort).X, cohort.outcome, believed.prior)
    row = rows_of(learnt.model, cohort).X[:1]
    assert learnt.model.predict(cohort.columns).logit[0] == pytest.approx(
        float(row[0] @ alone.posterior.mean), abs=1e-9
    )


@pytest.mark.parametrize("n", [0, 600])
def test_the_interval_holds_effects_that_differ_between_patients(
    believed: ModelPrior, cohort_of: Build, n: int
) -> None:
    """A share of an effect's size, on top of what is not known of its mean."""
    cohort = drawn(n, cohort_of, believed) if n else None
    model = learn(believed, cohort, 1, RIDGE).model
    if cohort is None:
        expected = prior_only(believed.prior).posterior.covariance
    else:
        fitted = fit_posterior(rows_of(model, cohort).X, cohort.outcome, believed.prior)
        expected = DISPERSION * fitted.posterior.covariance
    effects = np.zeros(len(expected))
    effects[believed.prior.n_free :] = BETWEEN_PATIENTS * model.coefficients
    np.testing.assert_allclose(
        model.posterior.covariance, expected + np.diag(effects**2), rtol=0, atol=1e-12
    )


def test_a_reversed_effect_is_let_go_by_name(believed: ModelPrior, cohort_of: Build) -> None:
    columns = patients(2500)
    z = -1.0 - 1.2 * (np.log(columns["ferritin"]) - 5.8)
    cohort = cohort_of(np.random.default_rng(3).random(2500) < expit(z), **columns)
    assert "ferritin" in learn(believed, cohort, 1, RIDGE).released


def test_trees_grow_only_where_they_help(believed: ModelPrior, cohort_of: Build) -> None:
    columns = patients(1500)
    late = columns["age"] > np.quantile(columns["age"], 0.75)
    steep = np.random.default_rng(4).random(1500) < np.where(late, 0.7, 0.08)
    helped = learn(believed, cohort_of(steep, **columns), 1)
    assert helped.rounds == len(helped.model.trees) > 0
    assert f"{helped.rounds} trees" in helped.local_deviation
    assert "recalibrated, intercept and slope" in helped.local_deviation
    assert helped.model.recalibration != Recalibration()
    linear = learn(believed, cohort_of(steep, **columns), 1, RIDGE)
    assert (linear.rounds, len(linear.model.trees)) == (0, 0)
    assert linear.model.recalibration == Recalibration()


def test_the_same_cohort_and_seed_give_the_same_model(
    believed: ModelPrior, cohort_of: Build
) -> None:
    cohort = drawn(200, cohort_of, believed)
    first, again = (learn(believed, cohort, 4) for _ in range(2))
    np.testing.assert_array_equal(first.model.posterior.mean, again.model.posterior.mean)
    assert first.model.recalibration == again.model.recalibration


# ---- Recalibration -------------------------------------------------------------------------------


def stated(n: int, slope: float, shift: float = 0.0, seed: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.0, 1.5, n)
    return z, (rng.random(n) < expit(shift + slope * z)).astype(float)


@pytest.mark.parametrize("n", [100, 5000])
def test_calibrated_risks_are_left_alone(n: int) -> None:
    given = recalibrate(*stated(n, slope=1.0), between_centres=0.5)
    assert given.intercept == pytest.approx(0.0, abs=0.25)
    assert given.slope == pytest.approx(1.0, abs=0.25)


def test_too_extreme_risks_are_drawn_in_as_far_as_events_say() -> None:
    few, many = (recalibrate(*stated(n, slope=0.5), between_centres=0.5) for n in (200, 8000))
    assert many.slope == pytest.approx(0.5, abs=0.06)
    assert many.slope < few.slope < 1.0


def test_a_shift_between_centres_is_followed() -> None:
    given = recalibrate(*stated(4000, slope=1.0, shift=-0.8), between_centres=0.5)
    assert given.intercept == pytest.approx(-0.8, abs=0.15)


def test_below_thirty_events_only_the_intercept_moves() -> None:
    z, y = stated(2000, slope=0.3)
    events = np.flatnonzero(y == 1)[: EVENTS_FOR_SLOPE - 1]
    kept = np.concatenate([events, np.flatnonzero(y == 0)[:100]])
    assert recalibrate(z[kept], y[kept], between_centres=0.5).slope == 1.0


def test_few_without_the_event_say_as_little_of_a_slope_as_few_with_it() -> None:
    z, y = stated(2000, slope=0.3)
    others = np.flatnonzero(y == 0)[: EVENTS_FOR_SLOPE - 1]
    kept = np.concatenate([others, np.flatnonzero(y == 1)[:100]])
    assert recalibrate(z[kept], y[kept], between_centres=0.5).slope == 1.0


def test_the_spread_between_centres_bounds_the_shift() -> None:
    z, y = stated(60, slope=1.0, shift=1.5)
    tight, loose = (recalibrate(z, y, between_centres=s) for s in (0.05, 1.5))
    assert abs(tight.intercept) < 0.1 < abs(loose.intercept)


# ---- Copies of a patient ------------------------------------------------------------------------


def test_a_bootstrap_sample_is_not_taken_for_more_patients(
    believed: ModelPrior, cohort_of: Build
) -> None:
    """Trees chosen on copies of the patients that they were grown on would fit the copies."""
    cohort = drawn(400, cohort_of, believed)
    copies = cohort.take(np.tile(np.arange(len(cohort)), 4))
    assert learn(believed, copies, 1).rounds == 0
