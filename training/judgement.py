"""A run ends in a judgement: the whole fit repeated on patients whom it has not seen.

A model of a cohort is cross-validated within it and refitted on bootstrap samples; a model of no
patient is rehearsed on simulated centres whose truth differs from the evidence.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from data_schemas.cohort_table import Purpose, read_cohort
from data_schemas.evidence import Evidence
from data_schemas.model_manifest import Measure
from training.cohort import LearningCohort
from training.experiment import Experiment
from training.learner import Learnt, learn
from training.performance import Judged, against_truth, folds, measures
from training.prior import ModelPrior, experiment_prior
from training.recipes import RECIPES
from training.stability import stability
from training.synthetic_cohort import simulate

Array = np.ndarray
Progress = Callable[[str, float], None]
"""Told what is being done and which share of the whole run is done, 0 to 1."""

SIMULATED = "simulated centres, never clinical performance"


@dataclass(frozen=True)
class Judgement:
    """How well a model did, on whom, and the log-odds and outcomes that say so."""

    measures: tuple[Measure, ...]
    judged: Judged | None
    on: str


def judge(
    evidence: Evidence,
    experiment: Experiment,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort | None,
    progress: Progress,
) -> Judgement:
    """Return how well a model does: within its cohort, or rehearsed where it has none."""
    if cohort is None:
        return _rehearsed(experiment, learnt, progress)
    judgement = _cross_validated(evidence, experiment, cohort, progress)
    return _with_stability(judgement, experiment, model_prior, learnt, cohort, progress)


def _with_stability(
    judgement: Judgement,
    experiment: Experiment,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort,
    progress: Progress,
) -> Judgement:
    refits = experiment.validation.bootstrap_refits
    if learnt.patients == 0 or refits == 0:
        return judgement
    recipe = RECIPES[experiment.learner.name]

    def told(done: int) -> None:
        progress(f"bootstrap refit {done} of {refits}", 0.6 + 0.3 * done / refits)

    found = stability(model_prior, cohort, learnt, recipe, experiment.seed, refits, told)
    values = {
        "bootstrap_mean_absolute_change": found.mean_absolute_change,
        "interval_width_over_bootstrap": found.width_over_bootstrap,
    }
    on = f"{refits} bootstrap refits, {_who(cohort)}"
    measured = tuple(
        Measure(name=name, value=value, on=on, patients=learnt.patients)
        for name, value in values.items()
    )
    return replace(judgement, measures=judgement.measures + measured)


def _who(cohort: LearningCohort) -> str:
    return "simulated patients, never clinical performance" if cohort.synthetic else "real patients"


def _cross_validated(
    evidence: Evidence, experiment: Experiment, cohort: LearningCohort, progress: Progress
) -> Judgement:
    """Repeat the whole fit, prior included, within folds of the cohort."""
    k = experiment.validation.folds
    smaller_class = min(cohort.events, len(cohort) - cohort.events)
    if smaller_class < k:
        return Judgement((), None, "too few events to cross-validate")
    log_odds = np.full(len(cohort), np.nan)
    recipe = RECIPES[experiment.learner.name]
    for i, (train_index, test_index) in enumerate(folds(cohort.outcome, k, experiment.seed)):
        progress(f"cross-validating, fold {i + 1} of {k}", 0.2 + 0.4 * i / k)
        seen = cohort.take(train_index)
        fold = learn(experiment_prior(evidence, experiment, seen), seen, experiment.seed, recipe)
        log_odds[test_index] = fold.model.predict(cohort.take(test_index).columns).logit
    known = ~np.isnan(log_odds)
    judged = Judged(log_odds[known], cohort.outcome[known])
    on = f"{k}-fold cross-validation, {_who(cohort)}"
    return Judgement(measures(judged, on), judged, on)


def _rehearsed(experiment: Experiment, learnt: Learnt, progress: Progress) -> Judgement:
    """Run a model of no patients on simulated centres whose truth differs from the evidence."""
    validation = experiment.validation
    judged, beside_truth = [], []
    for centre in range(validation.simulated_centres):
        done = 0.2 + 0.7 * centre / validation.simulated_centres
        progress(f"simulated centre {centre + 1} of {validation.simulated_centres}", done)
        simulated = simulate(validation.simulated_patients, 1, experiment.seed + 1 + centre)
        outcome = experiment.outcome.outcome()
        cohort = read_cohort(simulated.table, Purpose.SCORING)
        columns = cohort.columns()
        truth = simulated.truth[outcome.name].to_numpy()
        drawn = np.random.default_rng(experiment.seed + centre).random(len(truth)) < truth
        prediction = learnt.model.predict(columns)
        inside = prediction.in_scope
        judged.append((prediction.logit[inside], drawn[inside].astype(float)))
        beside_truth.append(against_truth(learnt.model, columns, truth))
    pooled = Judged(*(np.concatenate(part) for part in zip(*judged, strict=True)))
    n = len(pooled.outcome)
    excess = sum(t.excess_log_loss * t.patients for t in beside_truth) / n
    of_rate = sum(t.of_product_rate * t.patients for t in beside_truth) / n
    coverage = sum(t.coverage * t.patients for t in beside_truth) / n
    extra = {
        "excess_log_loss": excess,
        "excess_over_product_rate": excess / of_rate,
        "interval_coverage": coverage,
    }
    beside = tuple(
        Measure(name=name, value=value, on=SIMULATED, patients=n) for name, value in extra.items()
    )
    return Judgement(measures(pooled, SIMULATED) + beside, pooled, SIMULATED)
