"""A run ends in a judgement: the whole pipeline repeated on patients whom it has not seen.

A model of a cohort is resampled within it; a model of no patient is rehearsed on simulated centres
whose truth differs from the evidence.
What is judged, the scored cohort, is kept, so that every number can be computed again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from data_schemas.evidence import load_evidence
from data_schemas.model_manifest import Measure
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.evaluation.asked import Asked, declared_range
from training.evaluation.evaluate import evaluate
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.experiment import Experiment
from training.judging.comparators import EVIDENCE, PRODUCT_RATE, product_rate, with_recalibrated
from training.judging.recognised import known_by
from training.judging.resampling import cross_validation_folds, resample
from training.judging.subgroups import groups_of
from training.learning.learner import Learnt, learn
from training.learning.prior import ModelPrior, experiment_prior
from training.learning.recipes import RECIPES, Effects
from training.simulation.rehearsal import SIMULATED, against_truth, simulated_centres

Array = np.ndarray
Progress = Callable[[str, float], None]
"""Told what is being done and which share of the whole run is done, 0 to 1."""

HEADLINE = (
    "auroc",
    "calibration_slope",
    "calibration_intercept",
    "observed_over_expected",
    "log_loss",
    "brier",
    "scaled_brier",
    "ici",
)
"""The measures of the leading view that a model's manifest carries."""

REHEARSAL_DRAWS = 200
"""Bootstrap draws where patients are simulated: there are thousands of them."""


@dataclass(frozen=True)
class Judgement:
    """What was judged, all that was measured of it, and the part that the manifest carries."""

    scored: ScoredCohort
    evaluation: Evaluation
    measures: tuple[Measure, ...]


def judge(
    experiment: Experiment,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort | None,
    progress: Progress,
) -> Judgement:
    """Return how well a model does: within its cohort, or rehearsed where it has none."""
    if cohort is None:
        return _rehearsed(experiment, learnt.model, progress)
    scored = _scored(experiment, model_prior, learnt, cohort, progress)
    progress("measuring", 0.8)
    evaluation = evaluate(scored, _asked(experiment, learnt, cohort))
    return Judgement(scored, evaluation, headline(evaluation, experiment.validation.folds))


def _scored(
    experiment: Experiment,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort,
    progress: Progress,
) -> ScoredCohort:
    """Score a cohort with its model and with repetitions of the pipeline.

    Where the cohort had no hand in the model its patients are new to it, and nothing is repeated.
    """
    validation, seed = experiment.validation, experiment.seed
    folds = cross_validation_folds(cohort, validation.folds, 1, seed)
    published = _published(experiment, model_prior, cohort)
    beside = with_recalibrated(published, cohort, folds[0] if folds else [])
    scored = scored_by(learnt.model, cohort, fitted_here=False, comparators=beside)
    if learnt.patients == 0:
        return scored

    def told(done: int, of: int) -> None:
        progress(f"repetition {done} of {of}", 0.2 + 0.6 * done / of)

    repeated = resample(partial(log_odds_learnt_from, experiment), cohort, validation, seed, told)
    return replace(scored, fitted_here=True, **vars(repeated))


def log_odds_learnt_from(
    experiment: Experiment, seen: LearningCohort, new: LearningCohort
) -> Array:
    """Run the whole pipeline on some patients and return the log-odds of others."""
    model_prior = experiment_prior(load_evidence(), experiment, seen)
    learnt = learn(model_prior, seen, experiment.seed, RECIPES[experiment.learner.name])
    return learnt.model.predict(new.columns).logit


def _published(
    experiment: Experiment, model_prior: ModelPrior, cohort: LearningCohort
) -> dict[str, Array]:
    """Return log-odds by published figures alone; none where nothing is published."""
    if not experiment.anchor.evidence:
        return {}
    evidence = learn(model_prior, None, experiment.seed, RECIPES[EVIDENCE]).model
    return {
        PRODUCT_RATE: product_rate(evidence, cohort),
        EVIDENCE: evidence.predict(cohort.columns).logit,
    }


