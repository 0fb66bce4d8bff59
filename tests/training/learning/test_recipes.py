"""Every recipe ends in a model of the same kind; they differ in what is believed before."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from data_schemas.evidence import Evidence
from data_schemas.outcomes import OUTCOMES
from serving.assess import model_statement
from serving.model.artefact import canonical_json, model_from_json, model_to_json
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort, learning_cohort
from training.experiment import ExperimentRefused, read_experiment
from training.learning import boosting
from training.learning.learner import Learnt, learn
from training.learning.prior import ModelPrior, evidence_prior
from training.learning.recipes import DEFAULT, RECIPES
from training.pipeline import train

Array = np.ndarray
Build = Callable[..., LearningCohort]
Write = Callable[..., Path]

EVERY_RECIPE = pytest.mark.parametrize("name", RECIPES)
FIXED = ("product_rate", "evidence")
WITHOUT_LITERATURE = ("ridge", "xgboost")
TUNED = ("xgboost", "anchored_xgboost")


@pytest.fixture(scope="module", autouse=True)
def few_trials() -> Iterator[None]:
    """Three settings tried are a search as well as twenty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "TRIALS", 3)
        yield


@pytest.fixture(scope="module")
def cohort(simulated_file: Path) -> LearningCohort:
    return learning_cohort(simulated_file, OUTCOMES["severe_icans"])


@pytest.fixture(scope="module")
def believed(evidence: Evidence, experiment_file: Write) -> ModelPrior:
    return evidence_prior(evidence, read_experiment(experiment_file()))


@pytest.fixture(scope="module")
def learnt(believed: ModelPrior, cohort: LearningCohort) -> dict[str, Learnt]:
    return {name: learn(believed, cohort, 7, recipe) for name, recipe in RECIPES.items()}


@pytest.fixture(scope="module")
def stepped(cohort_of: Build) -> LearningCohort:
    """A step in ferritin that trees find, and CRP the wrong way round."""
    rng = np.random.default_rng(4)
    columns = {
        "age": rng.normal(60, 12, 300),
        "crp": rng.lognormal(2.7, 1.0, 300),
        "ferritin": rng.lognormal(5.8, 1.0, 300),
    }
    high = columns["ferritin"] > np.quantile(columns["ferritin"], 0.7)
    low = columns["crp"] < np.median(columns["crp"])
    return cohort_of(rng.random(300) < np.where(high, 0.5, 0.03) + 0.3 * low, **columns)


def same(first: RiskModel, second: RiskModel) -> bool:
    return canonical_json(model_to_json(first)) == canonical_json(model_to_json(second))


def another_literature(evidence: Evidence) -> Evidence:
    """Return evidence in which every ratio is 1.5 times as high and severe ICANS half as common."""
    ratios = ("effect", "ci_low", "ci_high")
    associations = tuple(
        row.model_copy(update={f: 1.5 * v for f in ratios if (v := getattr(row, f)) is not None})
        if row.measure in ("OR", "HR", "RR")
        else row
        for row in evidence.associations
    )
    incidence = tuple(
        row.model_copy(update={"icans_severe_pct": row.icans_severe_pct / 2})
        if row.icans_severe_pct
        else row
        for row in evidence.incidence
    )
    return replace(evidence, associations=associations, incidence=incidence)


# ---- Every recipe ------------------------------------------------------------------------------


@EVERY_RECIPE
def test_contributions_add_up(learnt: dict[str, Learnt], cohort: LearningCohort, name: str) -> None:
    prediction = learnt[name].model.predict(cohort.columns)
    inside = prediction.in_scope
    assert inside.sum() > 250
    added = prediction.base + prediction.contributions.sum(axis=1)
    np.testing.assert_allclose(added[inside], prediction.logit[inside], atol=1e-12)
    assert (prediction.low < prediction.logit)[inside].all()
    assert (prediction.logit < prediction.high)[inside].all()


@EVERY_RECIPE
def test_a_model_survives_its_own_file(
    learnt: dict[str, Learnt], cohort: LearningCohort, name: str
) -> None:
    model = learnt[name].model
    again = model_from_json(canonical_json(model_to_json(model)))
    assert same(again, model)
    np.testing.assert_array_equal(
        again.predict(cohort.columns).logit, model.predict(cohort.columns).logit
    )


