"""A judgement is of patients whom the fit has not seen: what is only noise is told to be noise."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from data_schemas.evidence import Evidence
from data_schemas.outcomes import OUTCOMES
from data_schemas.predictors import PREDICTORS, Quantity
from serving.answer.published_scores import PUBLISHED_SCORES
from training.cohort import LearningCohort, learning_cohort
from training.evaluation.record import Evaluation
from training.experiment import Experiment, LearnerSection, ValidationSection, read_experiment
from training.judging.judgement import HEADLINE, Judgement, judge, log_odds_learnt_from
from training.judging.resampling import cross_validation_folds, resample
from training.learning.learner import learn
from training.learning.prior import experiment_prior
from training.learning.recipes import RECIPES
from training.pipeline import Run, silent
from training.simulation.rehearsal import SIMULATED

Array = np.ndarray
Build = Callable[..., LearningCohort]
Write = Callable[..., Path]
SCORES = {score.name for score in PUBLISHED_SCORES}
PUBLISHED = {"product_rate", "evidence", "recalibrated_product_rate", "recalibrated_evidence"}


def judged(experiment: Experiment, cohort: LearningCohort, evidence: Evidence) -> Judgement:
    prior = experiment_prior(evidence, experiment, cohort)
    learnt = learn(prior, cohort, experiment.seed, RECIPES[experiment.learner.name])
    return judge(experiment, prior, learnt, cohort, silent)


@pytest.fixture(scope="module")
def cohort(simulated_file: Path) -> LearningCohort:
    return learning_cohort(simulated_file, OUTCOMES["severe_icans"])


# ---- Pure noise ----------------------------------------------------------------------------------

MANY = tuple(
    name
    for name, declared in PREDICTORS.items()
    if isinstance(declared, Quantity) and not declared.diseases and name != "ldh_uln"
)
FEW = ("crp", "ferritin", "platelets", "age", "albumin", "creatinine")
COHORTS, PATIENTS = 5, 240


def learnt_from_coins(
    predictors: tuple[str, ...], write: Write, build: Build, evidence: Evidence
) -> list[Evaluation]:
    """Judge models that learnt from coins and from predictors that know nothing of them."""
    listed = ", ".join(f'"{name}"' for name in predictors)
    experiment = read_experiment(
        write(
            f"predictors = [{listed}]\nseed = 3\n"
            '[outcome]\nname = "chance"\nlabel = "Chance"\ndefinition = "a coin"\n'
            'horizon_days = 28\nreference = "nobody"\n'
            '[anchor]\nevidence = false\n[learner]\nname = "ridge"\n'
            "[validation]\nfolds = 5\nrepeats = 2\nbootstrap_refits = 20\n"
        )
    )
    evaluations = []
    for seed in range(COHORTS):
        rng = np.random.default_rng(seed)
        columns = {name: rng.uniform(*_ordinary(name), PATIENTS) for name in predictors}
        coins = rng.permutation(np.arange(PATIENTS) < 0.3 * PATIENTS)
        evaluations.append(judged(experiment, build(coins, **columns), evidence).evaluation)
    return evaluations


def _ordinary(name: str) -> tuple[float, float]:
    declared = PREDICTORS[name]
    assert isinstance(declared, Quantity)
    low, high = declared.soft
    return max(low, high / 50), high


@pytest.fixture(scope="module")
def of_much_noise(experiment_file: Write, cohort_of: Build, evidence: Evidence) -> list[Evaluation]:
    return learnt_from_coins(MANY, experiment_file, cohort_of, evidence)


@pytest.fixture(scope="module")
def of_little_noise(
    experiment_file: Write, cohort_of: Build, evidence: Evidence
) -> list[Evaluation]:
    return learnt_from_coins(FEW, experiment_file, cohort_of, evidence)


def aurocs(evaluations: list[Evaluation], view: str) -> float:
    """Return the mean AUROC of a view."""
    found = [
        e.optimism_corrected.auroc.corrected.value
        if view == "corrected" and e.optimism_corrected
        else getattr(e, view).measures.auroc.value
        for e in evaluations
    ]
    return float(np.mean(found))


ERROR = float(np.sqrt((PATIENTS + 1) / (12 * 0.3 * 0.7 * PATIENTS**2) / COHORTS))
"""Standard error of the mean AUROC of noise, which is 0.5 (Mann and Whitney)."""


def test_the_apparent_auroc_of_pure_noise_is_not_a_half(
    of_much_noise: list[Evaluation], of_little_noise: list[Evaluation]
) -> None:
    assert aurocs(of_much_noise, "apparent") > 0.5 + 10 * ERROR
    assert aurocs(of_little_noise, "apparent") > 0.5 + 3 * ERROR


def test_the_leading_auroc_of_pure_noise_is_a_half(
    of_much_noise: list[Evaluation], of_little_noise: list[Evaluation]
) -> None:
    for evaluations in (of_much_noise, of_little_noise):
        assert {e.leading for e in evaluations} == {"cross_validated"}
        assert aurocs(evaluations, "headline") == pytest.approx(0.5, abs=3 * ERROR)


def test_the_optimism_corrected_auroc_of_little_noise_is_a_half(
    of_little_noise: list[Evaluation],
) -> None:
    assert aurocs(of_little_noise, "corrected") == pytest.approx(0.5, abs=3 * ERROR)


def test_two_events_a_predictor_flatter_the_bootstrap_which_is_why_it_does_not_lead(
    of_much_noise: list[Evaluation],
) -> None:
    """Too little is taken off where learners overfit much (Iba K, BMC Med Res Methodol 2021)."""
    corrected = aurocs(of_much_noise, "corrected")
    assert 0.5 + 3 * ERROR < corrected < aurocs(of_much_noise, "apparent") - 5 * ERROR


# ---- A model of a cohort -------------------------------------------------------------------------


def test_everything_that_judges_is_there(cohort_run: Run) -> None:
    scored = cohort_run.judgement.scored
    n = len(scored)
    assert scored.fitted_here
    assert scored.left_out.shape == (1, n)
    assert scored.refits.shape == scored.drawn.shape == (3, n)
    assert set(scored.without) == {"site", "product", "later"}
    assert set(scored.comparators) == PUBLISHED | SCORES
    assert set(scored.groups) == {"site", "product", "disease", "age", "sex", "year"}
    assert np.isfinite(scored.left_out).all()
    assert (scored.low < scored.model).all()


def test_the_finished_model_is_scored_as_it_answers(
    cohort_run: Run, cohort: LearningCohort
) -> None:
    prediction = cohort_run.artefact.model.predict(cohort.columns)
    np.testing.assert_array_equal(cohort_run.judgement.scored.model, prediction.logit)
    np.testing.assert_array_equal(cohort_run.judgement.scored.high, prediction.high)


def test_a_patient_is_left_out_of_the_prior_the_fit_and_the_recalibration(
    cohort_run: Run, cohort: LearningCohort, evidence: Evidence
) -> None:
    experiment = cohort_run.experiment
    (folds,) = cross_validation_folds(cohort, 2, 1, experiment.seed)
    fold = folds[0]
    seen = cohort.take(fold.seen)
    prior = experiment_prior(evidence, experiment, seen)
    learnt = learn(prior, seen, experiment.seed, RECIPES[experiment.learner.name])
    expected = learnt.model.predict(cohort.take(fold.scored).columns).logit
    np.testing.assert_array_equal(cohort_run.judgement.scored.left_out[0, fold.scored], expected)


def test_the_number_of_workers_changes_no_number(cohort_run: Run, cohort: LearningCohort) -> None:
    learner = partial(log_odds_learnt_from, cohort_run.experiment)
    few = ValidationSection(folds=2, repeats=1, bootstrap_refits=2)
    alone, together = (resample(learner, cohort, few, 5, workers=w) for w in (1, 2))
    for name in ("left_out", "refits", "drawn"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(together, name))
    for kind, log_odds in alone.without.items():
        np.testing.assert_array_equal(log_odds, together.without[kind])


def test_the_manifest_carries_the_leading_view(cohort_run: Run) -> None:
    evaluation = cohort_run.judgement.evaluation
    assert evaluation.headline is evaluation.cross_validated
    assert evaluation.headline is not None
    estimates = evaluation.headline.measures.estimates()
    carried = {m.name: m for m in cohort_run.artefact.manifest.performance}
    assert set(HEADLINE) <= set(carried)
    for name in HEADLINE:
        found, measured = carried[name], estimates[name]
        assert (found.value, found.low, found.high) == (measured.value, measured.low, measured.high)
    assert carried["auroc"].on.startswith("1 x 2-fold cross-validation, simulated patients")


def test_every_dummy_and_product_counts_as_a_parameter(
    cohort_run: Run, cohort: LearningCohort
) -> None:
    pairs = set(zip(cohort.columns["product"], cohort.columns["disease"], strict=True))
    expected = len(pairs) - 1 + len(cohort_run.artefact.model.terms)
    assert cohort_run.judgement.evaluation.asked.parameters == expected


def test_declared_thresholds_are_those_of_the_experiment(
    experiment_file: Write, cohort: LearningCohort, evidence: Evidence
) -> None:
    experiment = read_experiment(experiment_file())
    declared = experiment.validation.model_copy(
        update={"thresholds": (0.1, 0.25), "net_benefit_range": (0.05, 0.4), "bootstrap_refits": 0}
    )
    experiment = experiment.model_copy(update={"validation": declared})
    evaluation = judged(experiment, cohort, evidence).evaluation
    assert evaluation.asked.net_benefit_range == (0.05, 0.4)
    assert evaluation.headline is not None
    assert [at.threshold for at in evaluation.headline.at_thresholds] == [0.1, 0.25]
    assert evaluation.instability is None


# ---- A model that the cohort had no hand in ------------------------------------------------------


def with_learner(experiment: Experiment, name: str) -> Experiment:
    return experiment.model_copy(update={"learner": LearnerSection(name=name)})


def test_patients_who_changed_nothing_judge_it_as_strangers(
    experiment_file: Write, cohort: LearningCohort, evidence: Evidence
) -> None:
    experiment = with_learner(read_experiment(experiment_file()), "evidence")
    found = judged(experiment, cohort, evidence)
    assert found.evaluation.leading == "external"
    assert found.evaluation.apparent is None
    assert found.scored.refits.size == found.scored.left_out.size == 0
    assert {m.on for m in found.measures} == {"simulated patients, never clinical performance"}


def test_a_rate_of_the_cohorts_own_has_seen_its_patients(
    experiment_file: Write, cohort: LearningCohort, evidence: Evidence
) -> None:
    path = experiment_file(sections="[anchor]\nevidence = false\n")
    found = judged(with_learner(read_experiment(path), "product_rate"), cohort, evidence)
    assert found.scored.fitted_here
    assert found.evaluation.leading == "cross_validated"
    assert set(found.scored.comparators) == SCORES


def test_fewer_events_than_folds_lead_nowhere(
    experiment_file: Write, cohort: LearningCohort, evidence: Evidence
) -> None:
    one_event = np.arange(len(cohort)) == 7
    few = replace(cohort, outcome=one_event.astype(float))
    found = judged(read_experiment(experiment_file()), few, evidence)
    assert found.evaluation.leading is None
    assert found.measures == ()
    said = found.evaluation.absent["leading"]
    assert said.endswith("fewer than 2 patients had the outcome, and each of 2 folds needs one")


def test_a_model_of_no_patient_is_rehearsed_on_simulated_centres(evidence_run: Run) -> None:
    found = evidence_run.judgement
    assert not found.scored.fitted_here
    assert found.evaluation.on == SIMULATED
    assert {m.on for m in found.measures} == {SIMULATED}
    assert set(found.scored.groups["site"]) == {"simulated centre 01"}
    truths = {"excess_log_loss", "excess_over_product_rate", "interval_coverage"}
    assert {m.name for m in found.measures} == {*HEADLINE, *truths}
