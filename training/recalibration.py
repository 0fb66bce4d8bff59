"""A centre brings its own patients: the model is updated as far as their events allow, or kept.

The update is repeated on bootstrap samples as a whole, the rule by events and the closed test
included. It ships only if the log-loss so corrected is below that of the model as it is, on the
same patients (Vergouwe Y, Stat Med 2017;36:4529-4539).
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_schemas.model_manifest import CohortStatement, Measure, ModelManifest, UpdateStatement
from serving.model.artefact import PRIOR_FILE, Artefact
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort
from training.evaluation.evaluate import evaluate
from training.evaluation.overall_accuracy import log_losses
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.experiment import ValidationSection
from training.judging.external_validation import ExternalValidation, asked_of, evaluate_on
from training.judging.judgement import headline, scored_by
from training.judging.resampling import resample
from training.judging.ruling import declared_acceptance, declared_validation, rule
from training.learning.updating import Update, by_policy, updated
from training.reporting import report_model
from training.run_manifest import software
from training.saving import BOOSTER_FILE, EVALUATIONS, save_model, write_evaluation

Array = np.ndarray
WITHOUT_UPDATE = "without_update"
"""The model as it was, among the comparators of the updated one."""

FEWEST_REFITS = 200
"""An update is repeated on so many bootstrap samples, or more where its experiment declares more:
whether it ships rests on them, and one takes a millisecond."""


@dataclass(frozen=True)
class Recalibrated:
    """What a centre's patients say of a model, and the version that came of it, if any did."""

    before: ExternalValidation
    log_loss_before: float
    """Of the model as it is, on the same patients, mean over them in nats."""
    log_loss_after: float | None
    """Of the updated model, corrected for optimism; None where nothing can be updated."""
    judged: tuple[ScoredCohort, Evaluation] | None
    """The updated model on the same patients, with the update repeated on others."""
    artefact: Artefact | None
    """The new version, None where the model is kept."""


def recalibrate(artefact: Artefact, cohort: LearningCohort, store: Path) -> Recalibrated:
    """Update a model by a cohort read by `external_cohort`; save it under ``store`` if it improves.

    There is no new version where the events allow none, or the update does not improve.
    """
    before = evaluate_on(artefact, cohort)
    loss = float(log_losses(before.scored.model, before.scored.outcome).mean())
    if not before.update.changes:
        return Recalibrated(before, loss, None, None, None)
    model = updated(artefact.model, before.update)
    repeated, seed = _how_repeated(artefact), artefact.manifest.seed
    scored = _repeated(model, cohort, before.scored, repeated, seed)
    evaluation = evaluate(scored, asked_of(artefact))
    corrected = evaluation.optimism_corrected
    after = corrected.log_loss.corrected.value if corrected else None
    judged = (scored, evaluation)
    if after is None or after >= loss:
        return Recalibrated(before, loss, after, judged, None)
    performance = headline(evaluation, repeated.folds)
    manifest = _manifest(artefact, cohort, before.update, performance)
    table, booster = json.loads(artefact.files[PRIOR_FILE]), artefact.files.get(BOOSTER_FILE)
    limits, validation = declared_acceptance(artefact), declared_validation(artefact)
    ruling = rule(limits, validation, evaluation, performance, cohort)
    saved = save_model(store, model, manifest, table, booster, ruling)
    folder = store / EVALUATIONS / saved.version
    write_evaluation(folder, scored, evaluation)
    report_model(folder, saved, evaluation, cohort, None)
    return Recalibrated(before, loss, after, judged, saved)


def _how_repeated(artefact: Artefact) -> ValidationSection:
    declared = declared_validation(artefact)
    refits = max(declared.bootstrap_refits, FEWEST_REFITS)
    return declared.model_copy(update={"bootstrap_refits": refits})


def _repeated(
    model: RiskModel,
    cohort: LearningCohort,
    before: ScoredCohort,
    validation: ValidationSection,
    seed: int,
) -> ScoredCohort:
    """Score a cohort with the updated model, and with the update repeated on others."""
    without = before.model
    beside = {**before.comparators, WITHOUT_UPDATE: without}
    scored = scored_by(model, cohort, fitted_here=True, comparators=beside)
    row = {int(code): i for i, code in enumerate(cohort.patient)}

    def learner(seen: LearningCohort, new: LearningCohort) -> Array:
        of_seen, of_new = (
            without[[row[int(code)] for code in some.patient]] for some in (seen, new)
        )
        return by_policy(of_seen, seen.outcome).of(of_new)

    repeated = resample(learner, cohort, validation, seed, workers=1)
    return replace(scored, **vars(repeated))


def _manifest(
    artefact: Artefact, cohort: LearningCohort, update: Update, performance: tuple[Measure, ...]
) -> ModelManifest:
    """Return the parent's manifest with the update, and everybody who had a hand in the model."""
    parent = artefact.manifest
    real = 0 if cohort.synthetic else len(cohort)
    sites = len(set(cohort.site.tolist()))
    step = UpdateStatement(
        parent_version=artefact.version,
        parent_sha256=artefact.sha256,
        change=update.how,
        intercept=update.intercept,
        slope=update.slope,
        patients=len(cohort),
        real_patients=real,
        events=cohort.events,
        sites=sites,
        cohort_fingerprint=cohort.fingerprint,
    )
    return parent.model_copy(
        update={
            "cohort": _together(parent.cohort, step),
            "lineage": (*parent.lineage, step),
            # Whoever tried the parent tried another model, and these had a hand in this one.
            "validated_on_real_patients": 0,
            "local_deviation": _what_it_is_now(parent, step),
            "performance": performance,
            "software": software(),
        }
    )


def _what_it_is_now(parent: ModelManifest, step: UpdateStatement) -> str:
    """Say whose effects the version has, and what was updated on whom, the newest update last."""
    if parent.lineage:
        before = f"{parent.local_deviation}, then"
    elif parent.cohort.patients == 0:
        before = "no effects of a cohort of its own: published evidence,"
    else:
        before = f"effects of version {step.parent_version} kept ({parent.local_deviation}),"
    whom = "real" if step.real_patients else "simulated"
    on = f"{step.patients} {whom} patients with {step.events} events"
    return f"{before} updated on {on} ({step.change})"


def _together(fitted: CohortStatement, step: UpdateStatement) -> CohortStatement:
    """Count the patients of the update to those of the fit: all had a hand in the model."""
    return CohortStatement(
        patients=fitted.patients + step.patients,
        real_patients=fitted.real_patients + step.real_patients,
        simulated_patients=fitted.simulated_patients + step.patients - step.real_patients,
        events=fitted.events + step.events,
        sites=fitted.sites + step.sites,
        fingerprint=fitted.fingerprint,
    )
