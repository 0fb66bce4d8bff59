"""The whole run on one page: experiment, cohort, prior, model, judgement, artefact, reloaded."""

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data_schemas.cohort_table import Purpose, predictor_columns, read_cohort
from data_schemas.evidence import Evidence, load_evidence
from data_schemas.model_manifest import (
    CohortStatement,
    EvidenceStatement,
    Measure,
    ModelManifest,
    OutcomeStatement,
)
from data_schemas.outcomes import OUTCOMES, Outcome
from serving.artefact import (
    CARD_FILE,
    MODEL_FILE,
    PRIOR_FILE,
    SELF_TEST_FILE,
    Artefact,
    canonical_json,
    load_artefact,
    model_from_json,
    model_to_json,
    save_artefact,
    self_test,
    sha256,
)
from serving.assess import model_statement
from serving.joint_risk import Association
from serving.risk_model import Cell, RiskModel
from training.association import known_in, published_association, with_cohort
from training.cohort import LearningCohort, learning_cohort, within
from training.experiment import Experiment, ExperimentRefused, OutcomeSection, read_experiment
from training.figures import calibration_figure, effects_figure
from training.learner import Learnt, learn, rows_of
from training.model_card import model_card, prior_table
from training.performance import Judged, against_truth, folds, measures
from training.prior import ModelPrior, cohort_prior, evidence_prior
from training.recipes import RECIPES
from training.stability import stability
from training.synthetic_cohort import simulate
from training.verification import verify_trees

Array = np.ndarray
Progress = Callable[[str, float], None]
"""Told what is being done and which share of the whole is done, 0 to 1."""

SIMULATED = "simulated centres, never clinical performance"
BOOSTER_FILE = "booster.ubj"
_PACKAGES = ("cart-risk", "numpy", "scipy", "scikit-learn", "xgboost-cpu", "pandas")


@dataclass(frozen=True)
class Run:
    """A trained, saved and reloaded model, and what it was trained by."""

    experiment: Experiment
    artefact: Artefact
    notices: tuple[str, ...]
    figures: dict[str, bytes]
    """PNG by file name, for people; not part of the artefact."""


@dataclass(frozen=True)
class Judgement:
    """How well a model did, on whom, and the log-odds and outcomes that say so."""

    measures: tuple[Measure, ...]
    judged: Judged | None
    on: str


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
    experiment = read_experiment(experiment_file)
    outcome = experiment.outcome.outcome()
    evidence = load_evidence()
    progress("reading the cohort", 0.0)
    other = OUTCOMES[experiment.together.other] if experiment.together else None
    cohort = learning_cohort(cohort_file, outcome, other) if cohort_file else None
    model_prior = _prior(evidence, experiment, cohort)
    if cohort is not None:
        cohort = within(cohort, {(c.product, c.disease) for c in model_prior.cells}, outcome)
    progress("fitting", 0.1)
    learnt = learn(model_prior, cohort, experiment.seed, RECIPES[experiment.learner.name])
    association = _associated(evidence, experiment, learnt, cohort)
    learnt = replace(learnt, model=_read_back(replace(learnt.model, association=association)))
    judgement = _judge(evidence, experiment, learnt, cohort, progress)
    judgement = _with_stability(judgement, experiment, model_prior, learnt, cohort, progress)
    progress("saving", 0.9)
    artefact = _save(store, experiment, outcome, evidence, model_prior, learnt, cohort, judgement)
    if cohort is not None and learnt.booster is not None:
        progress("verifying the explanations", 0.95)
        values = rows_of(artefact.model, cohort).values
        weight = RECIPES[experiment.learner.name].tree_weight
        verify_trees(artefact, artefact.folder / BOOSTER_FILE, values, weight)
    progress("done", 1.0)
    figures = {"effects.png": effects_figure(model_prior, artefact.model)}
    if judgement.judged is not None:
        figures["calibration.png"] = calibration_figure(judgement.judged, judgement.on)
    return Run(experiment, artefact, cohort.notices if cohort else (), figures)


def _read_back(model: RiskModel) -> RiskModel:
    """Return the model as its own bytes tell it: what is judged is what will answer."""
    return model_from_json(json.loads(canonical_json(model_to_json(model))))


def _prior(evidence: Evidence, experiment: Experiment, cohort: LearningCohort | None) -> ModelPrior:
    if experiment.anchor.evidence:
        return evidence_prior(evidence, experiment, cohort)
    if cohort is None:
        raise ExperimentRefused(f"{experiment.name}: without evidence an experiment needs a cohort")
    return cohort_prior(evidence, experiment, cohort)


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
    first = learn(_prior(evidence, beside, seen), seen, experiment.seed)
    both_known = known_in(cohort, first.model, learnt.model)
    return with_cohort(published, both_known) if both_known else published


