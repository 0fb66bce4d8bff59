"""The whole run on one page: experiment, cohort, prior, model, judgement, artefact, reloaded."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data_schemas.evidence import Evidence, load_evidence
from data_schemas.outcomes import OUTCOMES, Outcome
from serving.model.artefact import Artefact, canonical_json, model_from_json, model_to_json
from serving.model.joint_risk import Association
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort, learning_cohort, within
from training.experiment import Experiment, OutcomeSection, read_experiment
from training.judging.judgement import Judgement, Progress, judge
from training.judging.ruling import rule
from training.judging.unanswered import without_a_number
from training.learning.association import known_in, published_association, with_cohort
from training.learning.learner import Learnt, learn, rows_of
from training.learning.prior import ModelPrior, experiment_prior
from training.learning.recipes import RECIPES
from training.model_card import prior_table
from training.reporting import report_model
from training.run_manifest import run_manifest
from training.saving import BOOSTER_FILE, EVALUATIONS, save_model, write_evaluation
from training.untaught import untaught
from training.verification import verify_trees


@dataclass(frozen=True)
class Run:
    """A trained, saved and reloaded model, and what it was trained by."""

    experiment: Experiment
    artefact: Artefact
    notices: tuple[str, ...]
    figures: dict[str, bytes]
    """PNG by file name, for people; not part of the artefact."""
    judgement: Judgement
    evaluation_folder: Path
    """Where the scored cohort, everything measured of it, and the report lie."""
    began: float
    """Seconds since 1970."""


def silent(_doing: str, _share: float) -> None:
    """Show no progress."""


def train(
    experiment_file: Path, cohort_file: Path | None, store: Path, progress: Progress = silent
) -> Run:
    """Train one experiment and save its artefact under ``store``.

    Linear algebra runs on one thread: on several, sums depend on how many, and so would the bytes.

    Raises
    ------
    ExperimentRefused, CohortRefused
        If the experiment or the cohort cannot be used; nothing is written then.
    """
    with threadpool_limits(limits=1):
        return _train(experiment_file, cohort_file, store, progress)


def _train(experiment_file: Path, cohort_file: Path | None, store: Path, progress: Progress) -> Run:
    began = time.time()
    experiment = read_experiment(experiment_file)
    outcome = experiment.outcome.outcome()
    evidence = load_evidence()
    progress("reading the cohort", 0.0)
    other = OUTCOMES[experiment.together.other] if experiment.together else None
    cohort = learning_cohort(cohort_file, outcome, other) if cohort_file else None
    model_prior = experiment_prior(evidence, experiment, cohort)
    if cohort is not None:
        cohort = within(cohort, {(c.product, c.disease) for c in model_prior.cells}, outcome)
    progress("fitting", 0.1)
    learnt = learn(model_prior, cohort, experiment.seed, RECIPES[experiment.learner.name])
    association = _associated(evidence, experiment, learnt, cohort)
    learnt = replace(learnt, model=_read_back(replace(learnt.model, association=association)))
    not_taught = untaught(cohort, learnt, experiment.predictors, model_prior)
    learnt = replace(learnt, untaught=not_taught)
    if cohort is not None:
        silent_of = without_a_number(learnt.model, cohort)
        cohort = replace(cohort, notices=(*cohort.notices, *silent_of, *not_taught))
    judgement = judge(experiment, model_prior, learnt, cohort, progress)
    progress("saving", 0.9)
    artefact = _save(store, experiment, outcome, evidence, model_prior, learnt, cohort, judgement)
    folder = store / EVALUATIONS / artefact.version
    write_evaluation(folder, judgement.scored, judgement.evaluation)
    if cohort is not None and learnt.booster is not None:
        progress("verifying the explanations", 0.95)
        values = rows_of(artefact.model, cohort).values
        weight = RECIPES[experiment.learner.name].tree_weight
        verify_trees(artefact, artefact.folder / BOOSTER_FILE, values, weight)
    progress("writing the report", 0.97)
    figures = report_model(folder, artefact, judgement.evaluation, cohort, experiment)
    progress("done", 1.0)
    notices = cohort.notices if cohort else ()
    return Run(experiment, artefact, notices, figures, judgement, folder, began)


def _read_back(model: RiskModel) -> RiskModel:
    """Return the model as its own bytes tell it: what is judged is what will answer."""
    return model_from_json(canonical_json(model_to_json(model)))


def _associated(
    evidence: Evidence, experiment: Experiment, learnt: Learnt, cohort: LearningCohort | None
) -> Association | None:
    """Return how the outcome goes with the other one: published, then corrected by the cohort."""
    if experiment.together is None:
        return None
    published = published_association(evidence, experiment.together.other)
    if cohort is None or cohort.other_outcome is None or learnt.patients == 0:
        return published
    known = ~np.isnan(cohort.other_outcome)
    seen = replace(cohort.take(known), outcome=cohort.other_outcome[known])
    beside = experiment.model_copy(
        update={"outcome": OutcomeSection(name=experiment.together.other), "together": None}
    )
    first = learn(experiment_prior(evidence, beside, seen), seen, experiment.seed)
    both_known = known_in(cohort, first.model, learnt.model)
    return with_cohort(published, both_known) if both_known else published


def _save(
    store: Path,
    experiment: Experiment,
    outcome: Outcome,
    evidence: Evidence,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort | None,
    judgement: Judgement,
) -> Artefact:
    believed = RECIPES[experiment.learner.name].effects_believed(model_prior.effects)
    model_prior = replace(model_prior, effects=believed)
    model = replace(learnt.model, outcome=outcome.name)
    measures = judgement.measures
    manifest = run_manifest(experiment, outcome, model_prior, learnt, cohort, measures)
    booster = None if learnt.booster is None else bytes(learnt.booster.save_raw("ubj"))
    acceptance = experiment.acceptance.of(outcome.name)
    ruling = rule(acceptance, experiment.validation, judgement.evaluation, measures, cohort)
    return save_model(store, model, manifest, prior_table(model_prior, evidence), booster, ruling)
