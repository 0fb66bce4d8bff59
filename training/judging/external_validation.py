"""A finished model tried on patients whom it has not seen: a centre brings its own.

Nothing is fitted to them but the published scores that the model is compared with.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_schemas.cohort_table import CohortRefused, Violation
from data_schemas.model_manifest import ModelManifest
from data_schemas.outcomes import OUTCOMES, Outcome
from data_schemas.refusal import Refused
from serving.model.artefact import Artefact
from serving.model.risk_model import RiskModel
from training.cohort import LearningCohort, patients_to_judge_by
from training.evaluation.asked import Asked, declared_range
from training.evaluation.evaluate import evaluate
from training.evaluation.record import Evaluation
from training.evaluation.scored_cohort import ScoredCohort
from training.judging.comparators import PRODUCT_RATE, product_rate, with_recalibrated
from training.judging.gates import external_verdict
from training.judging.judgement import scored_by
from training.judging.leakage import strongest_separation
from training.judging.recognised import cohorts_of, fitted_versions, known_by, scored_with
from training.judging.resampling import cross_validation_folds
from training.judging.ruling import declared_acceptance, declared_validation
from training.judging.unanswered import without_a_number
from training.judging.verdict import Verdict
from training.learning.folds import why_no_folds
from training.learning.updating import Update, bayesian, by_policy

Array = np.ndarray

_HOW_ELSE = (
    "bring patients whom it has not seen, or read how it was judged by resampling in its own "
    "evaluation"
)
_NOT_ALL_RECOGNISED = (
    "whether single patients had a hand in the model is not known here: its evaluation, or that of "
    "a version that it was updated from, by which they are recognised, is not at hand"
)


class NotExternal(Refused):
    """The patients had a hand in the model, so that they cannot judge it."""


@dataclass(frozen=True)
class ExternalValidation:
    """A cohort scored by a finished model, what was measured of it, and what may be updated."""

    cohort: LearningCohort
    scored: ScoredCohort
    evaluation: Evaluation
    verdict: Verdict
    """Whether the model keeps the limits that its experiment declared on these patients."""
    update: Update
    """What the number of events allows."""
    advisory: Update
    """The Bayesian intercept, for the eye where there are too few events to update by it."""


def evaluate_on(artefact: Artefact, cohort: LearningCohort) -> ExternalValidation:
    """Judge a finished model on a cohort read by `external_cohort`."""
    seed = artefact.manifest.seed
    folds = cross_validation_folds(cohort, declared_validation(artefact).folds, 1, seed)
    published = {PRODUCT_RATE: product_rate(artefact.model, cohort)}
    beside = with_recalibrated(published, cohort, folds[0] if folds else [])
    scored = scored_by(artefact.model, cohort, fitted_here=False, comparators=beside)
    evaluation = evaluate(scored, asked_of(artefact))
    limits, strongest = declared_acceptance(artefact), strongest_separation(cohort)
    return ExternalValidation(
        cohort,
        scored,
        evaluation,
        verdict=external_verdict(evaluation, limits, strongest),
        update=by_policy(scored.model, cohort.outcome),
        advisory=bayesian(scored.model, cohort.outcome, slope=False),
    )


def asked_of(artefact: Artefact) -> Asked:
    """Return what is asked of a model at another centre: what its experiment declared."""
    validation, name = declared_validation(artefact), artefact.manifest.outcome.name
    return Asked(
        seed=artefact.manifest.seed,
        net_benefit_range=validation.net_benefit_range or declared_range(name),
        thresholds=validation.thresholds,
    )


def external_cohort(artefact: Artefact, cohort_file: Path, evaluations: Path) -> LearningCohort:
    """Read the patients of a cohort whom a model may be judged by; notices say who is left out.

    Parameters
    ----------
    evaluations
        Where the scored cohort of each version lies, by its name: those who had a hand in the model
        are recognised by it.

    Raises
    ------
    CohortRefused
        If the table breaks the contract, or nobody has both a known outcome and a product in a
        disease that the model knows.
    NotExternal
        If the model, or one that it was updated from, was fitted on this cohort, or on everybody in
        it whose outcome is known.
    """
    cohort = patients_to_judge_by(cohort_file, outcome_of(artefact.manifest))
    cohort = _without_own(artefact, cohort, evaluations)
    known = _in_scope(artefact.model, cohort)
    if len(known) == 0:
        what = "a known outcome, and a product in a disease that the model knows"
        raise CohortRefused([Violation("(rows)", "nobody_to_judge", f"no patient has {what}")])
    return replace(
        known,
        notices=(*known.notices, *_notices(artefact, cohort, known)),
        outside_model=len(cohort) - len(known),
    )


def outcome_of(manifest: ModelManifest) -> Outcome:
    """Return a model's outcome: of the contract, or as its own manifest defines it."""
    said = manifest.outcome
    own = Outcome(
        name=said.name,
        label=said.label,
        definition=said.definition,
        horizon_days=said.horizon_days,
        reference=said.reference,
    )
    return OUTCOMES.get(said.name, own)


def _without_own(artefact: Artefact, cohort: LearningCohort, evaluations: Path) -> LearningCohort:
    """Leave out who had a hand in the model; where not all can be told, a notice says so."""
    if cohort.fingerprint in cohorts_of(artefact.manifest):
        raise NotExternal(f"this model was fitted on this very cohort: {_HOW_ELSE}")
    fitted = scored_with(artefact, evaluations)
    if len(fitted) < len(fitted_versions(artefact)):
        cohort = replace(cohort, notices=(*cohort.notices, _NOT_ALL_RECOGNISED))
    hashes = [scored.known_by for scored in fitted.values()]
    own = np.isin(known_by(cohort), np.concatenate([np.empty(0, np.uint64), *hashes]))
    if not own.any():
        return cohort
    if own.all():
        raise NotExternal(f"this model was fitted on every one of these patients: {_HOW_ELSE}")
    notice = (
        f"{own.sum()} patients are left out: the model was fitted on them, or on others alike in "
        "site, day of infusion, product, disease, age and sex"
    )
    kept = cohort.take(np.flatnonzero(~own))
    return replace(kept, notices=(*cohort.notices, notice))


def _in_scope(model: RiskModel, cohort: LearningCohort) -> LearningCohort:
    return cohort.take(np.flatnonzero(model.cell_of(cohort.columns) >= 0))


def _notices(artefact: Artefact, cohort: LearningCohort, known: LearningCohort) -> list[str]:
    """Say who is not judged, what is not compared, and whom the service would give no number."""
    notices = []
    if outside := len(cohort) - len(known):
        notices.append(
            f"{outside} patients were given a product in a disease that the model does not know: "
            "they are left out"
        )
    folds = declared_validation(artefact).folds
    if why := why_no_folds(known.patient, known.outcome, folds):
        notices.append(f"no published score is beside the model: {why}")
    return [*notices, *without_a_number(artefact.model, known)]