@EVERY_RECIPE
def test_patients_are_counted_where_they_had_a_hand_in_it(
    learnt: dict[str, Learnt], cohort: LearningCohort, name: str
) -> None:
    assert (learnt[name].patients == 0) == (name in FIXED)
    assert learnt[name].patients in (0, len(cohort))
    assert ("takes nothing from a cohort" in learnt[name].local_deviation) == (name in FIXED)


@EVERY_RECIPE
def test_trees_grow_only_where_the_recipe_has_them(learnt: dict[str, Learnt], name: str) -> None:
    grown = len(learnt[name].model.trees)
    assert grown == learnt[name].rounds
    assert grown == 0 or RECIPES[name].tree_weight > 0


# ---- What each one believes --------------------------------------------------------------------


def test_the_product_rate_is_everybodys_published_rate(
    learnt: dict[str, Learnt], cohort: LearningCohort
) -> None:
    model = learnt["product_rate"].model
    prediction, cell = model.predict(cohort.columns), model.cell_of(cohort.columns)
    rate = np.array([model.cells[i].base_rate for i in cell[cell >= 0]])
    assert len(set(rate.tolist())) > 3
    np.testing.assert_allclose(prediction.risk[cell >= 0], rate, rtol=0, atol=1e-9)
    np.testing.assert_allclose(prediction.contributions[cell >= 0], 0.0, atol=1e-9)


@pytest.mark.parametrize("name", FIXED)
def test_what_is_fixed_ignores_the_cohort(
    learnt: dict[str, Learnt], believed: ModelPrior, name: str
) -> None:
    assert same(learnt[name].model, learn(believed, None, 1, RECIPES[name]).model)


def test_the_evidence_is_the_published_prior(
    learnt: dict[str, Learnt], believed: ModelPrior
) -> None:
    published = believed.prior.mean[believed.prior.n_free :]
    coefficients = learnt["evidence"].model.coefficients
    assert np.corrcoef(coefficients, published)[0, 1] > 0.999
    assert not same(learnt["evidence"].model, learnt["product_rate"].model)


@pytest.mark.parametrize("name", ["recalibrated_evidence", "anchored_xgboost"])
def test_recalibration_keeps_the_ratios_between_published_effects(
    learnt: dict[str, Learnt], believed: ModelPrior, name: str
) -> None:
    published = believed.prior.mean[believed.prior.n_free :]
    coefficients = learnt[name].model.coefficients
    factor = coefficients @ published / (published @ published)
    np.testing.assert_allclose(coefficients, factor * published, atol=1e-5)
    assert 0 < factor <= 2
    # A learner whose effects are free to move does move them.
    anchored = learnt["anchored_ridge"].model.coefficients
    assert np.abs(anchored - factor * published).max() > 0.01


@pytest.mark.parametrize("name", RECIPES)
def test_only_some_recipes_know_the_literature(
    evidence: Evidence,
    experiment_file: Write,
    believed: ModelPrior,
    cohort: LearningCohort,
    learnt: dict[str, Learnt],
    name: str,
) -> None:
    other = evidence_prior(another_literature(evidence), read_experiment(experiment_file()))
    assert not np.allclose(other.prior.mean, believed.prior.mean, atol=0.1)
    before, after = learnt[name].model, learn(other, cohort, 7, RECIPES[name]).model
    unmoved = np.array_equal(before.posterior.mean, after.posterior.mean)
    assert unmoved == (name in WITHOUT_LITERATURE)
    if unmoved:
        assert np.array_equal(before.posterior.covariance, after.posterior.covariance)
        assert np.array_equal(before.trees.leaf, after.trees.leaf)


@pytest.mark.parametrize("name", WITHOUT_LITERATURE)
def test_recalibration_without_literature_knows_none(
    evidence: Evidence,
    experiment_file: Write,
    cohort: LearningCohort,
    learnt: dict[str, Learnt],
    name: str,
) -> None:
    other = evidence_prior(another_literature(evidence), read_experiment(experiment_file()))
    after = learn(other, cohort, 7, RECIPES[name]).model
    assert after.recalibration == learnt[name].model.recalibration


