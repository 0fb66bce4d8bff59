"""From a judged model to ``report.json``."""

import json

from data_schemas.model_manifest import ModelManifest
from serving.model.artefact import PRIOR_FILE, Artefact
from training.code_state import CodeState
from training.cohort import LearningCohort
from training.evaluation.record import Evaluation
from training.experiment import Experiment
from training.judging.verdict import Verdict
from training.report.checklists import probast_ai, tripod_ai
from training.report.limits import limits
from training.report.model_facts import model_facts
from training.report.patients import flow, missingness, table_one
from training.report.record import Environment, Kind, Marks, Report, Software, Standing, Updating

_MODEL_OF_SIMULATED = "a model of simulated patients, never clinical performance"
_NO_COHORT = "no cohort was given: nobody was screened"
_NO_EXPERIMENT = "a finished model was tried on patients; its experiment is named in its manifest"
_NOT_UPDATED = "an update is worked out where a finished model meets other patients"
_NO_NOTICE = "nothing in the table needed a notice"


def report(
    artefact: Artefact,
    evaluation: Evaluation,
    verdict: Verdict,
    code: CodeState,
    *,
    cohort: LearningCohort | None,
    experiment: Experiment | None,
    updating: Updating | None = None,
) -> Report:
    """Return all that is known of a model and of how it was judged.

    Parameters
    ----------
    cohort
        The judged patients; None for a model of no patient, which was rehearsed.
    experiment
        What the model was trained by; None where a finished model was tried on patients.
    updating
        What the judged patients would change of a finished model.
    """
    manifest, model = artefact.manifest, artefact.model
    kind, marks = _kind(manifest, evaluation, cohort), _marks(manifest, evaluation, cohort)
    standing = _standing(manifest, evaluation, cohort)
    table, smallest = json.loads(artefact.files[PRIOR_FILE]), evaluation.asked.smallest_cell
    facts = model_facts(model, table, manifest.learner, manifest.directions_released, cohort)
    predictors = list(dict.fromkeys(term.predictor for term in model.terms))
    flow_ = flow(cohort, smallest) if cohort else None
    whole = Report(
        title=f"{manifest.outcome.label}: {kind}",
        kind=kind,
        version=artefact.version,
        sha256=artefact.sha256,
        marks=marks,
        standing=standing,
        verdict=verdict,
        evaluation=evaluation,
        flow=flow_,
        table_one=(table_one(cohort, predictors, model.burden_scale, smallest) if cohort else None),
        missingness=(
            missingness(cohort, predictors, model.burden_scale, smallest) if cohort else ()
        ),
        model=facts,
        updating=updating,
        limits=limits(standing, marks, evaluation, flow_, facts, manifest),
        tripod_ai=tripod_ai(kind),
        probast_ai=probast_ai(manifest, evaluation, flow_),
        experiment=experiment,
        manifest=manifest,
        environment=_environment(manifest, code, cohort),
        notices=cohort.notices if cohort else (),
        absent={},
    )
    return whole.model_copy(update={"absent": _absent(whole)})


def _kind(manifest: ModelManifest, evaluation: Evaluation, cohort: LearningCohort | None) -> Kind:
    if cohort is None:
        return "rehearsal"
    if not evaluation.fitted_here:
        return "external validation"
    return "updating" if manifest.lineage else "development"


def _simulated(cohort: LearningCohort | None) -> bool:
    return cohort is None or cohort.synthetic


def _marks(manifest: ModelManifest, evaluation: Evaluation, cohort: LearningCohort | None) -> Marks:
    return Marks(
        judged=evaluation.on if _simulated(cohort) else None,
        fitted=_MODEL_OF_SIMULATED if manifest.cohort.is_simulated else None,
    )


def _standing(
    manifest: ModelManifest, evaluation: Evaluation, cohort: LearningCohort | None
) -> Standing:
    real = 0 if _simulated(cohort) else evaluation.patients
    return Standing(
        fitted_on_real=manifest.cohort.real_patients,
        fitted_on_simulated=manifest.cohort.simulated_patients,
        judged_on_real=real,
        judged_on_simulated=evaluation.patients - real,
        validated_on_real=(
            manifest.validated_on_real_patients + (0 if evaluation.fitted_here else real)
        ),
    )


def _environment(
    manifest: ModelManifest, code: CodeState, cohort: LearningCohort | None
) -> Environment:
    return Environment(
        seed=manifest.seed,
        software=tuple(Software(name=k, version=v) for k, v in sorted(manifest.software.items())),
        code=code,
        cohort_fingerprint=cohort.fingerprint if cohort else None,
        evidence_fingerprint=manifest.evidence.fingerprint,
        evidence_rows=manifest.evidence.rows,
        unread_rows=manifest.evidence.unread_rows,
    )


def _absent(whole: Report) -> dict[str, str]:
    """Return why each part that is not there is not there."""
    reasons = {
        "flow": _NO_COHORT,
        "table_one": _NO_COHORT,
        "missingness": _NO_COHORT,
        "updating": _NOT_UPDATED,
        "experiment": _NO_EXPERIMENT,
        "notices": _NO_NOTICE,
    }
    return {part: why for part, why in reasons.items() if not getattr(whole, part)}