def _judge(
    evidence: Evidence,
    experiment: Experiment,
    learnt: Learnt,
    cohort: LearningCohort | None,
    progress: Progress,
) -> Judgement:
    if cohort is not None:
        return _cross_validated(evidence, experiment, cohort, progress)
    return _rehearsed(experiment, learnt, progress)


def _with_stability(
    judgement: Judgement,
    experiment: Experiment,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort | None,
    progress: Progress,
) -> Judgement:
    refits = experiment.validation.bootstrap_refits
    if cohort is None or learnt.patients == 0 or refits == 0:
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
        fold = learn(_prior(evidence, experiment, seen), seen, experiment.seed, recipe)
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
    model = replace(learnt.model, outcome=outcome.name)
    manifest = _manifest(experiment, outcome, model_prior, learnt, cohort, judgement.measures)
    table = prior_table(model_prior, evidence)
    card = model_card(manifest, model, table, model_statement(manifest))
    files = {
        MODEL_FILE: canonical_json(model_to_json(model)),
        SELF_TEST_FILE: canonical_json(self_test(model, _invented_patients(model.cells[0]))),
        PRIOR_FILE: canonical_json(table),
        CARD_FILE: card.encode(),
    }
    if learnt.booster is not None:
        files[BOOSTER_FILE] = bytes(learnt.booster.save_raw("ubj"))
    folder = save_artefact(store, model, manifest, files)
    return load_artefact(folder)


def _manifest(
    experiment: Experiment,
    outcome: Outcome,
    model_prior: ModelPrior,
    learnt: Learnt,
    cohort: LearningCohort | None,
    performance: tuple[Measure, ...],
) -> ModelManifest:
    return ModelManifest(
        experiment=experiment.name,
        outcome=OutcomeStatement(
            name=outcome.name,
            label=outcome.label,
            definition=outcome.definition,
            horizon_days=outcome.horizon_days,
            reference=outcome.reference,
        ),
        learner=experiment.learner.name,
        seed=experiment.seed,
        cohort=_cohort_statement(cohort, learnt),
        evidence=_evidence_statement(model_prior),
        local_deviation=learnt.local_deviation,
        directions_released=learnt.released,
        performance=performance,
        software={name: version(name) for name in _PACKAGES}
        | {"python": ".".join(platform.python_version_tuple()[:2])},
        files={},
    )


def _cohort_statement(cohort: LearningCohort | None, learnt: Learnt) -> CohortStatement:
    """Say who had a hand in the model: nobody, where a cohort was read but nothing was fitted."""
    if cohort is None or learnt.patients == 0:
        return CohortStatement(patients=0, real_patients=0, simulated_patients=0, events=0, sites=0)
    return CohortStatement(
        patients=learnt.patients,
        real_patients=0 if cohort.synthetic else learnt.patients,
        simulated_patients=learnt.patients if cohort.synthetic else 0,
        events=cohort.events,
        sites=len(set(cohort.site.tolist())),
        fingerprint=cohort.fingerprint,
    )


def _evidence_statement(model_prior: ModelPrior) -> EvidenceStatement:
    evidence = load_evidence()
    ids = {i for effect in model_prior.effects for i in effect.sources}
    ids |= {i for cell in model_prior.cells for i in cell.sources}
    rows = [evidence.row(row_id) for row_id in sorted(ids)]
    content = canonical_json([row.model_dump(mode="json") for row in rows])
    unread = tuple(row.id for row in rows if row.verified != "read")
    return EvidenceStatement(fingerprint=sha256(content), rows=len(rows), unread_rows=unread)


def _invented_patients(cell: Cell) -> dict[str, Array]:
    """Return three invented patients for the self-test: typical, inflamed, and half unmeasured."""
    given = {
        "product": np.array([cell.product] * 3, dtype=object),
        "disease": np.array([cell.disease] * 3, dtype=object),
        "age": np.array([60.0, 71.0, 45.0]),
        "crp": np.array([12.0, 140.0, np.nan]),
        "ferritin": np.array([400.0, 4200.0, np.nan]),
        "ldh": np.array([230.0, 900.0, 310.0]),
        "platelets": np.array([160.0, 35.0, np.nan]),
    }
    return dict(predictor_columns(given, 3))