def test_xgboost_leaves_the_linear_part_to_the_intercepts(learnt: dict[str, Learnt]) -> None:
    np.testing.assert_allclose(learnt["xgboost"].model.coefficients, 0.0, atol=1e-3)
    assert np.abs(learnt["ridge"].model.coefficients).max() > 0.05


# ---- Tuned trees -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=TUNED)
def tuned(
    request: pytest.FixtureRequest, believed: ModelPrior, stepped: LearningCohort
) -> tuple[Learnt, Learnt]:
    """The same recipe, cohort and seed, learnt twice."""
    first, again = (learn(believed, stepped, 5, RECIPES[request.param]) for _ in range(2))
    return first, again


def test_the_same_seed_tunes_the_same_trees(tuned: tuple[Learnt, Learnt]) -> None:
    first, again = tuned
    assert first.rounds > 0
    assert first.booster is not None
    assert again.booster is not None
    assert first.booster.save_raw("ubj") == again.booster.save_raw("ubj")
    assert same(first.model, again.model)


def test_tuned_trees_keep_the_declared_directions(tuned: tuple[Learnt, Learnt]) -> None:
    learnt, _ = tuned
    model = learnt.model
    assert learnt.released == ()
    directions = [term.direction for term in model.terms]
    assert +1 in directions
    line = np.linspace(-4, 4, 100)
    for others in np.random.default_rng(6).standard_normal((10, len(directions))):
        for j, direction in enumerate(directions):
            values = np.tile(others, (100, 1))
            values[:, j] = line
            risen = np.diff(values @ model.coefficients + model.trees.log_odds(values))
            assert (direction * risen >= -1e-9).all()


def test_optuna_chooses_how_trees_grow(
    believed: ModelPrior, stepped: LearningCohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[boosting.Growth] = []
    plan = boosting._plan

    def noted(folds: object, direction: Array, weight: float, growth: boosting.Growth) -> object:
        asked.append(growth)
        return plan(folds, direction, weight, growth)  # type: ignore[arg-type]

    monkeypatch.setattr(boosting, "_plan", noted)
    learn(believed, stepped, 5, RECIPES["xgboost"])
    *tried, chosen = asked
    assert len({growth.eta for growth in tried}) == boosting.TRIALS
    assert chosen in tried
    asked.clear()
    learn(believed, stepped, 5, RECIPES[DEFAULT])
    assert asked == [boosting.Growth(5)]


# ---- Experiments -------------------------------------------------------------------------------


def named(name: str, experiment_file: Write) -> Path:
    text = experiment_file().read_text("utf-8").replace('"anchored_ridge"', f'"{name}"')
    return experiment_file(text)


@EVERY_RECIPE
def test_an_experiment_may_name_every_recipe(experiment_file: Write, name: str) -> None:
    assert read_experiment(named(name, experiment_file)).learner.name == name


@pytest.mark.parametrize("name", ["Anchored", "catboost", ""])
def test_an_experiment_may_name_no_other(experiment_file: Write, name: str) -> None:
    with pytest.raises(ExperimentRefused, match=r"learner\.name"):
        read_experiment(named(name, experiment_file))


@pytest.mark.parametrize("name", FIXED)
def test_a_learner_that_takes_nothing_says_no_patients(
    experiment_file: Write, simulated_file: Path, tmp_path: Path, name: str
) -> None:
    manifest = train(named(name, experiment_file), simulated_file, tmp_path).artefact.manifest
    stated = manifest.cohort
    assert (manifest.learner, stated.patients, stated.events, stated.sites) == (name, 0, 0, 0)
    assert not stated.is_simulated
    assert "fitted on no patient" in model_statement(manifest)
    # Nobody had a hand in it, so that all of them may judge it.
    assert {m.on for m in manifest.performance} == {
        "simulated patients, never clinical performance"
    }


def test_the_expectation_of_no_effects_is_the_rate(believed: ModelPrior) -> None:
    """Without effects the typical patient is the mean one; with them it is not."""
    model = learn(believed, None, 1, RECIPES["evidence"]).model
    typical = expit(model.posterior.mean[1 : 1 + len(model.cells)])
    mean = np.array([cell.base_rate for cell in model.cells])
    assert (typical[mean < 0.3] < mean[mean < 0.3]).all()