def scored_by(
    model: RiskModel, cohort: LearningCohort, *, fitted_here: bool, comparators: dict[str, Array]
) -> ScoredCohort:
    """Return a cohort with what a finished model says of it."""
    prediction = model.predict(cohort.columns)
    return ScoredCohort(
        on=who(cohort),
        fitted_here=fitted_here,
        outcome=cohort.outcome,
        model=prediction.logit,
        low=prediction.low,
        high=prediction.high,
        comparators=comparators,
        groups=groups_of(cohort),
        known_by=known_by(cohort),
    )


def who(cohort: LearningCohort) -> str:
    """Say who the patients are: real, or simulated."""
    return "simulated patients, never clinical performance" if cohort.synthetic else "real patients"


def _asked(experiment: Experiment, learnt: Learnt, cohort: LearningCohort) -> Asked:
    validation = experiment.validation
    return Asked(
        seed=experiment.seed,
        net_benefit_range=validation.net_benefit_range or declared_range(experiment.outcome.name),
        thresholds=validation.thresholds,
        parameters=_candidate_parameters(experiment, learnt.model, cohort),
    )


def _candidate_parameters(
    experiment: Experiment, model: RiskModel, cohort: LearningCohort
) -> int | None:
    """Count what the cohort may change: products in diseases beyond the first, and terms.

    Trees count as their columns, which is the least that they can be counted as.
    """
    recipe = RECIPES[experiment.learner.name]
    moves_effects = recipe.effects in (Effects.FREE, Effects.PUBLISHED) or recipe.tree_weight > 0
    cells = len(set(model.cell_of(cohort.columns).tolist()))
    return cells - 1 + (len(model.terms) if moves_effects else 0) or None


def headline(evaluation: Evaluation, folds: int) -> tuple[Measure, ...]:
    """Return the measures of the leading view, and the instability, as the manifest carries them.

    There are none where no view leads or a number could not be had.
    """
    view = evaluation.headline
    if view is None:
        return ()
    on = evaluation.on
    if evaluation.leading == "cross_validated":
        on = f"{view.repeats} x {folds}-fold cross-validation, {on}"
    patients, estimates = view.measures.patients, view.measures.estimates()
    led = [
        Measure(name=name, value=e.value, low=e.low, high=e.high, on=on, patients=patients)
        for name in HEADLINE
        if (e := estimates[name]).value is not None
    ]
    return (*led, *_instability(evaluation))


def _instability(evaluation: Evaluation) -> Iterator[Measure]:
    found = evaluation.instability
    if found is None:
        return
    values = {
        "bootstrap_mean_absolute_change": found.mean_absolute_change,
        "interval_width_over_bootstrap": found.served_over_bootstrap,
    }
    on = f"{found.refits} bootstrap refits, {evaluation.on}"
    for name, value in values.items():
        if value is not None:
            yield Measure(name=name, value=value, on=on, patients=found.patients)


def _rehearsed(experiment: Experiment, model: RiskModel, progress: Progress) -> Judgement:
    """Try a model of no patients on simulated centres whose truth differs from the evidence."""
    progress("simulating centres", 0.2)
    cohort, truth = simulated_centres(experiment)
    progress("measuring", 0.5)
    beside = {PRODUCT_RATE: product_rate(model, cohort)}
    scored = scored_by(model, cohort, fitted_here=False, comparators=beside)
    nobody = np.empty(0, dtype=np.uint64)
    scored = replace(scored, on=SIMULATED, known_by=nobody)
    asked = Asked(
        seed=experiment.seed,
        draws=REHEARSAL_DRAWS,
        net_benefit_range=declared_range(experiment.outcome.name),
    )
    evaluation = evaluate(scored, asked)
    found = against_truth(model, cohort.columns, truth)
    values = {
        "excess_log_loss": found.excess_log_loss,
        "excess_over_product_rate": found.excess_log_loss / found.of_product_rate,
        "interval_coverage": found.coverage,
    }
    truths = tuple(
        Measure(name=name, value=value, on=SIMULATED, patients=found.patients)
        for name, value in values.items()
    )
    return Judgement(scored, evaluation, headline(evaluation, experiment.validation.folds) + truths)
